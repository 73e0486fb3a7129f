"""What a model relies on: the loss it gains when a column is shuffled, and how its predictions follow a column."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ...data.tables import set_columns
from ...model.task import Task
from .bins import spread_rows
from .segments import row_loss

__all__ = ["measure_importance", "partial_dependence"]

MOST_AT_ONCE = 20_000_000  # cells per call of predict: with 2,000 columns, each call takes a second even with few rows
MOST_CELLS = 1_000_000  # of a table with 2,000 columns, 500 rows: predictions for each of 60 columns


def measure_importance(
    task: Task,
    frame: pd.DataFrame,
    label: np.ndarray,
    predict: Callable[[pd.DataFrame], np.ndarray],
    columns: Sequence[str],
    *,
    rows: int = 3_000,
    repeats: int = 3,
    seed: int = 0,
) -> pd.DataFrame:
    """Return by what share the loss rises when a column is shuffled, highest first.

    As `sklearn.inspection.permutation_importance`, which would need an estimator and shuffles every column there is.
    Many shuffled tables are one call of `predict`, since some models take longer to load than to predict.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
    label : ndarray of shape (n_rows,)
    predict : callable
        From such a frame to predictions, as of `predict_model`.
    columns : sequence of str
        The columns to shuffle, one at a time.
    rows : int
        No more than so many rows are used, spread evenly; of wide tables fewer.

    Returns
    -------
    DataFrame with index `feature`
        `rise`: .1 is a tenth more loss; `spread`: standard deviation of it over the shuffles.
    """
    some = _some_rows(frame, rows)
    frame, label = frame.iloc[some].reset_index(drop=True), np.asarray(label)[some]
    random = np.random.default_rng(seed)
    orders = np.concatenate([random.permutation(len(frame)) for _ in range(repeats)])
    before = row_loss(task, label, predict(frame)).mean()
    copies, labels, losses = pd.concat([frame] * repeats, ignore_index=True), np.tile(label, repeats), []
    at_once = max(MOST_AT_ONCE // copies.size, 1)
    for start in range(0, len(columns), at_once):
        shuffled = [_shuffle(copies, name, orders) for name in columns[start : start + at_once]]
        predicted = predict(pd.concat(shuffled, ignore_index=True))
        losses.append(row_loss(task, np.tile(labels, len(shuffled)), predicted).reshape(len(shuffled), repeats, -1))
    rises = (np.concatenate(losses).mean(axis=2) - before) / (before or 1.0)
    table = pd.DataFrame({"rise": rises.mean(axis=1), "spread": rises.std(axis=1)}, index=list(columns))
    return table.rename_axis("feature").sort_values("rise", ascending=False, kind="stable")


def partial_dependence(
    frame: pd.DataFrame,
    predict: Callable[[pd.DataFrame], np.ndarray],
    column: str,
    *,
    rows: int = 1_000,
    points: int = 20,
) -> pd.DataFrame:
    """Return the mean prediction when all rows are given one value of the column, for one value after the other.

    Parameters
    ----------
    rows : int
        No more than so many rows are used, spread evenly.
    points : int
        At how many values: of numbers, quantiles from 5 % to 95 %, for beyond there are hardly any rows; of texts, the
        half as many most frequent ones.

    Returns
    -------
    DataFrame of shape (n_values, n_outputs) with index `value`
    """
    grid = _grid(frame[column].dropna(), points)
    some = frame.iloc[_some_rows(frame, rows)]
    copies = pd.concat([some] * len(grid), ignore_index=True)
    given = pd.Series(np.repeat(grid, len(some))).astype(frame[column].dtype)
    predicted = np.asarray(predict(set_columns(copies, {column: given})), dtype=float).reshape(len(grid), len(some), -1)
    return pd.DataFrame(predicted.mean(axis=1), index=pd.Index(grid, name="value"))


def _shuffle(frame: pd.DataFrame, name: str, orders: np.ndarray) -> pd.DataFrame:
    """Return `frame`, which is several copies of one table, with a column shuffled within each copy."""
    base = frame[name].iloc[orders].set_axis(frame.index)
    return set_columns(frame, {name: base})


def _some_rows(frame: pd.DataFrame, rows: int) -> np.ndarray:
    return spread_rows(len(frame), min(rows, max(MOST_CELLS // frame.shape[1], 100)))


def _grid(values: pd.Series, points: int) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(values):
        counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")  # no order by chance
        return counts.index[: points // 2].to_numpy()
    different = np.unique(values)
    if len(different) <= points:
        return different
    shares = np.linspace(0.05, 0.95, points)
    grid = np.unique(np.quantile(values, shares, method="nearest"))
    # Nearly all rows have one value, such as no rain: look at the others as well.
    return grid if len(grid) > points // 2 else np.unique(np.quantile(different, shares, method="nearest"))
