"""Split a table into training, validation and hold-out: by dates, or by shares of its rows."""

import re
from datetime import date

import pandas as pd

from ..project.errors import DataError
from .parsing.texts import show_value

__all__ = ["SPLITS", "check_split", "split_by_time", "split_rows", "split_table"]

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


def split_table(
    frame: pd.DataFrame, target: str, time: str | None, group: str | None, shares: tuple, seed: int, stratify: bool
) -> pd.Series:
    """Return train, validation or holdout for each row of a table; the columns are given by name, see `split_rows`.

    Parameters
    ----------
    stratify : bool
        Spread the classes of the target evenly; False for regression.
    """
    values = frame[target] if stratify else pd.Series(0, index=frame.index)
    columns = (frame[name] if name else None for name in (time, group))
    return split_rows(values, *columns, shares, seed)


def split_rows(
    target: pd.Series, time: pd.Series | None, group: pd.Series | None, shares: tuple, seed: int
) -> pd.Series:
    """Return train, validation or holdout for each row.

    Parameters
    ----------
    target, time, group : Series of shape (n_rows,) or None
        With a time, the newest rows are the hold-out; else with a group, all rows of a group stay together; else the classes of
        the target are spread evenly. Pass a constant target for regression.
    shares : (float, float)
        Shares of validation and hold-out.
    """
    if time is not None:
        position = time.rank(method="min").sub(0.5) / len(time)
    elif group is not None:
        shuffled = pd.Series(group.unique()).sample(frac=1, random_state=seed)
        sizes = group.value_counts().reindex(shuffled).cumsum()
        position = group.map(sizes - group.value_counts().reindex(sizes.index) / 2) / len(group)
    else:
        shuffled = target.sample(frac=1, random_state=seed)
        within = shuffled.groupby(shuffled)
        position = ((within.cumcount() + 0.5) / within.transform("size")).reindex(target.index)
    validation, holdout = 1 - sum(shares), 1 - shares[1]
    return position.map(lambda at: "train" if at <= validation else "validation" if at <= holdout else "holdout")


def check_split(split: pd.Series, target: pd.Series, classes: list[str]) -> None:
    """Raise DataError if a split is empty, or has one class only, before anything is trained on it."""
    for name in SPLITS:
        values = target[split == name]
        if values.empty:
            raise DataError(
                f"No rows in the split {name!r}: {len(target)} rows are too few, or too many share one time or group; "
                "see `clean` in params.yaml."
            )
        if values.nunique() == 1 and (classes or name == "train"):
            only = classes[int(values.iloc[0])] if classes else show_value(values.iloc[0])
            raise DataError(
                f"Split {name!r}: all of its {len(values)} rows have the target {only!r}; the model cannot be evaluated. "
                "Change the shares in `clean` of params.yaml, or drop the time or group role in data/schema.yaml."
            )
