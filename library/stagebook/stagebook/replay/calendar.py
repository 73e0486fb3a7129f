"""The calendar of a replay: the windows that are replayed one after the other, and when each true value arrives."""

import itertools
from math import ceil

import numpy as np
import pandas as pd

from ..model.task import Task
from ..monitor.observed import Window
from ..project.errors import DataError

__all__ = ["arrival_times", "cut_windows", "rows_of"]

FEWEST_MONTHS = 6  # with fewer calendar months, windows of equal length are replayed
MOST_PARTS, FEWEST_PARTS, ROWS_PER_PART = 12, 4, 50


def cut_windows(table: pd.DataFrame, task: Task, first_share: float = 0.25) -> tuple[Window, list[Window]]:
    """Return the window that the first model learns from, and those that are replayed.

    The windows are calendar months, or parts of equal length if the table has fewer than six months.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        Processed rows, the oldest first.
    first_share : float
        Share of the windows that the first model learns from.

    Raises
    ------
    DataError
        The rows have no time, or are too few to be cut.
    """
    if not task.time or not pd.api.types.is_datetime64_any_dtype(table[task.time]):
        raise DataError(
            "a replay needs rows with a time: `schema.time_column` in params.yaml names the column with a date of own data."
        )
    times = pd.to_datetime(table[task.time], utc=True)
    edges = _month_edges(times) or _equal_edges(times)
    windows = [Window(_name(since, until), since, until) for since, until in itertools.pairwise(edges)]
    first = min(max(1, ceil(first_share * len(windows))), len(windows) - 1)
    begin, end = windows[0].since, windows[first - 1].until
    return Window(_name(begin, end), begin, end), windows[first:]


def _month_edges(times: pd.Series) -> list[pd.Timestamp] | None:
    first, last = (time.normalize().replace(day=1) for time in (times.min(), times.max()))
    edges = list(pd.date_range(first, last + pd.offsets.MonthBegin(1), freq="MS"))
    return edges if len(edges) > FEWEST_MONTHS else None


def _equal_edges(times: pd.Series) -> list[pd.Timestamp]:
    parts = min(MOST_PARTS, len(times) // ROWS_PER_PART)
    begin, end = times.min(), times.max() + pd.Timedelta(1, "s")
    if parts < FEWEST_PARTS or end - begin < pd.Timedelta(parts, "s"):
        raise DataError(
            f"a replay needs at least {FEWEST_PARTS * ROWS_PER_PART} rows at different times; there are {len(times)}, "
            f"from {times.min()} to {times.max()}."
        )
    return [begin + (end - begin) * part / parts for part in range(parts)] + [end]


def _name(since: pd.Timestamp, until: pd.Timestamp) -> str:
    """Return 2013-04 for a month, else first and last day."""
    if since.day == until.day == 1 and since + pd.offsets.MonthBegin(1) == until:
        return f"{since:%Y-%m}"
    exact = "%Y-%m-%d" if until - since >= pd.Timedelta(3, "D") else "%Y-%m-%d %H:%M:%S"
    return f"{since:{exact}} to {until - pd.Timedelta(1, 's'):{exact}}"


def rows_of(table: pd.DataFrame, task: Task, window: Window) -> np.ndarray:
    """Return the positions of the rows in a window."""
    times = pd.to_datetime(table[task.time], utc=True)
    return np.flatnonzero((times >= window.since) & (times < window.until))


def arrival_times(
    table: pd.DataFrame, task: Task, windows: list[Window], *, days: float, missing: float, seed: int
) -> pd.Series:
    """Return when the true value of each row arrives, UTC: `days` after it on average, NaT for those that never do.

    The delay has an exponential distribution: most arrive early, some late. True values come in batches, about thirty in a
    window: for months, one a day.
    """
    random = np.random.default_rng(seed)
    delay = pd.to_timedelta(np.round(random.exponential(days * 86_400, len(table))), unit="s")
    arrives = pd.to_datetime(table[task.time], utc=True).reset_index(drop=True) + delay
    length = windows[0].until - windows[0].since
    step = pd.Timedelta(1, "D") if length >= pd.Timedelta(20, "D") else (length / 30).ceil("s")
    return arrives.dt.ceil(step).mask(random.random(len(table)) < missing)
