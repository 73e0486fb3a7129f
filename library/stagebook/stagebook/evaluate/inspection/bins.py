"""Sort the values of any column into a few groups with readable names: what segments and fairness look along."""

from itertools import pairwise

import numpy as np
import pandas as pd

__all__ = ["bin_column", "most_telling", "spread_rows"]

MOST_VALUES = 12  # groups that one can still read, and that still have rows


def bin_column(values: pd.Series) -> np.ndarray:
    """Return the group of each row, in words that follow the column's name: `= JFK`, `from 533 to 937`, `is missing`.

    Numbers and dates become quarters of the rows. Text, and numbers with up to 12 different values, become one group
    per value: the 12 most frequent ones, and `is another` for the rest.
    """
    groups = np.full(len(values), "is missing", dtype=object)
    known = values.notna().to_numpy()
    there = values[known]
    truth = pd.api.types.is_bool_dtype(there)
    ordered = not truth and (pd.api.types.is_numeric_dtype(there) or pd.api.types.is_datetime64_any_dtype(there))
    groups[known] = _quarters(there) if ordered and there.nunique() > MOST_VALUES else _each_value(there)
    return groups


def _quarters(values: pd.Series) -> np.ndarray:
    """Return `up to 533`, `from 533 to 937`, ...; where one value fills quarters, fewer groups: `= 0`, `above 0`."""
    edges = values.quantile([0.25, 0.5, 0.75], interpolation="lower").unique()
    below = edges[-1] == values.max()  # the largest value fills the last quarter: then it is a group of its own
    names = _short(edges)
    first = f"below {names[0]}" if below else f"up to {names[0]}"
    last = f"= {names[-1]}" if below else f"above {names[-1]}"
    if not below and edges[0] == values.min():
        first = f"= {names[0]}"
    labels = [first, *(f"from {low} to {high}" for low, high in pairwise(names)), last]
    return np.array(labels, dtype=object)[np.searchsorted(edges, values.to_numpy(), side="right" if below else "left")]


def _short(edges: np.ndarray) -> list[str]:
    """Return the values as short as they can be and still differ."""
    if np.issubdtype(edges.dtype, np.datetime64):
        return [str(edge)[:16].replace("T", " ").removesuffix(" 00:00") for edge in edges]
    for digits in (3, 6, 9):
        names = [_show_edge(edge, digits) for edge in edges]
        if len(set(names)) == len(names):
            return names
    return [repr(float(edge)) for edge in edges]


def _show_edge(edge: float, digits: int) -> str:
    """Return a number with `digits` digits, all of a whole one; four have no comma: 1987 may be a year."""
    if digits > 3 or abs(edge) < 1000:
        return f"{edge:.{digits}g}"
    return f"{edge:,.0f}" if abs(edge) >= 10_000 else f"{edge:.0f}"


def _each_value(values: pd.Series) -> np.ndarray:
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    names = values.map(lambda value: f"{value:.6g}" if numeric else str(value)).astype(object)
    counts = names.value_counts().sort_index().sort_values(ascending=False, kind="stable")  # no order by chance
    words = {name: f"= {name}" if name else "is empty" for name in counts.index[:MOST_VALUES]}
    return names.map(words).fillna("is another").to_numpy(dtype=object)


def spread_rows(rows: int, most: int) -> np.ndarray:
    """Return the positions of at most so many rows, spread evenly from first to last."""
    return np.linspace(0, max(rows - 1, 0), min(rows, most)).astype(int)


def most_telling(frame: pd.DataFrame, values: np.ndarray, most: int) -> list[str]:
    """Return the columns, at most so many, along whose groups the mean of `values` differs most; in the frame's order.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        Wide tables are cut here: each further column costs predictions, and pairs of columns cost its square.
    values : ndarray of shape (n_rows,) or (n_rows, n_values)
        Losses or predictions.
    """
    if frame.shape[1] <= most:
        return list(frame)
    some = spread_rows(len(frame), 5_000)
    values = np.asarray(values, dtype=float).reshape(len(frame), -1)[some]
    told = {name: _explained(bin_column(column.iloc[some]), values) for name, column in frame.items()}
    kept = set(sorted(told, key=told.get, reverse=True)[:most])
    return [name for name in frame if name in kept]


def _explained(groups: np.ndarray, values: np.ndarray) -> float:
    """Return the variance between the groups, in squares of `values`, without what chance gives to so many groups."""
    codes, names = pd.factorize(groups)
    counts = np.bincount(codes)
    sums = np.stack([np.bincount(codes, weights=column) for column in values.T])
    between = (sums**2 / counts).sum() - (values.sum(axis=0) ** 2).sum() / len(values)
    return float(between - values.var(axis=0).sum() * (len(names) - 1))
