"""Read CSV and its relatives as text: separator, encoding and header are found out, no value is changed."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from ...project.errors import DataError
from ..parsing.texts import MISSING
from .columns import tidy_names
from .text_encoding import SAMPLE, check_encoding, find_encoding, find_old_encoding

__all__ = ["read_delimited"]

SEPARATORS = ",;\t|"
LONGEST = 1 << 24  # bytes in a row; a longer one is a quote that was never closed


def read_delimited(file: Path, separator: str = "", encoding: str = "") -> tuple[pd.DataFrame, list[str], dict]:
    """Read a text table.

    Returns
    -------
    frame : all columns as text, named as `tidy_names` does; values in MISSING, quoted or not, are missing
    names : the names as they are in the file
    found : separator and encoding

    Raises
    ------
    DataError
        The file is empty, not text, not in this encoding, or a row is longer or shorter than the header.
    """
    known = check_encoding(encoding) if encoding else find_encoding(file)
    try:
        return read_decoded(file, separator, known)
    except UnicodeError as error:
        if encoding or known != "utf-8":
            raise DataError(f"it is not in {known} ({error}). Set `ingest.encoding` in params.yaml.") from error
    return read_decoded(file, separator, find_old_encoding(file))  # only the first megabyte is UTF-8


def read_decoded(file: Path, separator: str, encoding: str) -> tuple[pd.DataFrame, list[str], dict]:
    """Read a text table of known encoding; raise UnicodeError if it is another."""
    csv.field_size_limit(2**31 - 1)  # of one value; the default would stop at long texts
    with file.open(encoding=encoding, errors="replace", newline="") as stream:
        head = stream.read(SAMPLE).removeprefix("\ufeff")
    if not head.strip():
        raise DataError("it is empty.")
    if re.match(r"\s*<(!doctype )?html", head, re.IGNORECASE):
        raise DataError("it is a web page, not a table. Give the address of the file itself.")
    announced = re.match(r"sep=(.)\r?\n", head)  # as Excel writes it
    separator = check_separator(separator) or (announced[1] if announced else find_separator(head))
    skip, names = find_header(head, separator, 1 if announced else 0)
    read = read_slowly if re.search(re.escape(separator) + ' +"', head) else read_fast
    frame = read(file, separator, encoding, skip, tidy_names(names))
    return frame, names, {"separator": separator, "encoding": encoding}


def check_separator(separator: str) -> str:
    """Return a separator as one character, or ""."""
    separator = {"\\t": "\t", "tab": "\t"}.get(separator, separator)
    if len(separator) > 1 or separator in ('"', "\n", "\r"):
        raise DataError(f"`ingest.separator` is {separator!r}; it is one character, such as , ; | or tab.")
    return separator


def find_separator(head: str) -> str:
    """Return the separator by which most rows have as many values as the header; of equals, that with most columns."""

    def fit(separator: str) -> tuple[float, int]:
        rows = [row for row in islice(csv.reader(io.StringIO(head, newline=""), delimiter=separator), 200) if row]
        complete = rows[:-1] if len(head) >= SAMPLE or len(rows) == 200 else rows
        width = len(rows[0])
        return (sum(len(row) == width for row in complete) / max(len(complete), 1) if width > 1 else 0), width

    return max(SEPARATORS, key=fit)


def find_header(head: str, separator: str, skip: int) -> tuple[int, list[str]]:
    """Return how many lines are before the header, and its names."""
    rows = list(islice(csv.reader(io.StringIO(head, newline=""), delimiter=separator, skipinitialspace=True), 1000))
    while skip < len(rows) and not rows[skip]:
        skip += 1
    if not any(rows[skip + 1 :]) and len(head) < SAMPLE:
        raise DataError("it has a header and no rows.")
    return skip, rows[skip]


def read_fast(file: Path, separator: str, encoding: str, skip: int, names: list[str]) -> pd.DataFrame:
    """Read a table with Arrow: seconds for millions of rows."""
    try:
        table = arrow_csv.read_csv(
            file,
            arrow_csv.ReadOptions(
                skip_rows=skip, column_names=names, skip_rows_after_names=1, encoding=encoding, block_size=LONGEST
            ),
            arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()), null_values=MISSING, strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise UnicodeError("a letter in it is none of UTF-8") from error
        for _ in read_rows(file, separator, encoding, skip, len(names)):
            pass
        raise DataError(f'it cannot be read ({error}). Is a quote (") opened and never closed?') from error
    frame = table.to_pandas()
    if len(frame):
        check_last_quote(file, frame.iloc[-1, -1])
    return frame


def read_slowly(file: Path, separator: str, encoding: str, skip: int, names: list[str]) -> pd.DataFrame:
    """Read a table with blanks between separator and quote, which Arrow takes for a part of the value."""
    rows = list(read_rows(file, separator, encoding, skip, len(names), skipinitialspace=True))
    frame = pd.DataFrame(rows, columns=names, dtype="str")
    return frame.mask(frame.isin(MISSING))


def read_rows(file: Path, separator: str, encoding: str, skip: int, width: int, **style: bool) -> Iterator[list[str]]:
    """Yield the rows after the header; raise DataError at the first that has not `width` values."""
    with file.open(encoding=encoding, newline="") as stream:
        reader = csv.reader(stream, delimiter=separator, **style)
        for _ in range(skip + 1):
            next(reader)
        line = reader.line_num + 1
        for row in reader:
            if row and len(row) != width:
                raise DataError(
                    f"line {line} has {len(row)} values, the header has {width} names, separated by {separator!r}. "
                    "A value that holds the separator must stand in quotes; is `ingest.separator` right?"
                )
            if row:
                yield row
            line = reader.line_num + 1


def check_last_quote(file: Path, last: object) -> None:
    """Raise DataError if the last value goes over lines and its quote is not closed: it has swallowed rows."""
    if isinstance(last, str) and "\n" in last:
        with file.open("rb") as stream:
            stream.seek(-min(file.stat().st_size, 8), 2)
            if not stream.read().replace(b"\0", b"").rstrip(b"\r\n").endswith(b'"'):
                raise DataError(f"the quote before {last[:40]!r} is never closed. Close it.")
