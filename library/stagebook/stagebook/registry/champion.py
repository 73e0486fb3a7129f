"""The champion beside the candidate: its package, and both on the same hold-out."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from ..evaluate.inspection.segments import compare_segments, named_segments, row_loss
from ..evaluate.metrics import PRIMARY, score
from ..model.package import predict_model
from ..model.task import Task

__all__ = ["compare_with_champion", "fetch_package"]


def fetch_package(model_name: str, number: int | None, holdout: pd.DataFrame, task: Task) -> Path | None:
    """Return the folder of a version's package; None if it needs other columns or had another task."""
    if number is None:
        return None
    address = f"models:/{model_name}/{number}"
    signature = mlflow.models.get_model_info(address).signature
    needed, outputs = signature.inputs.input_names(), signature.outputs.input_names()
    classes = [f"probability_{name}" for name in task.classes]
    columns = {"binary": ["probability"], "multiclass": classes, "regression": ["prediction"]}[task.kind]
    if not set(needed) <= set(holdout.columns) or outputs[: len(columns)] != columns:
        return None
    return Path(mlflow.artifacts.download_artifacts(address)) / "artifacts"


def compare_with_champion(
    champion: Path | None, candidate: np.ndarray, holdout: pd.DataFrame, task: Task, segments: list[str], named: list
) -> tuple[float | None, float | None]:
    """Return the champion's deciding metric, and the largest rise of a named segment's loss from champion to candidate.

    Parameters
    ----------
    champion : Path or None
        Folder of its package; None if it cannot be scored on this hold-out. Then both results are None.
    candidate : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Predictions of the candidate.
    segments : list of str
        Names of the segments that are large enough to be compared.
    named : list of str
        `segments` of docs/requirements.yaml: the columns that they are in.
    """
    if champion is None:
        return None, None
    label, prediction = holdout[task.target].to_numpy(), predict_model(champion, holdout, task)
    losses = [row_loss(task, label, one) for one in (candidate, prediction)]
    tables = [named_segments(holdout, loss, named, min_rows=1) for loss in losses]
    _, rise = compare_segments(*(table[table["segment"].isin(segments)] for table in tables))
    return score(task, label, prediction).get(PRIMARY[task.kind][0]), rise
