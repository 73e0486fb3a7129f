"""One MLflow store for the project, whichever directory a notebook is run from."""

import logging
import os
from pathlib import Path

import mlflow
from filelock import FileLock

from .project import find_root, project_home, project_name

__all__ = ["connect_mlflow", "store_lock"]


def connect_mlflow() -> str:
    """Point MLflow at the project's store and experiment; return the experiment's id.

    The store is `MLFLOW_TRACKING_URI` if that is set, else mlflow.db and mlruns/ at the project's root.
    """
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # it tells of each table that it makes
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # not in a report
    root = find_root()
    artifacts = None
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        home = project_home(root)
        mlflow.set_tracking_uri(f"sqlite:///{(home / 'mlflow.db').as_posix()}")
        artifacts = (home / "mlruns").as_uri()
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or project_name(root)
    with store_lock(root):  # the first to come makes the database, and the experiment in it
        if mlflow.get_experiment_by_name(name) is None:
            mlflow.create_experiment(name, artifact_location=artifacts)
    return mlflow.set_experiment(name).experiment_id


def store_lock(root: Path) -> FileLock:
    """Return a lock for what one step at a time may do in the MLflow store of the project."""
    folder = project_home(root) / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "mlflow.lock")
