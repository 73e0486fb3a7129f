"""The candidate knows what everybody knows of flights. Skipped until the pipeline (or `dvc pull`) has brought it."""

import json

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def flights(root, candidate):
    return pd.read_parquet(root / "data" / "processed" / "holdout.parquet").head(200)


def test_candidate_beats_the_baselines(root, candidate):
    metrics = json.loads((root / "reports" / "metrics.json").read_text())
    assert metrics["candidate"]["roc_auc"] > metrics["baseline"]["roc_auc"] > metrics["trivial"]["roc_auc"] == 0.5


def test_flights_differ(candidate, flights):
    assert candidate(flights).std() > 0.01


def test_evening_is_riskier_than_morning(candidate, flights):
    morning, evening = (flights.assign(departure_minute=np.float32(minute)) for minute in (6 * 60, 19 * 60))
    assert candidate(evening).mean() > candidate(morning).mean()
