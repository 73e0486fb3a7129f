"""What is to be predicted: `data/interim/task.json`, and how a processed table is read by it."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..project.errors import DataError

__all__ = ["KINDS", "Task", "read_task", "split_columns"]

KINDS = ("binary", "multiclass", "regression")


@dataclass(frozen=True)
class Task:
    """What a model predicts.

    Attributes
    ----------
    kind : str
        binary, multiclass or regression.
    target : str
        Column of the processed tables that holds the label: 0..k-1, or the value to predict.
    classes : list of str
        Names of the classes, in the order of their numbers; empty for regression.
    keys : list of str
        Columns of the processed tables that are not features.
    time, group : str or None
        The key by whose time, or group, the data was split.
    """

    kind: str
    target: str
    classes: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    time: str | None = None
    group: str | None = None


def read_task(path: str | Path) -> Task:
    """Read the task that 30_clean wrote; raise DataError if it is missing or makes no sense."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is missing. `dvc repro` makes it, `dvc pull` brings it from the remote.")
    values = json.loads(path.read_text(encoding="utf-8"))
    task = Task(values.pop("task"), **values)
    if task.kind not in KINDS:
        raise DataError(f"{path}: task is {task.kind!r}; it must be one of {', '.join(KINDS)}.")
    many_enough = {"binary": len(task.classes) == 2, "multiclass": len(task.classes) > 2, "regression": True}
    if not many_enough[task.kind]:
        raise DataError(f"{path}: a {task.kind} task cannot have the {len(task.classes)} classes {task.classes}.")
    return task


def split_columns(table: pd.DataFrame, task: Task, where: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return features and label of a processed table.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
    task : Task
    where : str
        The table's file, for errors.

    Raises
    ------
    DataError
        There are no rows or no features, a column is missing, or a value is none that a model can take.
    """
    if missing := [name for name in [task.target, *task.keys] if name not in table]:
        raise DataError(f"{where}: column {missing[0]!r} of data/interim/task.json is missing.")
    label, features = table[task.target], table.drop(columns=[task.target, *task.keys])
    if table.empty or features.empty:
        what = "rows" if table.empty else "features: only label and keys"
        raise DataError(f"{where} has no {what}.")
    known = np.isfinite(label) if task.kind == "regression" else label.isin(range(len(task.classes)))
    if not known.all():
        may = "a number" if task.kind == "regression" else f"one of 0 to {len(task.classes) - 1}"
        raise DataError(f"{where}: label {task.target!r} is {label[~known].iloc[0]} in some row; it must be {may}.")
    for name, values in features.items():
        if problem := _feature_problem(values):
            raise DataError(f"{where}: feature {name!r} {problem}")
    return features, label


def _feature_problem(values: pd.Series) -> str | None:
    """Say why a model cannot take the column, or return None."""
    if pd.api.types.is_numeric_dtype(values):
        return "has an infinite value; make it missing in 40_features." if np.isinf(values).any() else None
    if not pd.api.types.is_string_dtype(values):
        return f"is {values.dtype}; 40_features must make it float32 or text."
    return "has missing text; 40_features must write it as ''." if values.isna().any() else None
