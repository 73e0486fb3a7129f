"""The service of a whole project: no skew between training and serving, and the commands of the README."""

import json
import os
import re
import signal
import urllib.request

import pytest
from baked import script, wait_for
from servers import free_port

pytestmark = pytest.mark.slow

# Sends flights of the hold-out as raw requests, each at its own time: the online store has what was known then.
REPLAY = """
import json
from pathlib import Path
import numpy as np, pandas as pd
from fastapi.testclient import TestClient
from stagebook.data.tables import read_table
from stagebook.features.online import connect_store, materialise
from stagebook.features.store import read_sources
from stagebook.model.package import predict_model
from stagebook.model.task import read_task
from stagebook.project.settings import load_object, load_views, read_settings
from stagebook.request.contract import as_json
from stagebook.serve.service import Service

root = Path(".").resolve()
raw, holdout = read_table("data/raw/flights.parquet"), read_table("data/processed/holdout.parquet")
expected = holdout.assign(expected=predict_model("models/candidate", holdout, read_task("data/interim/task.json")))
raw["date"] = pd.to_datetime(raw[["year", "month", "day"]])
names = ["date", "carrier", "flight", "origin", "dest"]
raw = raw.merge(expected[[*names, "expected"]].drop_duplicates(names, keep=False), on=names)
asked = pd.to_datetime(raw["time_hour"], utc=True) + pd.to_timedelta(raw["sched_dep_time"] % 100 - 60, unit="min")
views, engine = load_views(root), connect_store(root)
tables = read_sources(views, "data/raw")
differences, sent = [], 0
for time in asked.drop_duplicates().sample(6, random_state=0):
    for view in views:
        materialise(view, tables, engine, time)
    service = Service(root, read_settings(root)["serve"], root / "models" / "candidate", "flight-delays")
    with TestClient(load_object(root, "service")(service), base_url="http://localhost") as client:
        flights = raw[asked == time]
        rows = [
            {name: as_json(value) for name, value in row.items() if name in service.current.contract.table.columns and not pd.isna(value)}
            for row in flights.to_dict("records")
        ]
        answer = client.post("/predict", json={"rows": rows})
        assert answer.status_code == 200, answer.text
        got = [one["probability"] for one in answer.json()["predictions"]]
        alone = client.post("/predict", json={"rows": rows[:1]}).json()["predictions"][0]["probability"]
        differences += list(np.abs(np.array([*got, alone]) - flights["expected"].to_numpy()[[*range(len(got)), 0]]))
        sent += len(rows)
print(json.dumps({"sent": sent, "largest": max(differences)}))
"""


def test_a_raw_request_gets_the_prediction_that_the_evaluation_gave_at_its_own_time(project):
    result = json.loads(script(project, REPLAY).splitlines()[-1])
    assert result["sent"] >= 10
    assert result["largest"] < 1e-6, result


def test_make_serve_answers_the_line_of_the_readme(project):
    port = free_port()
    server = project.start("make", "serve", f"PORT={port}", "MODEL=models/candidate")
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: urllib.request.urlopen(f"{address}/health", timeout=5).status == 200)
        [line] = re.findall(r"^(curl .*?)  *#", project.read("README.md"), re.MULTILINE)
        answer = project.run("bash", "-c", line.replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
        [prediction] = json.loads(answer.stdout)["predictions"]
        assert 0 <= prediction["probability"] <= 1
        logged = json.load(urllib.request.urlopen(f"{address}/predictions/{json.loads(answer.stdout)['request_id']}"))
        assert logged[0]["output"] == prediction
        assert "tailnum" not in logged[0]["inputs"], "personal data is not logged"
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # make and the service
        server.wait(timeout=30)
