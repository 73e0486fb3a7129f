"""Runs, lineage and the registry of a generated project, in its own store and on a server."""

import json
import os
import re
import shutil
import signal
import urllib.request

import pytest
from conftest import NOTHING_TO_DO, Project, boosting, free_port, hashes, tracked, wait_for

pytestmark = pytest.mark.slow


def champions(project: Project) -> dict[str, str]:
    code = "import json; print(json.dumps(dict(mlflow.MlflowClient().get_registered_model('flight-delays').aliases)))"
    return {alias: str(version) for alias, version in json.loads(tracked(project, code)).items()}


def test_runs_carry_their_code_and_data_and_data_leads_back_to_them(project):
    commit = project.run("git", "rev-parse", "HEAD").stdout.strip()
    project.run("dvc", "repro", "--force", "--single-item", "train")
    answer = project.run("make", "find-run", "DATA=models/candidate").stdout
    md5 = hashes(project)["models/candidate"]
    assert f"md5 {md5}" in answer
    assert re.search(rf"wrote models/candidate  train FINISHED  run \w+  commit {commit[:10]}$", answer, re.MULTILINE)
    assert "read  models/candidate  evaluate" in answer
    assert project.run("make", "find-run", f"DATA={md5}").stdout == answer
    said = project.run("make", "find-run", "DATA=no/such/file", ok=False).stderr
    assert "no/such/file is not an output in dvc.lock" in said


def test_a_worse_model_is_registered_but_not_champion(project):
    before = champions(project)
    project.edit("params.yaml", boosting(5))
    output = project.run("make", "pipeline").stdout
    decision = json.loads(project.read("reports/registration.json"))
    assert decision["alias"] == "challenger"
    assert decision["champion"] == int(before["champion"])
    assert decision["refused"][0].startswith("gain over the champion -")
    assert decision["refused"][0] in output
    aliases = champions(project)
    assert aliases["champion"] == before["champion"]
    assert aliases["challenger"] == str(decision["version"]) != before["champion"]
    code = (
        "import pandas as pd;"
        "from flight_delays.models.onnx_format import predict_onnx;"
        "rows = pd.read_parquet('data/processed/holdout.parquet').head(50);"
        "model = mlflow.pyfunc.load_model('models:/flight-delays@challenger');"
        "same = model.predict(rows[model.metadata.get_input_schema().input_names()])['probability'].to_numpy();"
        "print(abs(same - predict_onnx('models/candidate/model.onnx', rows)).max())"
    )
    assert float(tracked(project, code)) == 0.0


@pytest.mark.parametrize("chosen", ["variable", "option"])
def test_server_by_environment_variable_or_by_the_option(project, bake, tmp_path, chosen):
    port = free_port()
    address, store = f"http://127.0.0.1:{port}", f"sqlite:///{tmp_path}/server.db"
    uri = {"MLFLOW_TRACKING_URI": address} if chosen == "variable" else {}
    if chosen == "option":
        for file in ("environments/server.mk", "environments/tracking.toml"):
            shutil.copy(bake(tracking="server", project_slug=f"served-{file[-2:]}").path / file, project.path / file)
        project.edit("environments/tracking.toml", {"http://127.0.0.1:5000": address})
        command = ["make", "server", f"PORT={port}", f"STORE={store}", f"ARTIFACTS={tmp_path}/artifacts"]
    else:
        command = ["mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
        command += [f"--backend-store-uri={store}", f"--artifacts-destination={tmp_path}/artifacts"]
    server = project.start(*command)
    try:
        wait_for(lambda: urllib.request.urlopen(f"{address}/health", timeout=1).status == 200)
        project.run("dvc", "repro", "--force", "--single-item", "register", **uri)
        found = project.run("make", "find-run", "DATA=reports/registration.json", **uri)
        assert "register FINISHED" in found.stdout
        assert list((tmp_path / "artifacts").rglob("70_register.html"))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
    quick = uri | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    said = project.run("dvc", "repro", "--force", "--single-item", "register", ok=False, **quick).stderr
    assert f"ERROR: MLflow at {address} cannot be used" in said
    assert "Traceback" not in said
    assert project.run("dvc", "status", "register").stdout.strip() == NOTHING_TO_DO
    if chosen == "option":
        assert address in project.run("make", "ui", ok=False).stdout
