"""Baseline statistics of a table: what later rows are compared with."""

import math

import numpy as np
import pandas as pd

from .correlation import NUMBERS, as_numbers, describe_correlations, name_class

__all__ = ["count_classes", "describe_baseline", "share_per_bin", "take_batch", "take_known"]

BINS = 10  # of equally many rows each, as is usual for the PSI
FEW_VALUES = 20  # a column of numbers with no more than these has one bin for each
MAX_CLASSES = 100  # the most frequent ones, the rest is counted together
FAR = 0.001  # beyond these quantiles by half the distance between them, a number is far outside


def describe_baseline(
    frame: pd.DataFrame, kinds: dict[str, str], target: str | None = None, time: str | None = None
) -> dict:
    """Return the statistics that `find_skew` compares later rows with; they can be written as JSON.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
    kinds : dict
        Column to "number", "integer", "boolean", "category", "text" or "date". Other columns are left out.
    target : str, optional
        Column whose correlation with each other one is kept.
    time : str, optional
        Column that orders the rows in time. Its largest value is kept as `until`; a number that only follows it (an id
        that counts up, a month) has no bins and limits, for its next values are no skew.

    Returns
    -------
    dict
        `rows`, `until`, `columns` (share missing, then what fits the kind) and `correlations` (of ranks, so that a few
        wild values do not matter; a category takes part as 0/1 for each of its frequent classes). Numbers that are not
        finite count as missing; mean and sd are those of the numbers cut at `low` and `high`, the limits of what is far
        outside. Means and shares have six digits; quantiles are values of the column, exactly.
    """
    columns = {name: describe_column(frame[name], kind) for name, kind in kinds.items()}
    correlations, followers = describe_correlations(frame, columns, target, time)
    for name in followers:
        columns[name] = {key: columns[name][key] for key in ("kind", "known", "missing")} | {"follows": time}
    until = {} if time is None or frame[time].isna().all() else {"until": _plain(frame[time].dropna().max())}
    return {"rows": len(frame)} | until | {"columns": columns, "correlations": correlations}


def take_batch(frame: pd.DataFrame, baseline: dict, time: str | None = None) -> pd.DataFrame:
    """Return the rows that came after the baseline; all rows if there is no time or none came."""
    if time is None or "until" not in baseline:
        return frame
    moments, until = frame[time], baseline["until"]
    if pd.api.types.is_datetime64_any_dtype(moments):
        newer = pd.to_datetime(moments, utc=True) > pd.to_datetime(until, utc=True)
    elif pd.api.types.is_numeric_dtype(moments):
        newer = moments > until
    else:
        newer = moments.notna() & (moments.astype(str) > until)
    return frame[newer] if newer.any() else frame


def describe_column(values: pd.Series, kind: str) -> dict:
    """Return share missing and what fits the kind; nothing more if no value is known."""
    known = take_known(values, kind)
    described = {"kind": kind, "known": len(known), "missing": _round(1 - len(known) / max(len(values), 1))}
    if not len(known):
        return described
    if kind in NUMBERS:
        return described | describe_numbers(known)
    if kind in ("category", "boolean"):
        return described | describe_classes(count_classes(known))
    if kind == "date":
        return described | {"min": str(known.min()), "max": str(known.max())}
    length = known.astype(str).str.len()
    lengths = {"mean": _round(length.mean()), "sd": _round(length.std(ddof=0))}
    return described | {"distinct": _round(known.nunique() / len(known))} | lengths


def take_known(values: pd.Series, kind: str) -> np.ndarray | pd.Series:
    """Return the values that are not missing, numbers as floats."""
    if kind not in NUMBERS:
        return values.dropna()
    numbers = as_numbers(values)
    return numbers[~np.isnan(numbers)]


def describe_numbers(numbers: np.ndarray) -> dict:
    """Return moments, quantiles, bins for the PSI, and the limits beyond which a number is far outside."""
    ordered = np.sort(numbers)
    pick = lambda share: ordered[min(int(share * len(ordered)), len(ordered) - 1)]
    values = ordered[np.append(True, np.diff(ordered) > 0)]
    edges = values if len(values) <= FEW_VALUES else np.unique([pick(i / BINS) for i in range(1, BINS)])
    with np.errstate(over="ignore", invalid="ignore"):
        margin = pick(1 - FAR) / 2 - pick(FAR) / 2
        low, high = np.nan_to_num([pick(FAR) - margin, pick(1 - FAR) + margin])
        near = numbers.clip(low, high)
        described = {"mean": _round(near.mean()), "sd": _round(near.std())}
    for name, share in {"min": 0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1}.items():
        described[name] = float(pick(share))
    described |= {"low": float(low), "high": float(high), "far": _round(((numbers < low) | (numbers > high)).mean())}
    shares = [_round(share) for share in share_per_bin(numbers, edges)]
    return described | {"edges": [float(edge) for edge in edges], "shares": shares}


def describe_classes(counts: pd.Series) -> dict:
    """Return the share of each frequent class, of the others together, and of those seen only once."""
    frequent, total = counts.head(MAX_CLASSES), counts.sum()
    return {
        "shares": {name: _round(count / total) for name, count in frequent.items()},
        "other": _round(1 - frequent.sum() / total),
        "once": _round(frequent.eq(1).sum() / total),
    }


def count_classes(values: pd.Series) -> pd.Series:
    """Return the rows of each class, the most frequent first; 2 and 2.0 are the same class."""
    counts = values.value_counts()
    counts.index = [name_class(value) for value in counts.index]
    counts = counts[counts > 0].groupby(level=0).sum()
    return counts.sort_values(ascending=False, kind="stable")


def share_per_bin(numbers: np.ndarray, edges: list[float] | np.ndarray) -> np.ndarray:
    """Return the share of numbers up to the first edge, between two edges (the upper one included), above the last."""
    return np.bincount(np.searchsorted(edges, numbers), minlength=len(edges) + 1) / len(numbers)


def _plain(moment) -> str | float:
    return moment.item() if isinstance(moment, np.number) else str(moment)


def _round(value: float) -> float | None:
    """Return six significant digits, enough to compare with; None if the number is beyond what JSON can hold."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
