"""A file of true values: its rows with the numbers of their lines, and what of the file is none of the table."""

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..data.plain_text import as_text
from ..project.database import reason, shown
from ..project.errors import DataError, StoreError
from .outcomes import Outcome
from .store import PREDICTIONS, open_log

__all__ = ["read_outcomes"]

EMPTY = ("", "nan", "NaT", "None")


def read_outcomes(file: str, url: str | sa.URL, target: str) -> tuple[list[Outcome], list[str]]:
    """Return the outcomes in a table: `request_id` [, `row`] or key columns, and the target's column or `value`.

    Key columns are those of the newest logged prediction that has a key, or if there is none all other columns.

    Returns
    -------
    list of Outcome
        Each with its place in the file, for errors: its line, or its row where the file is no text.
    list of str
        What was left out of the file: titles, comments, totals, with their lines.
    """
    from ..data.reading.sources import load_source

    frame, facts = load_source(file)
    column = next((name for name in (target, "value") if name in frame), None)
    if column is None:
        raise DataError(f"{file} has no column {target!r} or 'value' with the true value; it has {list(frame)}.")
    others = [name for name in frame if name not in (column, "observed_at", "row")]
    keys = [] if "request_id" in frame else _logged_key(url) or others
    if missing := [name for name in keys if name not in frame]:
        raise DataError(f"{file} has neither a column 'request_id' nor the key column {missing[0]!r}.")
    places, skipped = _find_lines(file, facts, frame)
    return list(_outcomes(frame.to_dict("records"), file, places, column, keys)), skipped


def _outcomes(records: list[dict], file: str, places: list[str], column: str, keys: list[str]) -> Iterator[Outcome]:
    for place, record in zip(places, records, strict=True):
        where = f"{file}, {place}"
        key = {name: as_text(record[name]) for name in keys}
        if empty := [name for name in keys or ["request_id"] if as_text(record[name]) in EMPTY]:
            raise DataError(f"{where}, column {empty[0]!r} is empty: the outcome belongs to no prediction.")
        row = as_text(record.get("row", 0)).strip()
        if not row.isdecimal() or len(row) > 9:
            raise DataError(f"{where}, column 'row': {row!r} is no position in a request (0, 1, 2...).")
        request_id = "" if keys else as_text(record["request_id"])
        yield Outcome(record[column], request_id, int(row), key, _read_time(record.get("observed_at"), where), where)


def _read_time(value: object, where: str) -> datetime | None:
    if value is None or (text := str(value)) in EMPTY:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"{where}, column 'observed_at': {text!r} is no time such as 2026-01-31T12:00:00Z.") from None


def _find_lines(file: str, facts: dict, frame: "pandas.DataFrame") -> tuple[list[str], list[str]]:  # noqa: F821
    """Return the place of each row, and what was left out. Of text, the rows are looked for again in the lines."""
    from ..data.parsing.texts import MISSING
    from ..data.reading.trim import show_cells

    rows = frame.astype(object).where(frame.notna(), None).to_numpy()
    wanted = [[str(value).strip() for value in row if value is not None] for row in rows]
    places, skipped = [], []
    for number, cells in _read_lines(file, facts):
        there = [cell.strip() for cell in cells if cell.strip() not in MISSING]
        if len(places) < len(wanted) and there == wanted[len(places)]:
            places.append(f"line {number}")
        elif there and number != facts.get("header_row"):
            skipped.append(f"line {number}: {show_cells(cells)}")
    if len(places) == len(wanted):
        return places, skipped
    left_out = [f"{one['rows']} {one['what']} {one['where']}: {one['text']}" for one in facts["skipped"]]
    return [f"row {place}" for place in range(1, len(wanted) + 1)], left_out


def _read_lines(file: str, facts: dict) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of a text file with the number of their line; nothing if it is packed, far away, or no text."""
    separator = facts.get("separator", "")
    if facts["kind"] != "csv" or len(separator) != 1 or not Path(file).is_file():
        return
    with Path(file).open(encoding=facts["encoding"], errors="replace", newline="") as stream:
        reader, number = csv.reader(stream, delimiter=separator, skipinitialspace=True), 1
        try:
            for cells in reader:
                yield number, cells
                number = reader.line_num + 1
        except csv.Error:
            return


def _logged_key(url: str | sa.URL) -> list[str]:
    """Return the key columns of the newest prediction that has some."""
    engine = open_log(url)
    newest = sa.select(PREDICTIONS.c.key).where(PREDICTIONS.c.key_hash != "").order_by(PREDICTIONS.c.asked_at.desc())
    try:
        with engine.connect() as connection:
            there = sa.inspect(connection).has_table("predictions")
            return list(json.loads(connection.execute(newest.limit(1)).scalar() or "{}")) if there else []
    except SQLAlchemyError as error:
        raise StoreError(f"Prediction log {shown(engine.url)}: {reason(error, engine.url)}") from None
    finally:
        engine.dispose()
