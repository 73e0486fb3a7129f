"""The prediction log on PostgreSQL: the library's own tests of it with another database, and a database that goes away."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full
LIBRARY = Path(__file__).parents[1] / "library" / "tests" / "unit"

# A service that answers all the time. Lines on its input say what the test has done to the database.
SERVICE = """
import json, sys, threading, time
from pathlib import Path
from fastapi.testclient import TestClient
from served import EXAMPLE, open_service, write_served
from stagebook.predictions.log import PredictionLog
from stagebook.serve.app import create_app

url, folder = sys.argv[1:]
log = PredictionLog(url, interval=0.1)
sent, going = 0, True

def tell(**what):
    print(json.dumps(what), flush=True)

with TestClient(create_app(open_service(write_served(Path(folder)), log)), base_url="http://localhost") as client:
    def ask():
        global sent
        while going:
            body = {"rows": [{"age": 40, "income": None, "plan": "basic"}]}
            assert client.post("/predict/inputs", json=body, headers={"X-Request-ID": f"r{sent}"}).status_code == 200
            sent += 1
            time.sleep(0.005)

    asking = threading.Thread(target=ask)
    asking.start()
    tell(started=True)
    for line in sys.stdin:
        end = time.monotonic() + 40
        away = line.strip() != "back"
        while bool(client.get("/ready").json()["problems"].get("log")) != away and time.monotonic() < end:
            time.sleep(0.1)
        while not away and log.written < 20 and time.monotonic() < end:
            time.sleep(0.1)
        ready = client.get("/ready").json()
        if line.strip() == "ended away":
            break
        tell(sent=sent, **ready)
    going = False
    asking.join()
    waiting, start = log.waiting, time.monotonic()
tell(sent=sent, waiting=waiting, written=log.written, lost=log.lost, seconds=time.monotonic() - start)
"""


def test_the_log_on_postgresql(postgres):
    tests = [LIBRARY / "test_prediction_log.py", LIBRARY / "test_outcomes.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    found = subprocess.run(
        command, env=os.environ | {"TEST_LOG_URL": postgres.url}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


def count(postgres) -> int:
    import sqlalchemy as sa
    from stagebook.predictions.store import open_log

    engine = open_log(postgres.url)
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT count(*) FROM predictions")).scalar()
    engine.dispose()
    return found


@pytest.fixture
def service(postgres, tmp_path):
    """The service above, with an empty log; the database runs again afterwards."""
    postgres.execute("DROP TABLE IF EXISTS predictions, outcomes, replaced_outcomes")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(LIBRARY.parent), os.environ.get("PYTHONPATH", "")])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", SERVICE, postgres.url, str(tmp_path / "p")]
    process = subprocess.Popen(command, env=environment, **pipes)
    assert json.loads(process.stdout.readline()) == {"started": True}
    yield process
    process.kill()
    process.wait()


def tell(service, words: str) -> dict:
    service.stdin.write(words + "\n")
    service.stdin.flush()
    return json.loads(service.stdout.readline())


def test_a_database_that_stops_while_predictions_are_written_loses_none(postgres, service):
    assert tell(service, "back")["status"] == "ready"
    postgres.stop()
    away = tell(service, "away")
    postgres.start()
    back = tell(service, "back")
    service.stdin.close()
    end = json.loads(service.stdout.readline())
    assert away["status"] == "degraded" and "s3cret" not in away["problems"]["log"]
    assert back["status"] == "ready" and back["sent"] > away["sent"], "it answers all the time"
    assert end["lost"] == 0
    assert count(postgres) == end["sent"], "none is missing, none is there twice"


def test_a_shutdown_while_the_database_is_away_counts_what_is_lost(postgres, service):
    tell(service, "back")
    postgres.stop()
    try:
        end = tell(service, "ended away")
    finally:
        postgres.start()
    assert 9 < end["seconds"] < 20, "it waits ten seconds for the database"
    assert end["lost"] == end["waiting"] > 0
    assert end["written"] == end["sent"] - end["lost"] > 20
    batch = end["waiting"]  # one may have been committed although its confirmation was lost with the server
    assert end["written"] <= count(postgres) <= end["written"] + batch
