"""Monitoring and the replay of a whole project: by the commands that a user types, on three months of flights."""

import json
import re

import pytest
from baked import script

pytestmark = pytest.mark.slow

NOTEBOOK = "pipelines/monitoring/90_monitor.ipynb"
LOG = """
from pathlib import Path
import pandas as pd
from stagebook.data.tables import read_table
from stagebook.model.package import load_model
from stagebook.model.task import read_task
from stagebook.monitor.sources import open_champion
from stagebook.predictions.log import connect_log
from stagebook.replay.online import log_answers, log_outcomes
task, rows = read_task("data/interim/task.json"), read_table("data/processed/holdout.parquet")
version, folder = open_champion("flight-delays", rows, task)
answer = {"probability": load_model(folder, task)(rows).astype(float)}
log = connect_log(Path.cwd())
log_answers(log, version, rows, rows.index, answer, task)
arrives = pd.to_datetime(rows[task.time], utc=True) + pd.Timedelta(1, "D")
log_outcomes(log, rows[task.target], arrives, task)
print(len(rows))
"""


def test_the_windows_of_the_log_are_measured_and_the_history_grows(own_copy):
    rows = int(script(own_copy, LOG))
    own_copy.edit("pipelines/monitoring/params.yaml", {'now: ""': 'now: "2013-04-01"', "windows: 3": "windows: 1"})
    own_copy.run("stagebook", "run", NOTEBOOK)
    [record] = own_copy.load("reports/monitoring/history.json")["windows"]
    assert record["window"]["name"] == "2013-03" and record["rows"] == record["labelled"] == rows
    assert record["enough"] and 0.5 < record["performance"]["roc_auc"]["value"] < 0.9
    for kept in ("90_monitor.html", "monitoring/plots/drift.png", "monitoring/plots/performance.png"):
        assert own_copy.has_file(f"reports/{kept}")
    own_copy.edit("pipelines/monitoring/params.yaml", {"windows: 1": "windows: 2"})
    own_copy.run("stagebook", "run", NOTEBOOK)
    names = [one["window"]["name"] for one in own_copy.load("reports/monitoring/history.json")["windows"]]
    assert names == ["2013-02", "2013-03"]
    assert own_copy.run("stagebook", "run", NOTEBOOK, PREDICTION_LOG_URL="sqlite:////no/such/log.db", ok=False).stderr
    assert own_copy.run("dvc", "status", "dvc.yaml").stdout.strip() == "Data and pipelines are up to date."
    own_copy.run("nbdev-test", "pipelines")


def test_make_replay_answers_whether_the_loop_holds_and_touches_nothing_else(own_copy):
    registry, log = own_copy.run("stagebook", "models").stdout, own_copy.path / ".local" / "predictions.db"
    before = log.read_bytes() if log.exists() else None
    own_copy.run("make", "replay")
    summary, text = own_copy.load("reports/monitoring/replay.json"), own_copy.read("reports/monitoring/replay.json")
    assert re.match(r"The loop (holds|does not hold): with \d retrainings instead of 8", summary["claim"])
    assert len(summary["windows"]) == 9 and len(list((own_copy.path / ".local/replay/windows").iterdir())) == 9
    assert summary["policies"]["every window"]["promoted"] == 8
    assert {"backtest", "latency_one_row", "documentation"} & set(summary["gates_not_measured"])
    page = own_copy.read("reports/95_replay.html")
    assert page.index(summary["claim"][:40]) < page.index("What happened when") < page.index("One past only")
    assert own_copy.run("stagebook", "models").stdout == registry
    assert (log.read_bytes() if log.exists() else None) == before
    own_copy.run("make", "replay")
    assert own_copy.read("reports/monitoring/replay.json") == text
    assert json.loads(text)["windows"][0]["versions"]["loop"] == "first"
    assert own_copy.run("git", "status", "--porcelain").stdout == ""
