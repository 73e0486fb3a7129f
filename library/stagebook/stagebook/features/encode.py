"""Turn the columns of any table into what a model can read: float32 and text. Nothing is learned from the data here."""

import numpy as np
import pandas as pd

from ..project.errors import DataError

__all__ = [
    "choose_columns",
    "date_parts",
    "drop_features",
    "find_constant_parts",
    "normalise_text",
    "select_columns",
    "to_features",
    "to_float32",
]


def to_features(frame: pd.DataFrame, free_text: list[str], since: list[str]) -> pd.DataFrame:
    """Return all columns as float32 (NaN is missing) or text ("" is missing).

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
    free_text : list of str
        Columns that a model cuts into words; the other texts are categories.
    since : list of str
        Dates whose distance from 1970 is a feature, too. Not the time of the row itself: a model must not learn the day.
    """
    parts = []
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_datetime64_any_dtype(values):
            parts.append(date_parts(values, name in since))
        elif pd.api.types.is_numeric_dtype(values):
            parts.append(to_float32(values))
        else:
            parts.append(normalise_text(values, name in free_text))
    return pd.concat(parts, axis=1)


def date_parts(dates: pd.Series, with_days: bool) -> pd.DataFrame:
    """Return month, weekday (0 is Monday), day and hour of each date, and the days since 1970 if asked."""
    parts = {"month": dates.dt.month, "weekday": dates.dt.day_of_week, "day": dates.dt.day, "hour": dates.dt.hour}
    if with_days:
        parts["days"] = (dates - pd.Timestamp(0)) / pd.Timedelta(days=1)
    return pd.DataFrame({f"{dates.name} ({part})": values.astype("float32") for part, values in parts.items()})


def find_constant_parts(frame: pd.DataFrame, features: pd.DataFrame) -> list[str]:
    """Return the parts of dates that are the same in all rows: the hour of pure dates, the day of monthly ones.

    Decide this on the whole table, not on the rows of one prediction: a model picks its features by name. One part stays
    if all are the same, for it shows whether the date is missing.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        With the dates.
    features : DataFrame of shape (n_rows, n_features)
        What `to_features` made of it.
    """
    constant = []
    for name in frame.columns:
        if pd.api.types.is_datetime64_any_dtype(frame[name]):
            parts = [f"{name} ({part})" for part in ("month", "weekday", "day", "hour", "days")]
            there = [part for part in parts if part in features]
            same = [part for part in there if features[part].nunique() <= 1]
            constant += same[1:] if same == there else same
    return constant


def to_float32(numbers: pd.Series) -> pd.Series:
    """Return numbers or yes/no as float32; infinite ones are missing."""
    numbers = numbers.astype("float64").replace([np.inf, -np.inf], np.nan)
    return numbers.clip(-3e38, 3e38).astype("float32")


def normalise_text(text: pd.Series, free: bool) -> pd.Series:
    """Return text without leading and trailing space; free text as lower-case words with one space between them."""
    text = text.astype("str").where(text.notna(), "").str.strip()
    return text.str.lower().str.findall(r"\w+").str.join(" ") if free else text


def choose_columns(frame: pd.DataFrame, target: str, keys: list[str]) -> tuple[list[str], list[str]]:
    """Return the columns that features are made of, and the dates among them whose distance from 1970 is a feature.

    A date that is a key, the time of the row, gives its parts only.

    Raises
    ------
    DataError
        No column is left.
    """
    dates = [name for name in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[name])]
    aside = {target, "__split__", *(name for name in keys if name not in dates)}
    columns = [name for name in frame.columns if name not in aside]
    if not columns:
        raise DataError("No feature is left: every column is set aside. See `role` and `why` in data/schema.yaml.")
    return columns, [name for name in dates if name not in keys]


def drop_features(features: pd.DataFrame, leave_out: list[str]) -> pd.DataFrame:
    """Return the features without those of `leave_out`; DataError if one of them is not there."""
    if unknown := [name for name in leave_out if name not in features.columns]:
        raise DataError(
            f"`features.leave_out` in params.yaml: there is no {unknown}; there is {list(features.columns)[:50]}."
        )
    return features.drop(columns=list(leave_out))


def select_columns(frame: pd.DataFrame, numeric: list[str], categorical: list[str]) -> pd.DataFrame:
    """Return the chosen columns: `numeric` as float32, `categorical` as text, in which a gap (also "") is `unknown`.

    Raises
    ------
    DataError
        A column is not there, or a numeric one has a value that is no number.
    """
    if unknown := [name for name in [*numeric, *categorical] if name not in frame]:
        raise DataError(f"`features` in params.yaml: there is no {', '.join(unknown)}; there is {', '.join(frame)}.")
    for name in numeric:
        wrong = pd.to_numeric(frame[name], errors="coerce").isna() & frame[name].notna()
        if wrong.any():
            raise DataError(f"Feature {name!r}: {frame[name][wrong].iloc[0]!r} is not a number; make it `categorical`.")
    texts = frame[categorical].astype("str")
    texts = texts.where(frame[categorical].notna() & texts.ne(""), "unknown")
    return pd.concat([frame[numeric].astype("float32"), texts], axis=1)
