"""The life of a model: promoted through the gate only, taken back in one command, served as it was registered."""

import json
import os
import re
import signal
import urllib.request

import pytest
from conftest import boosting, free_port, wait_for
from model_registry import aliases, ask, predictions, serve

pytestmark = pytest.mark.slow

NAME = "life-of-a-model"
JUDGE = ("dvc", "repro", "--force", "--single-item", "register")


@pytest.fixture(params=["embedded", "server"])
def store(request, project, tmp_path, monkeypatch):
    """The store of the project, by the environment variable of its URI; its model is registered there, under NAME."""
    project.edit("params.yaml", {'model_name: ""': f"model_name: {NAME}"})
    if request.param == "embedded":
        project.run(*JUDGE)
        yield {}
        return
    port = free_port()
    server = project.start(
        *("mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=2"),
        *(f"--backend-store-uri=sqlite:///{tmp_path}/server.db", f"--artifacts-destination={tmp_path}/artifacts"),
    )
    uri = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    try:
        wait_for(lambda: urllib.request.urlopen(f"{uri['MLFLOW_TRACKING_URI']}/health", timeout=1).status == 200)
        project.run(*JUDGE, **uri)
        yield uri
    finally:
        os.killpg(server.pid, signal.SIGTERM)


def pass_gate(project, store, version, champion):
    """Write that the gate let a version through at this champion, whatever its figures are."""
    point = {"gate": "beats_champion", "owner": "tester", "figure": "gain.champion", "value": 0.1, "bar": "at least 0"}
    points = [{**point, "passed": True, "said": "gain over the champion 0.1 is at least 0"}]
    decision = {
        "figure": "roc_auc",
        "candidate": 0.7,
        "rivals": {},
        "refused": [],
        "points": points,
        "champion": champion,
    }
    ask(
        project,
        f"client.set_model_version_tag('{NAME}', '{version}', 'gate.decision', {json.dumps(decision)!r})",
        **store,
    )


def test_promoted_through_the_gate_only_and_rolled_back_in_one_command(project, store):
    before, said = aliases(project, NAME, **store)["champion"], predictions(project, NAME, **store)
    project.edit("params.yaml", boosting(6))
    project.run("make", "pipeline", **store)
    worse = aliases(project, NAME, **store)["challenger"]
    assert aliases(project, NAME, **store)["champion"] == before != worse
    refused = project.run("make", "promote", f"VERSION={worse}", "WHY=I like it", ok=False, **store).stderr
    assert f"the gate refused version {worse}:\n- gain over the champion -0." in refused
    assert "Traceback" not in refused

    pass_gate(project, store, worse, before)
    project.run("make", "promote", f"VERSION={worse}", "TO=staging", "WHY=the owner must see it", **store)
    assert aliases(project, NAME, **store) == {"champion": before, "challenger": worse, "staging": worse}
    project.run("make", "promote", f"VERSION={worse}", 'WHY=it\'s "fast", saves $5', **store)
    assert aliases(project, NAME, **store) == {"champion": worse, "challenger": worse}
    assert predictions(project, NAME, **store) != said

    assert (
        f"version {before} is champion again" in project.run("make", "rollback", "WHY=worse, of course", **store).stdout
    )
    assert aliases(project, NAME, **store)["champion"] == before
    assert predictions(project, NAME, **store) == said
    project.run(*JUDGE, **store)
    assert aliases(project, NAME, **store)["champion"] == before
    assert "rolled back" in project.read("reports/registration.json")
    again = project.run("make", "promote", f"VERSION={worse}", "WHY=no", ok=False, **store).stderr
    assert f"version {worse} was rolled back (worse, of course)" in again

    shown = project.run("make", "models", **store).stdout
    assert max(map(len, shown.splitlines())) <= 120
    assert re.search(
        rf"^ +{before} +production +champion .* 0\.\d+ roc_auc +\w{{8}}\+? +\d+ kB +passed", shown, re.MULTILINE
    )
    assert re.search(rf"^ +{worse} +archived +challenger .* rolled back", shown, re.MULTILINE)
    log = shown.split("History")[1]
    assert re.search(rf"tester@example.com +promote +{worse} +it's \"fast\", saves \$5\n", log)
    assert re.search(rf"tester@example.com +rollback +{before} +worse, of course\n", log)


def test_what_the_verbs_refuse_is_said_on_one_line(project):
    refused = [
        (("promote",), "which version? `make promote VERSION=2"),
        (("promote", "VERSION=two", "WHY=x"), "'two' is no version"),
        (("promote", "VERSION=99", "WHY=x"), "has no version 99"),
        (("promote", "VERSION=1"), "There must be a reason"),
        (("rollback",), "There must be a reason"),
    ]
    for words, reason in refused:
        error = project.run("make", *words, ok=False).stderr
        assert reason in error
        assert "Traceback" not in error
    gone = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    assert (
        "ERROR: MLflow at http://127.0.0.1:9 cannot be used" in project.run("make", "models", ok=False, **gone).stderr
    )


def test_mlflow_serves_the_champion(project, store):
    rows = ask(project, "rows.isna().any().any().item()", 20)
    assert rows, "no row with a gap: choose other rows"
    said = predictions(project, NAME, rows=20, **store)
    answer = serve(project, NAME, rows=20, **store)
    assert [row["probability"] for row in answer] == pytest.approx([row["probability"] for row in said], abs=1e-6)
    assert [row["prediction"] for row in answer] == [row["prediction"] for row in said]
