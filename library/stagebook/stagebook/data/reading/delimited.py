"""Read CSV and its relatives as text: separator, encoding and header are found out, no value is changed."""

import contextlib
import csv
import io
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

from ...project.errors import DataError
from .columns import tidy_names
from .layout import Hints, Layout, Row, check_header, describe_top, find_layout
from .limits import CELL, most_characters
from .rows import FIXED, Style, clean_lines, find_style, raise_cell, read_body
from .text_encoding import SAMPLE, check_encoding, find_encoding, find_old_encoding
from .trim import shorten, trim_table

__all__ = ["Reading", "read_delimited", "read_head"]

SEPARATORS = [*",;\t|"]
SELDOM = ["^", "~", "\x1f", " "]  # a blank is any number of blanks and tabs
BY_NAME = ["::", "||", ":"]  # only where they find the expected names
NAMES = {"\\t": "\t", "tab": "\t", "blank": " ", "space": " "}  # that `ingest.separator` can have
TOP = 1000  # rows that are looked at


@dataclass
class Reading:
    """The first rows of a file as one separator cuts them, and the table in them."""

    style: Style
    rows: list[Row]
    numbers: list[int]  # the line on which each row begins, from 1
    layout: Layout

    def rate(self, hints: Hints) -> tuple[bool, float, int]:
        """Return how well the separator fits: finds the expected names, share of rows as wide as the names, names."""
        names = self.layout.names
        named = hints.named(names) and len(names) > 1
        rows = [row for row in self.rows[self.layout.first if named else 0 :] if row]
        fit = sum(len(row) == len(names) for row in rows) / max(len(rows), 1) if len(names) > 1 else 0
        return named, fit, sum(map(bool, names))


def read_delimited(file: Path, hints: Hints) -> tuple[pd.DataFrame, list[str], dict]:
    """Read a text table.

    Returns
    -------
    frame : all columns as text, named as `tidy_names` does; values in MISSING, quoted or not, are missing
    names : the names as they are in the file
    found : separator, encoding, header_row, and `skipped`: the rows and columns that are no data

    Raises
    ------
    DataError
        The file is empty, not text, not in this encoding, has no header, or a row is longer or shorter than the header.
    """
    known = check_encoding(hints.encoding) if hints.encoding else find_encoding(file)
    try:
        return read_decoded(file, hints, known)
    except UnicodeError as error:
        if hints.encoding or known != "utf-8":
            raise DataError(f"it is not in {known} ({error}). Set `ingest.encoding` in params.yaml.") from error
    return read_decoded(file, hints, find_old_encoding(file))  # only the first megabyte is UTF-8


def read_decoded(file: Path, hints: Hints, encoding: str) -> tuple[pd.DataFrame, list[str], dict]:
    """Read a text table of known encoding; raise UnicodeError if it is another."""
    head, reading, found = read_head(file, hints, encoding)
    layout = reading.layout
    first = layout.start(reading.numbers)
    body, skipped = read_body(file, hints, encoding, reading.style, first, tidy_names(layout.names), head)
    if reading.style.separator == "|" and "line" in layout.skipped.values():  # a table as a terminal shows it
        body = body.apply(lambda column: column.str.strip().replace("", None))
    frame, names, trimmed = trim_table(body, layout.names)
    found["skipped"] = shorten(found["skipped"] + skipped + trimmed)
    return frame.set_axis(tidy_names(names), axis=1), names, found


def read_head(file: Path, hints: Hints, encoding: str) -> tuple[str, Reading, dict]:
    """Return the start of a text file, where the table is in it, and what was found out; DataError if it has none."""
    csv.field_size_limit(most_characters(CELL))
    with file.open(encoding=encoding, errors="replace", newline="") as stream:
        head = stream.read(SAMPLE).removeprefix("\ufeff")
    if not head.strip():
        raise DataError("it is empty.")
    if re.match(r"\s*<(!doctype )?html", head, re.IGNORECASE):
        raise DataError("it is a web page, not a table. Give the address of the file itself.")
    reading = choose_separator(head, hints)
    layout, rows = reading.layout, reading.rows
    if len(head) < SAMPLE and not any(map(any, rows[layout.first :])):
        raise DataError("it has a header and no rows.")
    check_header(rows, reading.numbers, layout, hints, f"separator {reading.style.separator!r}, encoding {encoding}")
    found = {"separator": reading.style.separator, "encoding": encoding} | describe_top(
        rows, reading.numbers, layout, "line"
    )
    return head, reading, found


def check_separator(separator: str) -> str:
    """Return a separator as it stands in the file, or ""."""
    separator = NAMES.get(separator, separator)
    if separator != FIXED and (re.search(r"[\w\"\n\r]", separator) or len(separator) > 3):
        raise DataError(f"`ingest.separator` is {separator!r}; it is a mark, such as , ; | ::, or tab, blank or fixed.")
    return separator


def choose_separator(head: str, hints: Hints) -> Reading:
    """Return the first rows as the separator cuts them that finds the expected names, or that fits most rows."""
    announced = re.match(r"sep=(.)\r?\n", head)  # as Excel writes it
    given = check_separator(hints.separator) or (announced[1] if announced else "")
    if given:
        return cut_rows(head, given, hints)
    best = max(try_separators(head, SEPARATORS, hints), default=(False, 0.0))
    if best[0] or (best[1] >= 0.9 and not hints.expect):
        return best[-1]
    seldom = try_separators(head, [*SELDOM, *BY_NAME], hints)
    named = [one for one in seldom if one[0] and one[1] > 0.95]
    named = named or [one for one in try_separators(head, [FIXED], hints) if one[0]]
    good = [one for one in seldom if one[1] > 0.95 and one[-1].style.separator in SELDOM]
    if named or (good and best[1] < 0.9):
        return max(named or good)[-1]
    return best[-1] if best[2:] else cut_rows(head, ",", hints)


def try_separators(head: str, separators: list[str], hints: Hints) -> list[tuple]:
    """Return, for each separator that the names and the header row of the user fit, its rating and its reading."""
    found = []
    for separator in separators:
        with contextlib.suppress(DataError):
            reading = cut_rows(head, separator, hints)
            found.append((*reading.rate(hints), -len(found), reading))
    return found


def cut_rows(head: str, separator: str, hints: Hints) -> Reading:
    """Return the rows of the start of a file, with the numbers of their lines, and where the table is in them."""
    rows, numbers, number = [], [], 1
    style = find_style(head, separator, hints.expect)
    reader = style.rows(clean_lines(io.StringIO(head, newline=""), hints, style))
    try:
        for row in islice(reader, TOP):
            rows.append([] if row == [""] else [cell.strip() for cell in row])
            numbers.append(number)
            number = reader.line_num + 1
    except csv.Error as error:
        raise_cell(error, reader.line_num)
    if 1 < len(rows) < TOP and len(head) >= SAMPLE:
        rows, numbers = rows[:-1], numbers[:-1]  # the last one is cut
    return Reading(style, rows, numbers, find_layout(rows, hints, numbers))
