"""`stagebook outcomes FILE` as a user runs it: what became of each value, and a bad file that is refused as a whole."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from samples import write_project
from stagebook.predictions.log import Prediction, PredictionLog
from stagebook.predictions.store import read_predictions

pytestmark = pytest.mark.slow
TASK = '{"task": "binary", "target": "delay", "classes": ["on time", "late"], "keys": ["flight"]}'


@pytest.fixture
def project(tmp_path):
    root = write_project(tmp_path / "p", **{"data/interim/task.json": TASK})
    log = PredictionLog(f"sqlite:///{root}/.local/predictions.db")
    now = datetime.now(UTC)
    (root / ".local").mkdir()
    log.write([Prediction(f"r{n}", 0, now, "m", "1", {"flight": str(n)}, {}, {}, 1.0) for n in range(3)])
    log.close()
    return root


def outcomes(root, text):
    (root / "true.csv").write_text(text, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PREDICTION_LOG_URL"}
    command = [sys.executable, "-m", "stagebook", "outcomes", "true.csv"]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def known(root):
    now = datetime.now(UTC)
    found = read_predictions(
        f"sqlite:///{root}/.local/predictions.db", now - timedelta(days=1), now + timedelta(days=1)
    )
    return found.set_index("request_id")["outcome"].dropna().to_dict()


def test_the_command_tells_what_became_of_each_value(project):
    first = outcomes(project, "request_id,delay\nr0,late\nr1,on time\nr9,late\n")
    assert first.returncode == 0, first.stderr
    assert "3 outcomes" in first.stdout and "2 joined to 2 predictions" in first.stdout
    assert "1 waiting" in first.stdout and "r9 row 0" in first.stdout
    second = outcomes(project, "Delays of July,\nrequest_id,delay\nr0,late\nr1,late\nr2,late\nTotal,3\n")
    assert second.returncode == 0, second.stderr
    for words in ("1 joined to 1 predictions", "1 duplicate", "1 contradictory", 'r1 row 0: "on time", now "late"'):
        assert words in second.stdout
    assert "2 left out" in second.stdout and "line 1: Delays of July" in second.stdout
    assert "line 6: Total | 3" in second.stdout
    third = outcomes(project, "flight,delay\n0,on time\n2,late\n")
    assert "1 contradictory" in third.stdout and '"late" by the id r0 row 0, "on time" by the key' in third.stdout
    assert known(project) == {"r0": "late", "r1": "late", "r2": "late"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("request_id,delay\nr0,late\nr1,soon\n", "true.csv, line 3, column 'delay': 'soon' is no class of the model"),
        ("request_id,delay,row\nr0,late,0\nr1,late,x\n", "true.csv, line 3, column 'row': 'x' is no position"),
        ("name,delay\nr0,late\nr1,late\n", "neither a column 'request_id' nor the key column 'flight'"),
    ],
)
def test_a_bad_file_is_refused_as_a_whole_and_without_a_traceback(project, text, said):
    done = outcomes(project, text)
    assert done.returncode != 0 and said in done.stderr + done.stdout
    assert "Traceback" not in done.stderr and known(project) == {}
