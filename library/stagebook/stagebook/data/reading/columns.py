"""Column names and types that Parquet, and every later step, can hold."""

import json
import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

__all__ = ["name_text", "tidy_columns", "tidy_names"]

RESERVED = {"__split__"}  # 30_clean writes it
EXACT = 2**53  # a float64 holds whole numbers below exactly


def tidy_names(names: Iterable) -> list[str]:
    """Return names as text: stripped, `column_3` for an empty third one, `name_2` for the second of a name.

    A name that steps use for a column of their own gets a number, too.
    """
    texts = [name_text(name) or f"column_{place}" for place, name in enumerate(names, 1)]
    tidy: dict[str, None] = {}
    for text in texts:
        name, count = text, 1
        while name in tidy or name in RESERVED or (count > 1 and name in texts):
            count += 1
            name = f"{text}_{count}"
        tidy[name] = None
    return list(tidy)


def name_text(name: object) -> str:
    """Return one name as a line of text; the levels of a name that has several are joined by `_`."""
    if isinstance(name, tuple):
        return "_".join(filter(None, map(name_text, name)))
    if name is None or pd.isna(name):
        return ""
    text = str(name).removesuffix(" 00:00:00") if isinstance(name, datetime) else str(name)  # a sheet of months
    return re.sub(r"[\x00-\x1f\x7f\ufeff]+", " ", text).strip()


def tidy_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with each column as text (`str`), bool, integers, floats or datetimes without zone.

    Times with a zone become UTC, durations seconds, periods their start, lists and records JSON text, bytes text.
    Numbers that float64 would change, truth values with some missing, and mixed types become text.
    """
    columns = {place: tidy_column(frame.iloc[:, place]).array for place in range(frame.shape[1])}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame))).set_axis(tidy_names(frame.columns), axis=1)


def tidy_column(column: pd.Series) -> pd.Series:
    """Return one column in a type that Parquet can hold."""
    kind = column.dtype
    if isinstance(kind, pd.StringDtype):
        return column.astype("str")
    if isinstance(kind, pd.DatetimeTZDtype):
        return tidy_column(column.dt.tz_convert("UTC").dt.tz_localize(None))
    if isinstance(kind, pd.PeriodDtype):
        return tidy_column(column.dt.to_timestamp())
    if isinstance(kind, pd.SparseDtype):
        return tidy_column(column.sparse.to_dense())
    if kind.kind in "iufb" and not isinstance(kind, np.dtype):  # numbers of pandas' or Arrow's own
        if kind.kind == "f" or column.notna().all():
            return column.astype(kind.numpy_dtype)
        if kind.kind in "iu" and column.abs().max() < EXACT:
            return column.astype("float64")
    if not isinstance(kind, np.dtype) or kind.kind in "Oc":
        return tidy_objects(column.astype(object))
    if kind.kind == "m":
        return column.dt.total_seconds()
    if kind.kind == "M":
        return column.dt.as_unit("ms") if column.dt.unit == "s" else column  # Parquet has no whole seconds
    return column.astype("float32") if kind == "float16" else column


def tidy_objects(values: pd.Series) -> pd.Series:
    """Return Python objects as a column of the one type that they all are, else as text."""
    present = values.dropna()
    kinds = set(map(type, present))

    def all_are(*types: type) -> bool:
        return bool(kinds) and all(issubclass(kind, types) for kind in kinds)

    if all_are(bool, np.bool_) and len(present) == len(values):
        return values.astype(bool)
    if all_are(int, float, np.integer, np.floating, Decimal) and bool not in kinds:
        return tidy_numbers(values, present)
    if all_are(date, np.datetime64):
        return tidy_column(pd.to_datetime(values, utc=True))
    if all_are(timedelta, np.timedelta64):
        return pd.to_timedelta(values).dt.total_seconds()
    return values.map(as_text, na_action="ignore").astype("str")


def tidy_numbers(values: pd.Series, present: pd.Series) -> pd.Series:
    """Return integers, floats and Decimals as int64 or float64; as text if that would change them."""
    whole = present[[not isinstance(value, (float, np.floating)) for value in present]]
    if len(whole) == len(values) and not any(isinstance(value, Decimal) for value in whole):
        if all(-(2**63) <= value < 2**63 for value in whole):
            return values.astype("int64")
    elif all(abs(value) < EXACT for value in whole):
        return values.where(values.notna(), np.nan).astype("float64")
    return values.map(as_text, na_action="ignore").astype("str")


def as_text(value: object) -> str:
    """Return a value as text: JSON for lists and records, ISO for times."""
    if isinstance(value, (bool, np.bool_)):
        return str(value).lower()
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.hex()
    if isinstance(value, (dict, list, tuple, set, frozenset, np.ndarray)):
        text = json.dumps(value, ensure_ascii=False, default=as_plain)
    else:
        text = value.isoformat() if isinstance(value, (date, datetime, time)) else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")  # half a letter (a lone surrogate) fits no file


def as_plain(value: object) -> object:
    """Return what JSON has no notation for as something that it has."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return sorted(value, key=str) if isinstance(value, (set, frozenset)) else as_text(value)
