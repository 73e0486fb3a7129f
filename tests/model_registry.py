"""What tests ask the model registry of a generated project, and the server that MLflow makes of a model."""

import json
import os
import re
import signal
import urllib.request

import pytest
from baked import Project, wait_for
from servers import free_port

HEADER = (
    "import json, mlflow, pandas as pd; from stagebook.track.tracking import connect_mlflow; connect_mlflow();"
    "client = mlflow.MlflowClient(); rows = pd.read_parquet('data/processed/holdout.parquet').head({rows})"
)
LOAD = (
    "model = mlflow.pyfunc.load_model('models:/{name}@{alias}');"
    "rows = rows[model.metadata.get_input_schema().input_names()];"
)


def ask(project: Project, code: str, rows: int = 100, **env: str):
    """Return what Python code makes, as JSON has it; it may use MLflow's `client`, and `rows` of the hold-out."""
    header = HEADER.format(rows=rows)
    *before, last = code.split(";")
    return json.loads(
        project.run("python", "-c", ";".join([header, *before, f"print(json.dumps({last}))"]), **env).stdout
    )


def aliases(project: Project, name: str, **env: str) -> dict[str, int]:
    """Return the version of each alias."""
    found = ask(project, f"dict(client.get_registered_model('{name}').aliases)", **env)
    return {alias: int(version) for alias, version in found.items()}


def predictions(project: Project, name: str, alias: str = "champion", rows: int = 100, **env: str) -> list[dict]:
    """Return what a registered model says of the first rows of the hold-out, a dictionary for each."""
    return ask(project, f"{LOAD.format(name=name, alias=alias)}model.predict(rows).to_dict('records')", rows, **env)


def serve(project: Project, name: str, rows: int = 20, **env: str) -> list[dict]:
    """Return what `mlflow models serve` answers of the champion, for the first rows of the hold-out."""
    load = LOAD.format(name=name, alias="champion")
    body = ask(project, f"{load}json.loads(rows.to_json(orient='split', index=False))", rows, **env)
    uri = {"MLFLOW_TRACKING_URI": f"sqlite:///{project.path}/.local/mlflow.db"} | env
    port = free_port()
    words = (
        f"mlflow models serve --model-uri models:/{name}@champion --env-manager local --host 127.0.0.1 --port {port}"
    )
    server = project.start("env", *(f"{key}={value}" for key, value in uri.items()), *words.split())
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: urllib.request.urlopen(f"{address}/ping", timeout=1).status == 200)
        data, head = json.dumps({"dataframe_split": body}).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{address}/invocations", data, head)
        return json.load(urllib.request.urlopen(request, timeout=30))["predictions"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)


JUDGE = ("dvc", "repro", "--force", "--single-item", "register")


def pass_gate(project: Project, name: str, version: int, champion: int, **store: str) -> None:
    """Write that the gate let a version through at this champion, regardless of its metrics."""
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
    tag = f"'{name}', '{version}', 'gate.decision', {json.dumps(decision)!r}"
    ask(project, f"client.set_model_version_tag({tag})", **store)


def check_life(project: Project, name: str, before: int, worse: int, **store: str) -> None:
    """Version `worse` is challenger, and `dvc.lock` has it: promoted through the gate only, rolled back in one command."""
    said = predictions(project, name, **store)
    assert aliases(project, name, **store) == {"champion": before, "challenger": worse}
    refused = project.run("make", "promote", f"VERSION={worse}", "WHY=I like it", ok=False, **store).stderr
    assert f"the gate refused version {worse}:\n- gain over the champion -0." in refused
    assert "Traceback" not in refused

    pass_gate(project, name, worse, before, **store)
    project.run("make", "promote", f"VERSION={worse}", "TO=staging", "WHY=the owner must see it", **store)
    assert aliases(project, name, **store) == {"champion": before, "challenger": worse, "staging": worse}
    project.run("make", "promote", f"VERSION={worse}", 'WHY=it\'s "fast", saves $5', **store)
    assert aliases(project, name, **store) == {"champion": worse, "challenger": worse}
    assert predictions(project, name, **store) != said

    back = project.run("make", "rollback", "WHY=worse, of course", **store).stdout
    assert f"version {before} is champion again" in back
    assert aliases(project, name, **store)["champion"] == before
    assert predictions(project, name, **store) == said
    project.run(*JUDGE, **store)
    assert aliases(project, name, **store)["champion"] == before
    assert "rolled back" in project.read("reports/registration.json")
    again = project.run("make", "promote", f"VERSION={worse}", "WHY=no", ok=False, **store).stderr
    assert f"version {worse} was rolled back (worse, of course)" in again

    shown = project.run("stagebook", "models", **store).stdout
    assert max(map(len, shown.splitlines())) <= 120
    assert re.search(
        rf"^ +{before} +production +champion .* 0\.\d+ roc_auc +\w{{8}}\+? +\d+ kB +passed", shown, re.MULTILINE
    )
    assert re.search(rf"^ +{worse} +archived +challenger .* rolled back", shown, re.MULTILINE)
    log = shown.split("History")[1]
    assert re.search(rf"tester@example.com +promote +{worse} +it's \"fast\", saves \$5\n", log)
    assert re.search(rf"tester@example.com +rollback +{before} +worse, of course\n", log)


def check_served_rows(project: Project, name: str, **store: str) -> None:
    """The served champion says what the registered one says, for rows with gaps too."""
    assert ask(project, "rows.isna().any().any().item()", 20), "no row with a gap: choose other rows"
    said = predictions(project, name, rows=20, **store)
    answer = serve(project, name, rows=20, **store)
    assert [row["probability"] for row in answer] == pytest.approx([row["probability"] for row in said], abs=1e-6)
    assert [row["prediction"] for row in answer] == [row["prediction"] for row in said]
