"""Find out the type of each column: on a sample of its rows, then on all of them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from .conform import convert_column
from .parsing import numbers
from .parsing.dates import is_order_unknown, parse_dates
from .schema import Column

__all__ = ["infer_columns", "infer_type"]

SAMPLE = 10_000  # rows on which a type is decided; all rows must fit it
NATIVE = (
    ("boolean", pd.api.types.is_bool_dtype),
    ("integer", pd.api.types.is_integer_dtype),
    ("number", pd.api.types.is_numeric_dtype),
    ("date", pd.api.types.is_datetime64_any_dtype),
)


def infer_type(values: pd.Series, is_target: bool = False) -> tuple[str, list[str]]:
    """Return the type of a column, as data/schema.yaml names it, and the words in it that stand for a missing value."""
    column, _ = infer_column("", values, is_target)
    return column.type, column.missing_values


def infer_columns(raw: pd.DataFrame, target: str, separator: str = "") -> dict[str, tuple[Column, pd.Series]]:
    """Return each column of a table as data/schema.yaml describes it, and its values in that type.

    The decimal mark is one for the table: where a column can be read both ways (`26.986`), the other columns decide, then
    the `separator` of the file: behind a semicolon, the comma is the mark. The column's `why` tells of it.
    """
    found = {name: infer_column(name, raw[name], name == target) for name in raw.columns}
    written = [name for name, (column, _) in found.items() if is_written(raw[name], column)]
    marks = {name: numbers.find_mark(sample(raw[name])) for name in written}
    votes = Counter(mark for mark in marks.values() if mark in (".", ","))
    decimal = max(votes, key=votes.get) if votes else "," if separator == ";" else "."
    for name, (column, values) in found.items():
        if column.type == "date" and raw[name].dtype == "str" and is_order_unknown(sample(raw[name].dropna())):
            found[name] = explain_order(raw[name], column), values
    for name in [name for name, mark in marks.items() if mark == "?"]:
        column, values = infer_column(name, raw[name], name == target, decimal)
        found[name] = (column if votes else replace(column, why=explain_mark(raw[name], column))), values
    return found


def is_written(values: pd.Series, column: Column) -> bool:
    """Tell whether a column has numbers that are text in the file."""
    return column.type in ("integer", "number") and not pd.api.types.is_numeric_dtype(values)


def explain_mark(values: pd.Series, column: Column) -> str:
    """Return what a reader must know of a column whose numbers can be read both ways."""
    first = values.dropna()[lambda texts: texts.str.contains("[.,]")].head(1)
    other = "." if column.decimal == "," else ","
    read = [f"{numbers.parse_numbers(first, mark).iloc[0]:.12g}" for mark in (column.decimal, other)]
    return f"ambiguous: {first.iloc[0]!r} is read as {read[0]}. `decimal: {other!r}` here reads it as {read[1]}"


def explain_order(values: pd.Series, column: Column) -> Column:
    """Return a column of dates with the order of day and month that was chosen, and what a reader must know of it."""
    texts = values.dropna().drop_duplicates()
    dates = [parse_dates(texts, day_first) for day_first in (True, False)]
    first = (dates[0] != dates[1]).to_numpy().argmax()
    day_first = bool(parse_dates(texts).iloc[first] == dates[0].iloc[first])
    read = f"{dates[not day_first].iloc[first]:%-d %B %Y}"
    other = str(not day_first).lower()
    why = f"ambiguous: {texts.iloc[first]!r} is read as {read}. `day_first: {other}` here reads it the other way"
    return replace(column, day_first=day_first, why=why)


def sample(values: pd.Series) -> pd.Series:
    """Return at most SAMPLE rows, drawn with a fixed seed: every tenth could miss what comes in every fifteenth."""
    return values if len(values) <= SAMPLE else values.sample(SAMPLE, random_state=0).sort_index()


def infer_column(name: str, values: pd.Series, is_target: bool, decimal: str = "") -> tuple[Column, pd.Series]:
    """Return what a column is, and its values in that type."""
    native = next((type_ for type_, is_type in NATIVE if is_type(values)), None)
    if native:
        column = Column(name, native)
        return column, convert_column(values, column)
    part = sample(values)
    for some in (part, values) if len(part) < len(values) else (values,):
        known = numbers.drop_placeholders(some).dropna()
        guess = next(
            (one for one in guess_types(name, known, decimal) if accept(one, convert_column(known, one))), None
        )
        if guess is None:
            break
        converted = convert_column(values, guess)
        column = accept(guess, converted)
        if column and not (column.type != "boolean" and numbers.looks_like_code(values)):
            if is_target and column.type == "boolean":
                column = Column(name, "category")  # classes keep their names
            elif not column.missing_values:
                return column, converted
            return column, convert_column(values, column)
    column = describe_texts(name, known)
    return column, convert_column(values, column)


def guess_types(name: str, known: pd.Series, decimal: str) -> Iterator[Column]:
    """Yield the types that texts could have besides category and text."""
    if known.empty:
        return
    if not numbers.looks_like_code(known):
        yield Column(name, "number", decimal=decimal)
        if suffixes := numbers.find_suffixes(known):
            unit = suffixes[0] if len(suffixes) == 1 and suffixes[0] not in numbers.MULTIPLIERS else ""
            yield Column(name, "number", decimal=decimal, suffixes=suffixes, unit=unit)
    yield Column(name, "boolean")
    yield Column(name, "date")


def accept(guess: Column, converted: pd.Series) -> Column | None:
    """Return the guess, with the words that stand for a missing value, if nearly all values have been converted.

    At most ten different words in 5 % of the values may be left, or two in half of them if the others differ.
    """
    left = converted.map(type).eq(str) if converted.dtype == object else pd.Series(False, index=converted.index)
    parsed = converted[~left].dropna().infer_objects()
    unfit, share = converted[left].unique(), len(parsed) / max(len(parsed) + left.sum(), 1)
    if not ((share >= 0.95 and len(unfit) <= 10) or (share >= 0.5 and len(unfit) <= 2 and parsed.nunique() > 20)):
        return None
    whole = guess.type == "number" and bool((parsed % 1 == 0).all() and parsed.abs().max() < 2**53)
    return replace(guess, type="integer" if whole else guess.type, missing_values=sorted(unfit))


def describe_texts(name: str, known: pd.Series) -> Column:
    """Return a column of texts: free text if it is several words that hardly repeat, else a category."""
    words = known.head(10_000).str.split().str.len().mean()
    if words >= 3 and known.nunique() > 0.5 * len(known):
        return Column(name, "text")
    units = numbers.find_units(known)
    return Column(name, "category", why=f"numbers with several units: {', '.join(units)}" if units else "")
