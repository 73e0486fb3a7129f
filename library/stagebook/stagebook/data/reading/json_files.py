"""Read JSON in the shapes that tables have in it: records, lists of columns, a list under a key."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from ...project.errors import DataError
from .columns import tidy_columns
from .layout import Hints
from .typed_files import Table, find_table

__all__ = ["read_json"]

COLUMN_KEYS, ROW_KEYS = ("columns", "fields", "header", "headers"), ("data", "rows", "records", "values")
DEPTH = 8  # keys below each other in which records are looked for


def read_json(file: Path, hints: Hints) -> Table:
    """Read a table from JSON or JSON lines. Lists and records within a value become JSON text.

    A table is a list of records, a list of rows, one list for each column, one record for each column or row, or any of
    these under a key (`found` has it as `records`). Records within records are spread over columns, as `home.city`, if
    an expected column is in one.
    """
    try:
        content = parse_text(decode_text(file))
        path, table = find_content(content, hints)
        if isinstance(table, dict):
            frame, more = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in table.items()}), {}
        elif table and all(isinstance(row, list) for row in table):
            return find_table({number: tuple(row) for number, row in enumerate(table, 1) if row}, hints)
        else:
            frame, more = join_records(table, hints), {}
        names = list(map(str, frame.columns))
        return tidy_columns(frame), names, more | ({"records": path} if path else {})
    except RecursionError as error:
        raise DataError(
            "it has lists or records nested too deep to be a table. Save its records as JSON lines."
        ) from error


def decode_text(file: Path) -> str:
    """Return the text of a file in UTF-8, UTF-16 or UTF-32."""
    content = file.read_bytes()
    try:
        return content.decode(json.detect_encoding(content)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(f"it is not UTF-8, as JSON must be ({error}). Save it as UTF-8.") from error


def parse_text(text: str) -> object:
    """Return what JSON text holds; a list if there is a value in each line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("[") or (error.msg != "Extra data" and "\n" not in text.strip()):
            raise DataError(f"it is not JSON ({error}). Mend it, or make it again.") from error
    return read_lines(text)


def read_lines(text: str) -> list:
    """Return the JSON values in the lines of `text`; raise DataError with the number of a line that holds none."""
    values = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            values += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise DataError(f"line {number} is not JSON ({error}). Each line must hold one whole record.") from error
    return values


def find_content(content: object, hints: Hints) -> tuple[str, list | dict]:
    """Return the table in JSON, as a list of records or of rows, or as lists of values by column; and its key."""
    found = list(find_tables(content, hints))
    if not found:
        return "", [content]  # one record
    return max(found, key=lambda one: (has_names(one[1], hints), one[0] == "", count_rows(one[1])))


def find_tables(content: object, hints: Hints, path: str = "", depth: int = DEPTH) -> Iterator[tuple[str, list | dict]]:
    """Yield each part of `content` that could be the table, with the keys that lead to it."""
    if isinstance(content, list):
        if not path or (content and all(isinstance(one, dict) for one in content)):
            yield path, content
        return
    if not isinstance(content, dict) or not content or not depth:
        return
    values = list(content.values())
    names, rows = (next((content[key] for key in keys if key in content), None) for keys in (COLUMN_KEYS, ROW_KEYS))
    if isinstance(names, list) and isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        yield path, [[name_column(name) for name in names], *rows]
    elif all(isinstance(one, list) and not any(isinstance(value, dict) for value in one) for one in values):
        yield path, check_lengths(content, path)
    elif len(values) > 1 and all(isinstance(one, dict) and one for one in values):
        yield from ((path, table) for table in turn_records(content, hints))
    for key, value in content.items():
        yield from find_tables(value, hints, f"{path}.{key}" if path else str(key), depth - 1)


def name_column(column: object) -> object:
    """Return the name of a column from what describes it: text, or a record with its name."""
    if not isinstance(column, dict):
        return column
    return next((column[key] for key in ("name", "fieldName", "id", "label") if key in column), None)


def check_lengths(content: dict, path: str) -> dict:
    """Return the lists of the columns; raise DataError if one is longer than another."""
    lengths = {name: len(values) for name, values in content.items()}
    if len(set(lengths.values())) > 1:
        few, many = min(lengths, key=lengths.get), max(lengths, key=lengths.get)
        where = f"`{path}` has" if path else "it has"
        raise DataError(
            f"{where} a list for each column, but {few!r} has {lengths[few]} values and {many!r} {lengths[many]}. "
            "All must have as many."
        )
    return content


def turn_records(content: dict, hints: Hints) -> Iterator[list | dict]:
    """Yield the table of records by name: each is a column if it is called like one, or if rows are numbered in it."""
    inner = list(dict.fromkeys(key for record in content.values() for key in record))
    alike = all(list(record) == inner for record in content.values())
    numbered = alike and inner == [str(number) for number in range(len(inner))]
    if hints.named(list(content)) or (numbered and not hints.named(inner)):
        yield {name: [record.get(key) for key in inner] for name, record in content.items()}
    elif alike or hints.named(inner):
        plain = list(content) == [str(number) for number in range(len(content))]
        yield [record if plain else {"key": key, **record} for key, record in content.items()]


def names_of(table: list | dict) -> list:
    """Return the names of the columns that a table has, also within its records."""
    if isinstance(table, dict):
        return list(table)
    first = table[0] if table and isinstance(table[0], list) else []
    records = [record for record in table[:100] if isinstance(record, dict)]
    return [*first, *(name for record in records for name in [*record, *spread(record)])]


def has_names(table: list | dict, hints: Hints) -> bool:
    """Tell whether a table has the expected columns."""
    return hints.named([str(name) for name in names_of(table)])


def count_rows(table: list | dict) -> int:
    """Return the number of rows of a table."""
    return len(next(iter(table.values()))) if isinstance(table, dict) else len(table)


def join_records(records: list, hints: Hints) -> pd.DataFrame:
    """Return a frame with a row for each record."""
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise DataError(f"record {number} is {str(record)[:40]!r}. Each one must give columns with their values.")
    names = list(dict.fromkeys(name for record in records for name in record))
    if hints.expect and not hints.named(names):
        spread_records = [spread(record) for record in records]
        spread_names = list(dict.fromkeys(name for record in spread_records for name in record))
        if set(hints.expect) & set(spread_names):
            records, names = spread_records, spread_names
    return pd.DataFrame({name: pd.Series([record.get(name) for record in records], dtype=object) for name in names})


def spread(record: dict, prefix: str = "") -> dict:
    """Return a record with the values of the records in it as `home.city`; those of GeoJSON's `properties` as `city`."""
    flat = {}
    for name, value in record.items():
        if isinstance(value, dict) and value:
            flat |= spread(value, prefix if name == "properties" and not prefix else f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
