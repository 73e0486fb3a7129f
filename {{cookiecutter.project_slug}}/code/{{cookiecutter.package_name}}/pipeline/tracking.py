"""One MLflow store for the project, whichever directory a notebook is run from."""

import logging
import os
from pathlib import Path

import mlflow

from .project import find_root, project_name

__all__ = ["connect_mlflow"]


def connect_mlflow() -> str:
    """Point MLflow at the project's store and experiment; return the experiment's id.

    The store is `MLFLOW_TRACKING_URI` if that is set, else mlflow.db and mlruns/ at the project's root.
    """
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # it tells of each table that it makes
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # not in a report
    root = find_root()
    artifacts = None
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        home = _home(root)
        mlflow.set_tracking_uri(f"sqlite:///{(home / 'mlflow.db').as_posix()}")
        artifacts = (home / "mlruns").as_uri()
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or project_name(root)
    if mlflow.get_experiment_by_name(name) is None:
        mlflow.create_experiment(name, artifact_location=artifacts)
    return mlflow.set_experiment(name).experiment_id


def _home(root: Path) -> Path:
    """Return the project that owns `root`: `dvc exp run --temp` works in a copy below .dvc/tmp, thrown away later."""
    for folder in root.parents:
        if folder.name == ".dvc":
            return folder.parent
    return root
