"""Where a model is weak: the loss of each segment of the rows against that of all rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...model.task import Task
from ...project.errors import DataError
from .bins import bin_column

__all__ = ["compare_segments", "measure_segments", "named_segments", "row_loss"]


def row_loss(task: Task, label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return what each row adds to the loss: log loss, or the squared error for regression.

    Parameters
    ----------
    label : ndarray of shape (n_rows,)
        0..k-1, or the value.
    prediction : ndarray of shape (n_rows,) or (n_rows, n_classes)
        As `predict_model` returns it.
    """
    label, prediction = np.asarray(label), np.asarray(prediction, dtype=float)
    if task.kind == "regression":
        return (label - prediction) ** 2
    if task.kind == "binary":
        prediction = np.column_stack([1 - prediction, prediction])
    true = prediction[np.arange(len(label)), label.astype(int)]
    return -np.log(true.clip(np.finfo(np.float32).eps, 1))  # as scikit-learn's log_loss for float32


def named_segments(frame: pd.DataFrame, loss: np.ndarray, columns: Sequence[str], min_rows: int) -> pd.DataFrame:
    """Return the segments along the named columns, worst first.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
    loss : ndarray of shape (n_rows,)
        As `row_loss` returns it, for any model: the segments depend on `frame` alone.
    columns : sequence of str
        Text: each of the most frequent values; numbers: quarters. See `bin_column`.
    min_rows : int
        Smaller segments are left out: the mean of a few rows is uncertain.

    Returns
    -------
    DataFrame
        `segment`, `rows`, `share` of all rows, `loss`, `ratio` to the loss of all rows, `error`: the standard error of
        `ratio`.

    Raises
    ------
    DataError
        A column is not in `frame`.
    """
    masks = {}
    for column in columns:
        if column not in frame:
            raise DataError(f"segment {column!r} is no column of the hold-out; it has {', '.join(frame)}.")
        groups = bin_column(frame[column])
        masks |= {f"{column} {group}": groups == group for group in sorted(set(groups))}
    return measure_segments(masks, np.asarray(loss), min_rows)


def measure_segments(masks: dict[str, np.ndarray], loss: np.ndarray, min_rows: int) -> pd.DataFrame:
    """Return the table that `named_segments` describes, for segments given as masks of shape (n_rows,)."""
    overall = loss.mean() if len(loss) else 0.0
    rows = []
    for segment, mask in masks.items():
        part = loss[mask]
        if len(part) < max(min_rows, 1):
            continue
        ratio, error = (part.mean() / overall, part.std() / len(part) ** 0.5 / overall) if overall else (1.0, 0.0)
        rows.append([segment, len(part), len(part) / len(loss), part.mean(), ratio, error])
    table = pd.DataFrame(rows, columns=["segment", "rows", "share", "loss", "ratio", "error"])
    return table.sort_values(["ratio", "segment"], ascending=[False, True], ignore_index=True)


def compare_segments(candidate: pd.DataFrame, champion: pd.DataFrame) -> tuple[str | None, float | None]:
    """Return the segment whose loss rises most from champion to candidate, and by what share: .1 is a tenth more.

    Both tables come from `named_segments` on the same rows. None, None if they have no segment in common.
    """
    both = candidate.merge(champion, on="segment", suffixes=("", "_champion"))
    if both.empty:
        return None, None
    before = both["loss_champion"].clip(lower=np.finfo(float).tiny)
    rise = (both["loss"] / before - 1).where(both["loss"] != both["loss_champion"], 0.0)
    return both["segment"][rise.idxmax()], float(f"{rise.max():.4g}")
