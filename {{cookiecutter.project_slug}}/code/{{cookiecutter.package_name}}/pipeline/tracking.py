"""One MLflow store for the project, whichever directory a notebook is run from."""

import logging
import os
import tomllib
from pathlib import Path

import mlflow
from filelock import FileLock

from .project import StepError, find_root, project_home, project_name

__all__ = ["connect_mlflow", "find_server", "store_lock"]

SERVER = Path("environments", "tracking.toml")


def connect_mlflow() -> str:
    """Point MLflow at the project's store and experiment; return the experiment's id.

    The store is that of `find_server`, else mlflow.db and mlruns/ at the project's root.
    """
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # it tells of each table that it makes
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # not in a report
    root = find_root()
    artifacts = None
    if server := find_server(root):
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # seven take four minutes
        mlflow.set_tracking_uri(server)
    else:
        home = project_home(root)
        mlflow.set_tracking_uri(f"sqlite:///{(home / 'mlflow.db').as_posix()}")
        artifacts = (home / "mlruns").as_uri()
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
