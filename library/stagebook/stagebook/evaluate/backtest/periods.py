"""Cut rows into periods, each to be predicted from what was known before it; without a time, into folds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from ...model.task import Task

__all__ = ["Period", "cut_periods", "order_rows", "split_past"]

FOLDS = 5  # if neither time nor group tells how rows belong together


@dataclass(frozen=True)
class Period:
    """Rows to evaluate on, and those that a model may be fitted on.

    Attributes
    ----------
    name : str
        What a reader calls it: a month, from and to, or the number of a fold.
    past, rows : ndarray of int
        Positions of the rows to fit on, and of those to evaluate on.
    first, last : str or None
        The time of its first and last row.
    """

    name: str
    past: np.ndarray
    rows: np.ndarray
    first: str | None = None
    last: str | None = None

    def describe(self) -> dict[str, str]:
        """Return how reports name it."""
        when = {"fold": self.name.split()[-1]} if self.first is None else {"from": self.first, "to": self.last}
        return {"name": self.name, **when}


def order_rows(tables: list[pd.DataFrame], task: Task) -> pd.DataFrame:
    """Return the rows of all tables in one, the oldest first if the task has a time."""
    table = pd.concat(tables, ignore_index=True)
    return table.sort_values(task.time, kind="stable", ignore_index=True) if task.time else table


def split_past(past: pd.DataFrame, task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows to fit on and those that tell when to stop: the newest or, without a time, every tenth."""
    position = np.arange(len(past))
    stop = position >= 0.9 * len(past) if task.time else position % 10 == 9
    return past[~stop], past[stop]


def cut_periods(table: pd.DataFrame, task: Task, most: int, min_rows: int, seed: int) -> list[Period]:
    """Return at most `most` periods to evaluate, oldest first; nothing if there are too few rows to cut.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        A processed table as `order_rows` returns it.
    task : Task
        With a time, the newest calendar months are evaluated if there are three or more with enough rows, else periods of
        about as many rows each. With a group, all rows of a group are in one fold. Else rows are dealt out by chance.
    min_rows : int
        Fewer are not worth evaluating.
    """
    if task.time:
        return list(_by_time(table[task.time], most, min_rows))
    return list(_by_fold(table, task, most, min_rows, seed))


def _by_time(time: pd.Series, most: int, min_rows: int) -> Iterator[Period]:
    month = _months(time, min_rows)
    period = _equal_parts(time, most, min_rows) if month is None else month
    for number in np.unique(period)[1:][-most:]:
        rows = np.flatnonzero(period == number)
        first, last = (_say(value) for value in (time.iloc[rows].min(), time.iloc[rows].max()))
        name = f"{first} to {last}" if month is None else f"{time.iloc[rows[0]]:%B %Y}"
        yield Period(name, np.flatnonzero(period < number), rows, first, last)


def _months(time: pd.Series, min_rows: int) -> np.ndarray | None:
    """Return the number of the calendar month of each row; None if there are too few months, or rows in most of them."""
    if not pd.api.types.is_datetime64_any_dtype(time):
        return None
    month = (time.dt.year * 12 + time.dt.month).to_numpy()
    rows = np.unique(month, return_counts=True)[1]
    return month if len(rows) >= 3 and np.median(rows) >= min_rows else None


def _equal_parts(time: pd.Series, most: int, min_rows: int) -> np.ndarray:
    """Return the number of the period of each row: as many rows in each as rows of one time, that stay together, allow."""
    parts = min(most + 1, max(2, len(time) // min_rows))
    return np.ceil(time.rank(method="max", pct=True) * parts).to_numpy()


def _say(time) -> str:
    return str(time).removesuffix(" 00:00:00")


def _by_fold(table: pd.DataFrame, task: Task, most: int, min_rows: int, seed: int) -> Iterator[Period]:
    groups = table[task.group].nunique() if task.group else 0
    folds = min(most, groups if groups > 1 else FOLDS, len(table) // min_rows)
    if folds < 2:
        return
    if groups > 1:
        found = GroupKFold(folds).split(table, groups=table[task.group])
        yield from (Period(f"groups {number}", *rows) for number, rows in enumerate(found, 1))
        return
    splitter = _dealer(table[task.target], task, folds)(folds, shuffle=True, random_state=seed)
    for number, rows in enumerate(splitter.split(table, table[task.target]), 1):
        yield Period(f"fold {number}", *rows)


def _dealer(label: pd.Series, task: Task, folds: int) -> type:
    """Return how rows are dealt out: each class evenly, where each has a row for each fold."""
    return KFold if task.kind == "regression" or label.value_counts().min() < folds else StratifiedKFold
