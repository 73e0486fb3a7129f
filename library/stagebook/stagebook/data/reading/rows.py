"""Read the rows of a text table below its header: fast with Arrow, else one by one, to say which line is wrong."""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from ...project.errors import DataError
from ..parsing.texts import MISSING
from .layout import Hints
from .trim import COMMENT, describe_row, is_footer

__all__ = ["clean_lines", "read_body"]

LONGEST = 1 << 24  # bytes in a row; a longer one is a quote that was never closed


def read_body(
    file: Path, hints: Hints, encoding: str, separator: str, first: int, names: list[str], head: str
) -> tuple[pd.DataFrame, list[dict]]:
    """Return the rows from line `first` on, and what was left out as no data.

    Parameters
    ----------
    first : int
        The line of the first row, from 1.
    names : list of str
        Names of the columns, no two the same.
    head : str
        The start of the file.
    """
    odd = separator == " " or hints.comment or hints.skip_rows
    if odd or re.search(re.escape(separator) + ' +"', head):  # Arrow takes the blanks for a part of the value
        return read_slowly(file, hints, encoding, separator, first, names)
    try:
        frame = read_fast(file, separator, encoding, first, names)
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise UnicodeError("a letter in it is none of UTF-8") from error
        frame, skipped = read_slowly(file, hints, encoding, separator, first, names, skipinitialspace=False)
        if skipped:
            return frame, skipped
        raise DataError(f'it cannot be read ({error}). Is a quote (") opened and never closed?') from error
    if len(frame):
        check_last_quote(file, frame.iloc[-1, -1])
    return frame, []


def read_fast(file: Path, separator: str, encoding: str, first: int, names: list[str]) -> pd.DataFrame:
    """Read a table with Arrow: seconds for millions of rows."""
    table = arrow_csv.read_csv(
        file,
        arrow_csv.ReadOptions(skip_rows=first - 1, column_names=names, encoding=encoding, block_size=LONGEST),
        arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()), null_values=MISSING, strings_can_be_null=True
        ),
    )
    return table.to_pandas()


def read_slowly(
    file: Path, hints: Hints, encoding: str, separator: str, first: int, names: list[str], skipinitialspace: bool = True
) -> tuple[pd.DataFrame, list[dict]]:
    """Read a table row by row; return it, and the comments and notes that were left out."""
    skipped: list[dict] = []
    with file.open(encoding=encoding, newline="") as stream:
        lines = clean_lines(stream, hints, separator)
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=skipinitialspace)
        rows = list(take_rows(reader, len(names), first, separator, skipped))
    frame = pd.DataFrame(rows, columns=names, dtype="str")
    return frame.mask(frame.isin(MISSING)), skipped


def take_rows(reader: Iterator, width: int, first: int, separator: str, skipped: list[dict]) -> Iterator[list[str]]:
    """Yield the rows from line `first` on; what has not `width` values must be a comment, or a note at the end.

    Raises
    ------
    DataError
        A row is longer or shorter, and is neither.
    """
    line, gap, notes = 1, False, []
    for row in reader:
        number, line = line, reader.line_num + 1
        if number < first:
            continue
        if len(row) > width and not any(row[width:]):
            row = row[:width]
        if not any(row):
            gap = True
        elif len(row) == width:
            if notes:
                raise_width(*notes[0], width, separator)
            yield row
            gap = False
        elif row[0].startswith(COMMENT[:2]):
            skipped.append(describe_row("comment", f"line {number}", row))
        else:
            notes.append((number, row))
            if not gap and not is_footer([cell for cell in row if cell], 3):
                raise_width(number, row, width, separator)
    skipped += [describe_row("total or note", f"line {number}", row) for number, row in notes]


def raise_width(number: int, row: list[str], width: int, separator: str) -> None:
    """Raise DataError for a row that is longer or shorter than the header."""
    raise DataError(
        f"line {number} has {len(row)} values, the header has {width} names, separated by {separator!r}. "
        "A value that holds the separator must stand in quotes; is `ingest.separator` right? "
        f"`ingest.skip_rows: [{number}]` leaves the line out, `ingest.header_row` names the line with the names."
    )


def clean_lines(lines: Iterable[str], hints: Hints, separator: str) -> Iterator[str]:
    """Yield the lines of a file, an empty one for each that the user leaves out, blanks as one if they separate."""
    left_out = set(hints.skip_rows)
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = re.sub(r"^\ufeff?(sep=.(?=\r?\n))?", "", line)
        if number in left_out or (hints.comment and line.lstrip().startswith(hints.comment)):
            yield "\n"
        else:
            yield line.strip().replace("\t", " ") + "\n" if separator == " " else line


def check_last_quote(file: Path, last: object) -> None:
    """Raise DataError if the last value goes over lines and its quote is not closed: it has swallowed rows."""
    if isinstance(last, str) and "\n" in last:
        with file.open("rb") as stream:
            stream.seek(-min(file.stat().st_size, 8), 2)
            if not stream.read().replace(b"\0", b"").rstrip(b"\r\n").endswith(b'"'):
                raise DataError(f"the quote before {last[:40]!r} is never closed. Close it.")
