"""Split by time: the hold-out is the latest period, validation the one before, and the past trains."""

import re
from datetime import date

import pandas as pd

from ..project.errors import DataError

__all__ = ["SPLITS", "split_by_time"]

SPLITS = ("train", "validation", "holdout")


def split_by_time(days: pd.Series, validation_from: str, holdout_from: str) -> pd.Series:
    """Return the split of each row.

    Parameters
    ----------
    days : Series of datetime64
        The day of each row.
    validation_from, holdout_from : str
        First day of the split: a day like 2013-09-01, or one counted back from the newest: with "-30 days" the split
        begins with the last 30 days.

    Raises
    ------
    DataError
        A parameter is neither, or a split would be empty; the message names the days that there are.
    """
    newest = days.max()
    starts = {"validation": _first_day(validation_from, newest), "holdout": _first_day(holdout_from, newest)}
    split = pd.Series("train", index=days.index).mask(days >= starts["validation"], "validation")
    split = split.mask(days >= starts["holdout"], "holdout")
    if empty := [name for name in SPLITS if not (split == name).any()]:
        raise DataError(
            f"No rows in split {', '.join(empty)}: they go from {days.min():%Y-%m-%d} to {newest:%Y-%m-%d}, "
            f"`clean.validation_from` is {validation_from}, `clean.holdout_from` {holdout_from} (params.yaml). "
            'Days counted back from the newest, such as "-60 days" and "-30 days", follow the data.'
        )
    return split


def _first_day(day: str, newest: pd.Timestamp) -> pd.Timestamp:
    if back := re.fullmatch(r"-(\d{1,5}) days?", day.strip()):
        return newest.normalize() - pd.Timedelta(days=int(back[1]) - 1)
    try:
        return pd.Timestamp(date.fromisoformat(day))
    except ValueError as error:
        raise DataError(
            f'params.yaml, section `clean`: {day!r} is not a day like 2013-09-01, nor "-30 days".'
        ) from error
