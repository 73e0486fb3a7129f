"""Fit a model on some rows and predict others, or return the reason why that is not possible."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from ...model.kinds import Rows
from ...model.task import Task, split_columns
from ..metrics import PRIMARY

__all__ = ["Learn", "try_out", "why_not"]

Learn = Callable[[Rows, Rows], Pipeline]  # `candidates.fit` of one model: rows to fit on, rows that tell when to stop


def why_not(known: pd.Series, label: pd.Series, task: Task, min_rows: int) -> str | None:
    """Return why a model fitted on the labels `known` cannot be evaluated on the labels `label`, or None."""
    for values, purpose in ((label, "evaluate on"), (known, "fit on")):
        if len(values) < min_rows:
            return f"{len(values)} rows to {purpose}, `min_rows` is {min_rows}"
    if lacking := [name for code, name in enumerate(task.classes) if not (known == code).any()]:
        return f"no row of class {lacking[0]!r} to learn from"
    if task.kind != "multiclass" and label.nunique() < 2:
        only = repr(task.classes[int(label.iloc[0])]) if task.classes else label.iloc[0]
        return f"{task.target!r} is {only} in all rows to evaluate on, so there is no {PRIMARY[task.kind][0]}"
    return None


def try_out(
    learn: Learn, known: pd.DataFrame, stop: pd.DataFrame, evaluate_on: pd.DataFrame, task: Task, min_rows: int
) -> np.ndarray | str:
    """Return the predictions for `evaluate_on` of a model fitted on `known`, or why there are none.

    Parameters
    ----------
    learn : callable
        `learn(rows, rows)` returns a model that was fitted on the first and stopped by the second.
    known, stop, evaluate_on : DataFrame of shape (n_rows, n_columns)
        Parts of a processed table: to fit on, to tell when to stop, to predict.
    min_rows : int
        Fewer in `known` or in `evaluate_on` tell nothing.

    Returns
    -------
    ndarray or str
        Shaped as `predict_onnx` does; or the reason, in a few words.
    """
    if reason := why_not(known[task.target], evaluate_on[task.target], task, min_rows):
        return reason
    try:
        parts = split_columns(known, task, "rows to learn from"), split_columns(stop, task, "rows to stop by")
        with warnings.catch_warnings(
            action="ignore"
        ):  # of settings made for more rows; the metrics show what that costs
            return _predict(learn(*parts), evaluate_on, task)
    except ValueError as error:  # such as a column of text that is empty until then
        return str(error).splitlines()[0]


def _predict(model: Pipeline, table: pd.DataFrame, task: Task) -> np.ndarray:
    features = table[model.feature_names_in_]
    if task.kind == "regression":
        return model.predict(features)
    probabilities = model.predict_proba(features)
    return probabilities[:, 1] if task.kind == "binary" else probabilities
