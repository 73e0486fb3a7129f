"""One MLflow store for the project, whichever directory a notebook is run from."""

import logging
import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import mlflow
from filelock import FileLock

from ..project.errors import StepError
from ..project.root import find_root, local_folder, project_home, project_name

__all__ = ["connect_mlflow", "find_server", "serve_ui", "store_lock"]

SERVER = Path("environments", "tracking.toml")


def connect_mlflow() -> str:
    """Point MLflow at the project's store and experiment; return the experiment's id.

    The store is that of `find_server`, else mlflow.db and mlruns/ in .local/.
    """
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # it tells of each table that it makes
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # not in a report
    root = find_root()
    artifacts = None
    if server := find_server(root):
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # seven take four minutes
        mlflow.set_tracking_uri(server)
    else:
        mlflow.set_tracking_uri(f"sqlite:///{(local_folder(root) / 'mlflow.db').as_posix()}")
        artifacts = (local_folder(root) / "mlruns").as_uri()
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or project_name(root)
    with store_lock(root):  # the first to come makes the database, and the experiment in it
        if mlflow.get_experiment_by_name(name) is None:
            mlflow.create_experiment(name, artifact_location=artifacts)
    return mlflow.set_experiment(name).experiment_id


def find_server(root: Path) -> str | None:
    """Return the store that `MLFLOW_TRACKING_URI` names, else `uri` in environments/tracking.toml; None if neither does."""
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return uri
    if not (root / SERVER).is_file():
        return None
    try:
        return tomllib.loads((root / SERVER).read_text(encoding="utf-8"))["uri"]
    except (KeyError, ValueError) as error:
        raise StepError(f'{SERVER} must have a line `uri = "http://..."`: {error!r}') from error


def store_lock(root: Path) -> FileLock:
    """Return a lock for what one step at a time may do in the MLflow store of the project."""
    folder = project_home(root) / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "mlflow.lock")


def serve_ui(root: Path, port: int) -> int:
    """Serve MLflow's page for the embedded store on 127.0.0.1 until Ctrl-C; StepError if the port is taken."""
    if server := find_server(root):
        raise StepError(f"The runs are on a server: {server}")
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise StepError(f"port {port} is taken; choose another: make ui PORT={port + 1}") from error
    print(f"Open http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning  (Ctrl-C ends it)", flush=True)
    store = f"sqlite:///{(local_folder(root) / 'mlflow.db').as_posix()}"
    options = ["--backend-store-uri", store, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    return subprocess.run([sys.executable, "-m", "mlflow", "ui", *options], check=False).returncode
