"""What tests of the prediction log share: a prediction, a database, and what it holds."""

import os
from datetime import UTC, datetime, timedelta

from stagebook.predictions.log import Prediction
from stagebook.predictions.store import META, open_log, read_predictions

NOW = datetime.now(UTC)


def prediction(request_id="r", row=0, **values):
    given = {"asked_at": datetime.now(UTC), "model": "m", "version": "1", "latency_ms": 1.0}
    given |= {"key": {}, "inputs": {"a": 1}, "output": {"p": 0.5}}
    return Prediction(request_id, row, **(given | values))


def log_url(tmp_path):
    url = os.environ.get("TEST_LOG_URL") or f"sqlite:///{tmp_path}/log.db"
    if "TEST_LOG_URL" in os.environ:
        META.drop_all(open_log(url))
    return url


def stored(url):
    return read_predictions(url, NOW - timedelta(days=999), NOW + timedelta(days=1))
