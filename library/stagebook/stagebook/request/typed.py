"""Many raw requests as a typed table, column by column: for batches, what `to_table` of `rows` does value by value."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..data.conform import convert_column
from ..data.privacy import personal_columns
from ..data.schema import Column
from .contract import Contract
from .rows import FIRST_YEAR, LARGEST, LAST_YEAR, RequestError, allowed_range, allowed_type, as_text, read_field

__all__ = ["key_texts", "type_rows"]


def type_rows(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Return raw rows with the types of the schema, as `to_table` returns them; a column that is left out is missing.

    Raises
    ------
    RequestError
        The first value, column by column, that has the wrong type, is out of range, or is missing and must not be.
    """
    personal, columns = personal_columns(contract.table), {}
    for name, column in contract.table.columns.items():
        values = frame[name] if name in frame else pd.Series(None, index=frame.index, dtype="str")
        try:
            columns[name] = _type_column(values, column)
        except RequestError as error:
            value = "a personal value" if name in personal else error.value
            raise RequestError(error.allowed, value, error.row, name) from None
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))


def _type_column(values: pd.Series, column: Column) -> np.ndarray | pd.api.extensions.ExtensionArray:
    values = values.reset_index(drop=True)
    typed = _convert(values, column)
    for wrong, allowed in _find_wrong(typed, column):
        if wrong.any():
            _refuse(values, int(wrong.to_numpy().argmax()), column, allowed)
    if column.type in ("integer", "number"):
        numbers = pd.to_numeric(typed).to_numpy("float64", na_value=np.nan)
        return numbers.astype("int64") if column.type == "integer" and not column.missing else numbers
    if column.type == "date":
        return pd.to_datetime(typed).to_numpy("datetime64[us]").astype("datetime64[ns]")
    return pd.array(typed, dtype="boolean" if column.type == "boolean" else "str")


def _convert(values: pd.Series, column: Column) -> pd.Series:
    """Return the values with the type of the column; texts that do not fit stay.

    Truth values in two spellings do not fit as a column. As single requests they do, so these are read one by one.
    """
    typed = convert_column(values, column)
    if column.type in ("category", "text") or typed.dtype != object:
        return typed
    known = {}
    for text in {value for value in typed if isinstance(value, str)}:
        alone = convert_column(pd.Series([text], dtype="str"), column)
        if not isinstance(alone.iloc[0], str):
            known[text] = alone.iloc[0]
    typed = typed.map(lambda value: known.get(value, value) if isinstance(value, str) else value)
    fits = not any(isinstance(value, str) for value in typed)
    return typed.astype("boolean") if fits and column.type == "boolean" else typed


def _find_wrong(typed: pd.Series, column: Column) -> Iterator[tuple[pd.Series, str]]:
    """Yield which values are not allowed, and what is, in words; the order is that of `read_field`."""
    if column.type not in ("category", "text") and typed.dtype == object:
        yield typed.map(lambda value: isinstance(value, str)), f"must be {allowed_type(column)}"
    if column.type in ("integer", "number"):
        numbers = pd.to_numeric(typed).astype("float64")
        yield numbers.abs() > LARGEST, f"must be between {-LARGEST:g} and {LARGEST:g}"
        if column.type == "integer" and not column.missing:
            yield (numbers % 1 != 0) & numbers.notna() | (numbers.abs() > 2**53), f"must be {allowed_type(column)}"
        yield from _out_of_range(numbers, column, float)
    elif column.type == "date":
        times = pd.to_datetime(typed)
        if isinstance(times.dtype, pd.DatetimeTZDtype):
            times = times.dt.tz_convert("UTC").dt.tz_localize(None)
        years = times.dt.year
        yield (years < FIRST_YEAR) | (years > LAST_YEAR), f"must be a date of the years {FIRST_YEAR} to {LAST_YEAR}"
        yield from _out_of_range(times, column, pd.Timestamp)
    if not column.missing:
        yield typed.isna(), "must have a value"
    if column.pattern:
        fits = typed.astype("str").str.match(column.pattern).astype("boolean").fillna(False)
        yield typed.notna() & ~fits.astype(bool), f"must match {column.pattern}"


def _out_of_range(values: pd.Series, column: Column, as_limit: type) -> Iterator[tuple[pd.Series, str]]:
    if column.min is not None:
        yield values < as_limit(column.min), f"must be {allowed_range(column)}"
    if column.max is not None:
        yield values > as_limit(column.max), f"must be {allowed_range(column)}"


def _refuse(values: pd.Series, row: int, column: Column, allowed: str) -> None:
    """Raise RequestError for a value, in the words of a single request if that refuses it too."""
    value = None if pd.isna(values.iloc[row]) else values.iloc[row]
    value = value.item() if hasattr(value, "item") else value
    try:
        read_field([value], column)
    except RequestError as error:
        raise RequestError(error.allowed, value, row) from None
    raise RequestError(allowed, value, row)


def key_texts(table: pd.DataFrame, names: list[str]) -> list[list[str]]:
    """Return the key columns of typed rows as texts, a list for each column; RequestError if a row has no key."""
    texts = []
    for name in names:
        values = table[name]
        if values.isna().any():
            row = int(values.isna().to_numpy().argmax())
            raise RequestError("must have a value: it is part of the key", None, row, name)
        if pd.api.types.is_datetime64_any_dtype(values):
            texts.append(values.astype(object).map(as_text).tolist())
        elif isinstance(values.dtype, pd.StringDtype):
            texts.append(values.tolist())
        else:
            texts.append(list(map(as_text, values.tolist())))
    return texts
