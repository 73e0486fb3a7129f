"""Give the columns of a raw table the types that data/schema.yaml names. What does not fit stays as it is, for the checks."""

from dataclasses import replace

import numpy as np
import pandas as pd

from .parsing.dates import find_day_first, parse_dates
from .parsing.numbers import drop_placeholders, find_decimal, parse_booleans, parse_numbers
from .schema import Column, Table
from .tables import set_columns

__all__ = ["convert_column", "convert_columns", "pin_formats"]


def convert_columns(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return `frame` with the types of `table`; columns that only one of the two has are left alone."""
    known = [name for name in frame.columns if name in table.columns]
    return set_columns(frame, {name: convert_column(frame[name], table.columns[name]) for name in known})


def convert_column(values: pd.Series, column: Column) -> pd.Series:
    """Return `values` with the type of `column`; a value that cannot be converted stays, in a column of objects."""
    if column.missing_values:
        values = values.mask(values.astype("str").isin([str(value) for value in column.missing_values]))
    if column.type in ("category", "text"):
        return _to_text(values)
    if pd.api.types.is_numeric_dtype(values) and column.type in ("integer", "number"):
        return values.astype("float64") if pd.api.types.is_bool_dtype(values) else values
    if pd.api.types.is_datetime64_any_dtype(values) and column.type == "date":
        return values
    text = drop_placeholders(_to_text(values))
    parsed = _parse(text, column)
    unfit = parsed.isna() & text.notna()
    return parsed.astype(object).mask(unfit, text.astype(object)) if unfit.any() else parsed


def _parse(text: pd.Series, column: Column) -> pd.Series:
    """Return what the texts mean in the type of the column, missing where one means nothing."""
    if column.type == "boolean":
        return parse_booleans(text)
    if column.type == "date":
        return parse_dates(text, column.day_first)
    return parse_numbers(text, column.decimal, column.suffixes)


def _to_text(values: pd.Series) -> pd.Series:
    """Return `values` as text; whole numbers without a decimal point."""
    if pd.api.types.is_float_dtype(values):
        whole = values.dropna()
        if (np.mod(whole, 1) == 0).all() and whole.abs().max() < 2**53:
            values = values.astype("Int64")
    return values.astype("str").where(values.notna()) if values.dtype != "str" else values


def pin_formats(values: pd.Series, column: Column) -> Column:
    """Return `column` with the decimal mark and the order of day and month that its values decide.

    A single value cannot decide: 1.234 is a thousand in a column with decimal commas, 03/04/2024 is in March or April.
    """
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return column
    text = drop_placeholders(_to_text(values)).dropna()
    if column.type in ("integer", "number") and not column.decimal:
        return replace(column, decimal=find_decimal(text, column.suffixes))
    if column.type == "date" and column.day_first is None:
        return replace(column, day_first=find_day_first(text))
    return column
