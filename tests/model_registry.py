"""What tests ask the model registry of a generated project, and the server that MLflow makes of a model."""

import json
import os
import signal
import urllib.request

from conftest import Project, free_port, wait_for

HEADER = (
    "import json, mlflow, pandas as pd; from {package}.pipeline.tracking import connect_mlflow; connect_mlflow();"
    "client = mlflow.MlflowClient(); rows = pd.read_parquet('data/processed/holdout.parquet').head({rows})"
)
LOAD = (
    "model = mlflow.pyfunc.load_model('models:/{name}@{alias}');"
    "rows = rows[model.metadata.get_input_schema().input_names()];"
)


def package_name(project: Project) -> str:
    """The name of the project's package."""
    [package] = (project.path / "code").glob("*/__init__.py")
    return package.parent.name


def ask(project: Project, code: str, rows: int = 100, **env: str):
    """Return what Python code makes, as JSON has it; it may use MLflow's `client`, and `rows` of the hold-out."""
    header = HEADER.format(package=package_name(project), rows=rows)
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
    uri = {"MLFLOW_TRACKING_URI": f"sqlite:///{project.path}/mlflow.db"} | env
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
