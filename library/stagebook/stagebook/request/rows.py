"""Raw requests as a typed table: what 20_validate does to the raw table, for a few rows of JSON."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from math import isnan, nan
from typing import Any

import numpy as np
import pandas as pd

from ..data.conform import convert_column
from ..data.parsing.dates import ISO
from ..data.parsing.numbers import PLAIN
from ..data.plain_text import as_text
from ..data.privacy import mask_columns, personal_columns
from ..data.schema import Column
from ..project.errors import StagebookError
from .contract import Contract

__all__ = ["LARGEST", "PERSONAL", "RequestError", "mask_rows", "read_keys", "to_table"]

SLOW = object()  # stands for a value that only `convert_column` can read; it takes milliseconds
PERSONAL = "a personal value"  # what an error shows instead of it
LARGEST = 3e38  # the model's numbers are float32
FIRST_YEAR, LAST_YEAR = 1678, 2261  # of datetime64[ns]
FEW = 20  # values; reading more at once is faster than one by one
PLAIN_NUMBER, ISO_DATE = re.compile(PLAIN), re.compile(ISO)


class RequestError(StagebookError):
    """A value that a request cannot have: `row` counts from 0, `name` is the field, the text says what is allowed."""

    def __init__(self, allowed: str, value: object = None, row: int = 0, name: str = "") -> None:
        super().__init__(f"row {row}, field {name!r}: {value!r} {allowed}" if name else allowed)
        self.allowed, self.value, self.row, self.name = allowed, value, row, name


def to_table(rows: Sequence[Mapping[str, object]], contract: Contract) -> pd.DataFrame:
    """Return raw rows with the types of the schema; a field that is left out, or null, is missing.

    Numbers and dates in text are read as the training table's were: `1.234,5` is a number where the column has commas.

    Returns
    -------
    DataFrame of shape (n_rows, n_fields)
        With all fields of the contract.

    Raises
    ------
    RequestError
        A value has the wrong type, is out of range, or is missing and must not be.
    """
    personal = personal_columns(contract.table)
    columns = {}
    for name, column in contract.table.columns.items():
        values = [row.get(name) for row in rows]
        try:
            columns[name] = read_field(values, column)
        except RequestError as error:
            value = PERSONAL if name in personal else error.value
            raise RequestError(error.allowed, value, error.row, name) from None
    return pd.DataFrame(columns)


def read_field(values: list, column: Column) -> np.ndarray | pd.api.extensions.ExtensionArray:
    """Return the values of one field with the type that the raw table has; RequestError says what is allowed.

    Plain Python, value by value: for one row, a Series costs more than all of the checks.
    """
    typed = [read_plain(value, column) for value in values]
    if slow := [row for row, value in enumerate(typed) if value is SLOW]:
        for row, value in zip(slow, _convert([as_text(values[row]) for row in slow], column), strict=True):
            if isinstance(value, str):
                raise RequestError(f"must be {allowed_type(column)}", values[row], row)
            typed[row] = None if pd.isna(value) else value
    for is_wrong, allowed in _checks(column):
        for row, value in enumerate(typed):
            if value is not None and is_wrong(value):
                raise RequestError(allowed, values[row], row)
    if not column.missing and None in typed:
        row = typed.index(None)
        raise RequestError("must have a value", values[row], row)
    if column.pattern:
        _check_pattern(typed, values, column)
    return _as_array(typed, column)


def _checks(column: Column) -> Iterator[tuple[Callable[[Any], bool], str]]:
    """Yield what a value of the column must not be, and what is allowed, in words."""
    if column.type == "date":
        allowed = f"must be a date of the years {FIRST_YEAR} to {LAST_YEAR}"
        yield lambda value: not FIRST_YEAR <= value.year <= LAST_YEAR, allowed
    if column.type in ("integer", "number"):
        yield lambda value: abs(value) > LARGEST, f"must be between {-LARGEST:g} and {LARGEST:g}"
    if column.type == "integer" and not column.missing:
        yield lambda value: value % 1 != 0 or abs(value) > 2**53, f"must be {allowed_type(column)}"
    as_limit = pd.Timestamp if column.type == "date" else float
    if column.min is not None:
        low = as_limit(column.min)
        yield lambda value: value < low, f"must be {allowed_range(column)}"
    if column.max is not None:
        high = as_limit(column.max)
        yield lambda value: value > high, f"must be {allowed_range(column)}"


def _check_pattern(typed: list, values: list, column: Column) -> None:
    """Raise RequestError for the first value that does not match, by the engine that 20_validate uses."""
    texts = ["" if value is None else str(value) for value in typed]
    if len(texts) > FEW:
        fits = pd.Series(texts, dtype="str").str.match(column.pattern).tolist()
    else:
        fits = [_matches(column.pattern, text) for text in texts]
    for row, value in enumerate(typed):
        if value is not None and not fits[row]:
            raise RequestError(f"must match {column.pattern}", values[row], row)


@lru_cache(maxsize=10_000)
def _matches(pattern: str, text: str) -> bool:
    return bool(pd.Series([text], dtype="str").str.match(pattern).iloc[0])


def _as_array(typed: list, column: Column) -> np.ndarray | pd.api.extensions.ExtensionArray:
    """Return values with the type that `to_pandera` has; whole numbers are int64 where none may be missing."""
    if column.type in ("integer", "number"):
        numbers = np.array([nan if value is None else value for value in typed], dtype="float64")
        return numbers.astype("int64") if column.type == "integer" and not column.missing else numbers
    if column.type == "date":
        return np.array(typed, dtype="datetime64[us]").astype("datetime64[ns]")
    return pd.array(typed, dtype="boolean" if column.type == "boolean" else "str")


def read_plain(value: object, column: Column) -> object:
    """Return what `convert_column` makes of a value, where that is plain; else SLOW."""
    if value is None or value is pd.NaT or (isinstance(value, float) and isnan(value)):
        return None
    if column.missing_values and as_text(value) in map(str, column.missing_values):
        return None
    if column.type in ("category", "text"):
        return as_text(value)
    if column.type in ("integer", "number") and type(value) in (int, float):
        return float(value)
    if column.type == "boolean" and isinstance(value, bool):
        return value
    if isinstance(value, str):
        if column.type in ("integer", "number") and column.decimal != "," and PLAIN_NUMBER.fullmatch(value):
            return float(value)
        if column.type == "date" and ISO_DATE.fullmatch(value):
            return _read_date(value)
    return SLOW


def _convert(texts: list[str], column: Column) -> list:
    """Return what `convert_column` makes of texts; of a few, it remembers the result, since requests are alike."""
    if len(texts) > FEW:
        return convert_column(pd.Series(texts, dtype="str"), column).tolist()
    formats = (column.type, column.decimal, column.day_first, tuple(column.suffixes))
    return [_convert_one(text, *formats) for text in texts]


@lru_cache(maxsize=10_000)
def _convert_one(text: str, kind: str, decimal: str, day_first: bool | None, suffixes: tuple[str, ...]) -> object:
    column = Column(kind, kind, decimal=decimal, day_first=day_first, suffixes=list(suffixes))
    return convert_column(pd.Series([text], dtype="str"), column).iloc[0]


def _read_date(value: str) -> object:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return SLOW


def allowed_type(column: Column) -> str:
    """Return in words what a value of this column is."""
    kinds = {"integer": "a whole number", "number": "a number", "boolean": "yes or no, true or false"}
    date = "a date such as 2024-01-31 or 2024-01-31T12:00"
    return {**kinds, "date": date}.get(column.type, "text")


def allowed_range(column: Column) -> str:
    """Return in words between what a value of this column is."""
    if column.min is None or column.max is None:
        return f"at least {column.min}" if column.max is None else f"at most {column.max}"
    return f"{column.min} to {column.max}"


def mask_rows(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return what may be logged of requests: personal columns masked as data/schema.yaml says."""
    return mask_columns(frame, contract.table.columns)[0]


def read_keys(frame: pd.DataFrame, contract: Contract) -> list[dict[str, str]]:
    """Return for each row the fields that name it, as text; those without a value are left out."""
    names = [name for name in contract.key if name in frame]
    rows = frame[names].to_dict("records")
    return [{name: as_text(value) for name, value in row.items() if not pd.isna(value)} for row in rows]
