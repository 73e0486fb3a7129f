"""What cleaning met and what it left out, for its report: missing values, outliers, dropped columns."""

from collections.abc import Mapping

import pandas as pd

__all__ = ["describe_columns", "describe_dropped_columns"]


def describe_columns(frame: pd.DataFrame, fence: float = 3.0) -> pd.DataFrame:
    """Return per column the share of missing values, and for numbers how many lie outside Tukey's fences.

    Parameters
    ----------
    frame : DataFrame, shape (rows, columns)
    fence : float
        The fences are this many interquartile ranges below the lower and above the upper quartile. A column whose
        quartiles are equal has none.

    Returns
    -------
    DataFrame, shape (columns, 4)
        missing (share), outliers (rows), low and high (the fences); the last three are missing where there are none.
    """
    numbers = frame.select_dtypes("number").astype("float64")
    lower, upper = numbers.quantile(0.25), numbers.quantile(0.75)
    reach = fence * (upper - lower).where(upper > lower)
    low, high = lower - reach, upper + reach
    outliers = (numbers.lt(low) | numbers.gt(high)).sum().where(reach.notna())
    summary = pd.DataFrame({"missing": frame.isna().mean(), "outliers": outliers, "low": low, "high": high})
    return summary.reindex(frame.columns).astype({"outliers": "Int64"})


def describe_dropped_columns(
    tables: Mapping[str, pd.DataFrame], kept: list[str], reasons: Mapping[str, list[str]], otherwise: str
) -> dict[str, list[str]]:
    """Return the columns of `tables` that are not `kept`, as table.column, by reason.

    `reasons` names columns; those that it does not name go under `otherwise`.
    """
    why = {column: reason for reason, columns in reasons.items() for column in columns}
    dropped = {reason: [] for reason in [*reasons, otherwise]}
    for name, table in tables.items():
        for column in table.columns.difference(kept, sort=False):
            dropped[why.get(column, otherwise)].append(f"{name}.{column}")
    return dropped
