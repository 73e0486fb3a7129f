"""Let a model learn from some rows and predict others, or say why it cannot be judged that way."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from ..model.kinds import Rows
from ..model.task import Task, split_columns
from .metrics import PRIMARY

__all__ = ["Learn", "try_out", "why_not"]

Learn = Callable[[Rows, Rows], Pipeline]  # `candidates.fit` of one model: rows to fit on, rows that say when to stop


def why_not(known: pd.Series, label: pd.Series, task: Task, min_rows: int) -> str | None:
    """Say why a model that learns from the labels `known` cannot be judged by the labels `label`, or return None."""
    for values, purpose in ((label, "judge by"), (known, "learn from")):
        if len(values) < min_rows:
            return f"{len(values)} rows to {purpose}, `min_rows` is {min_rows}"
    if lacking := [name for code, name in enumerate(task.classes) if not (known == code).any()]:
        return f"no row of class {lacking[0]!r} to learn from"
    if task.kind != "multiclass" and label.nunique() < 2:
        only = repr(task.classes[int(label.iloc[0])]) if task.classes else label.iloc[0]
        return f"{task.target!r} is {only} in all rows to judge by, so there is no {PRIMARY[task.kind][0]}"
    return None


def try_out(
    learn: Learn, known: pd.DataFrame, stop: pd.DataFrame, judge_by: pd.DataFrame, task: Task, min_rows: int
) -> np.ndarray | str:
    """Return what a model that learned from `known` says of `judge_by`, or why it cannot be judged.

    Parameters
    ----------
    learn : callable
        `learn(rows, rows)` returns a model that was fitted on the first and stopped by the second.
    known, stop, judge_by : DataFrame of shape (n_rows, n_columns)
        Parts of a processed table: to fit on, to say when to stop, to predict.
    min_rows : int
        Fewer in `known` or in `judge_by` tell nothing.

    Returns
    -------
    ndarray or str
        Shaped as `predict_onnx` does; or the reason, in a few words.
    """
    if reason := why_not(known[task.target], judge_by[task.target], task, min_rows):
        return reason
    try:
        parts = split_columns(known, task, "rows to learn from"), split_columns(stop, task, "rows to stop by")
        with warnings.catch_warnings(
            action="ignore"
        ):  # of settings made for more rows; the figures show what that costs
            return _predict(learn(*parts), judge_by, task)
    except ValueError as error:  # say, a column of text that is empty until then
        return str(error).splitlines()[0]


def _predict(model: Pipeline, table: pd.DataFrame, task: Task) -> np.ndarray:
    features = table[model.feature_names_in_]
    if task.kind == "regression":
        return model.predict(features)
    said = model.predict_proba(features)
    return said[:, 1] if task.kind == "binary" else said
