"""The champion beside the candidate: its package, and both on the same hold-out."""

from pathlib import Path

import mlflow
import pandas as pd

from ..evaluate.metrics import PRIMARY, score
from ..evaluate.segments import compare_segments, named_segments, row_loss
from ..model.package import load_model
from ..model.task import Task

__all__ = ["compare", "fetch_package"]


def fetch_package(model_name: str, number: int, holdout: pd.DataFrame, task: Task) -> Path | None:
    """Return the folder of a version's package; None if it needs other columns or had another task."""
    address = f"models:/{model_name}/{number}"
    signature = mlflow.models.get_model_info(address).signature
    needed, says = signature.inputs.input_names(), signature.outputs.input_names()
    classes = [f"probability_{name}" for name in task.classes]
    columns = {"binary": ["probability"], "multiclass": classes, "regression": ["prediction"]}[task.kind]
    if not set(needed) <= set(holdout.columns) or says[: len(columns)] != columns:
        return None
    return Path(mlflow.artifacts.download_artifacts(address)) / "artifacts"


def compare(
    champion: Path | None, candidate: Path, holdout: pd.DataFrame, task: Task, segments: list[dict], named: list
):
    """Return the champion's figure that decides, and the largest rise of a named segment's loss against it.

    Parameters
    ----------
    champion, candidate : Path
        Folders of packages; None if the champion cannot be scored on this hold-out. Then both results are None.
    segments : list of dict
        The named ones of reports/inspection.json, which are large enough to be compared.
    named : list of str
        `segments` of docs/requirements.yaml.
    """
    if champion is None:
        return None, None
    label = holdout[task.target].to_numpy()
    says = [load_model(folder, task)(holdout) for folder in (candidate, champion)]
    known = {segment["segment"] for segment in segments}
    tables = [named_segments(holdout, row_loss(task, label, said), named, min_rows=1) for said in says]
    _, rise = compare_segments(*(table[table["segment"].isin(known)] for table in tables))
    return score(task, label, says[1]).get(PRIMARY[task.kind][0]), rise
