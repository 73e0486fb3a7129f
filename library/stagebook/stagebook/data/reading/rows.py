"""Read the rows of a text table below its header: fast with Arrow, else one by one, to say which line is wrong."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NoReturn

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv

from ...project.errors import DataError
from ..parsing.texts import MISSING
from .layout import Hints
from .limits import CELL, FIX, MEGABYTE, ROW, most_characters, take_lines
from .trim import COMMENT, describe_row, is_footer, is_rule

__all__ = ["FIXED", "Style", "clean_lines", "find_style", "is_odd", "read_body", "take_rows"]

FIXED, UNIT = "fixed", "\x1f"  # columns of characters; what is put between cells if a separator is not one character


@dataclass(frozen=True)
class Style:
    """How the lines of a text file are cut into cells."""

    separator: str  # " " is any number of blanks and tabs, FIXED are columns of characters
    quote: str | None = '"'
    escape: str | None = None
    cuts: tuple[int, ...] = ()  # where fixed columns begin

    @property
    def delimiter(self) -> str:
        """The one character that stands between cells after `cut`."""
        return self.separator if len(self.separator) == 1 else UNIT

    def rows(self, lines: Iterable[str], skipinitialspace: bool = True) -> Iterator[list[str]]:
        """Return a reader of lines that `clean_lines` gives; its `line_num` is that of the line."""
        quoting = csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE
        how = {"quotechar": self.quote, "quoting": quoting, "skipinitialspace": skipinitialspace}
        return csv.reader(
            lines, delimiter=self.delimiter, escapechar=self.escape, doublequote=self.escape is None, **how
        )

    def cut(self, line: str) -> str:
        """Return a line with one delimiter between its cells."""
        if self.separator == " ":
            return line.strip().replace("\t", " ") + "\n"
        if self.separator == FIXED:
            ends = [*self.cuts[1:], len(line)]
            if any(line[end - 1 : end].strip() and line[end : end + 1].strip() for end in self.cuts[1:]):
                return line  # text over all columns: a title, or a note
            return UNIT.join(line[start:end].strip() for start, end in zip(self.cuts, ends, strict=True)) + "\n"
        return line if len(self.separator) == 1 else line.replace(self.separator, UNIT)


def find_style(head: str, separator: str, expect: Sequence[str] = ()) -> Style:
    """Return how the lines at the start of a file are cut: with quotes `'` if there are no others, with `\\"` in quotes."""
    if separator == FIXED:
        return Style(separator, quote=None, cuts=find_cuts(head, expect))
    between = re.escape(separator)
    lines = head.splitlines()[:1000]
    single = sum(bool(re.search(rf"(^|{between}) *'[^']*'($|{between})", line)) for line in lines)
    quote = "'" if '"' not in head and 2 * single > len(lines) else '"'
    # A backslash before a quote that ends a value is a letter, as in "C:\\",
    escaped = any(re.search(rf"[^\\]\\{quote}(?!\s*({between}|$))", line) for line in lines)
    doubled = any(re.search(rf"[^\\\s{between}]{quote}{quote}", line) for line in lines)
    return Style(separator, quote, "\\" if escaped and not doubled else None)


def find_cuts(head: str, expect: Sequence[str]) -> tuple[int, ...]:
    """Return where columns of characters begin: in the middle of what is blank in all lines from the header on."""
    lines = [line for line in head.splitlines()[:1000] if line.strip()]
    named = (at for at, line in enumerate(lines) if expect and expect[0] in line)
    lines = lines[next(named, 0) :]
    usual = median(len(line.rstrip()) for line in lines)
    lines = [line for line in lines if len(line.rstrip()) >= 0.6 * usual]
    blank = [all(line[at : at + 1] in ("", " ") for line in lines) for at in range(max(map(len, lines), default=0))]
    cuts, start = [0], None
    for at, is_blank in enumerate(blank):
        if is_blank:
            start = at if start is None else start
        elif start:  # not the blanks at the beginning
            cuts.append((start + at + 1) // 2)
        start = start if is_blank else None
    return tuple(cuts)


def read_body(
    file: Path, hints: Hints, encoding: str, style: Style, first: int, names: list[str], head: str
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
    if is_odd(hints, style, head):
        return read_slowly(file, hints, encoding, style, first, names)
    try:
        frame = read_fast(file, style, encoding, first, names)
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise UnicodeError("a letter in it is none of UTF-8") from error
        frame, skipped = read_slowly(file, hints, encoding, style, first, names, skipinitialspace=False)
        if not skipped and not re.search("Expected|straddl", str(error)):  # none about numbers of cells, or long rows
            raise DataError(f'it cannot be read ({error}). Is a quote (") opened and never closed?') from error
        return frame, skipped
    if len(frame):
        check_last_quote(file, frame.iloc[-1, -1])
    return frame, []


def is_odd(hints: Hints, style: Style, head: str) -> bool:
    """Tell whether Arrow cannot cut the lines of a file: its separator, lines to leave out, blanks before quotes."""
    odd = style.separator in (" ", FIXED) or len(style.separator) > 1 or hints.comment or hints.skip_rows
    return bool(odd or re.search(f"{re.escape(style.separator)} +{style.quote}", head))  # Arrow keeps the blanks


def read_fast(file: Path, style: Style, encoding: str, first: int, names: list[str]) -> pd.DataFrame:
    """Read a table with Arrow: seconds for millions of rows. A row must fit into two blocks."""
    block = min(most_characters(ROW), 2**31) // 2
    table = arrow_csv.read_csv(
        file,
        arrow_csv.ReadOptions(skip_rows=first - 1, column_names=names, encoding=encoding, block_size=block),
        arrow_csv.ParseOptions(
            delimiter=style.separator,
            quote_char=style.quote,
            escape_char=style.escape or False,
            double_quote=style.escape is None,
            newlines_in_values=True,
        ),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.large_string()), null_values=MISSING, strings_can_be_null=True
        ),
    )
    return table.to_pandas()


def read_slowly(
    file: Path, hints: Hints, encoding: str, style: Style, first: int, names: list[str], skipinitialspace: bool = True
) -> tuple[pd.DataFrame, list[dict]]:
    """Read a table row by row; return it, and the comments and notes that were left out."""
    skipped: list[dict] = []
    with file.open(encoding=encoding, newline="") as stream:
        reader = style.rows(clean_lines(take_lines(stream), hints, style), skipinitialspace)
        try:
            rows = list(take_rows(reader, len(names), first, style.separator, skipped))
        except csv.Error as error:
            raise_cell(error, reader.line_num)
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
        row = row[:width] if len(row) > width and not any(row[width:]) else row
        footer = any(row) and is_footer([cell for cell in row if cell], width)
        if not any(row):
            gap = True
        elif len(row) == width and not (notes and footer):
            if notes:
                raise_width(*notes[0], width, separator)
            yield row
            gap = False
        elif row[0].startswith(COMMENT[:2]) or is_rule(row):
            skipped.append(describe_row("line" if is_rule(row) else "comment", f"line {number}", row))
        else:
            notes.append((number, row))
            if not gap and not footer and not is_footer([cell for cell in row if cell], 3):
                raise_width(number, row, width, separator)
    skipped += [describe_row("total or note", f"line {number}", row) for number, row in notes]


def raise_width(number: int, row: list[str], width: int, separator: str) -> None:
    """Raise DataError for a row that is longer or shorter than the header."""
    raise DataError(
        f"line {number} has {len(row)} values, the header has {width} names, separated by {separator!r}. "
        "A value that holds the separator must stand in quotes; is `ingest.separator` right? "
        f"`ingest.skip_rows: [{number}]` leaves the line out, `ingest.header_row` names the line with the names."
    )


def raise_cell(error: csv.Error, line: int) -> NoReturn:
    """Raise DataError for a row that `csv` cannot read; most often a quote without its end has taken rows into a cell."""
    if "field larger" not in str(error):
        raise DataError(f"line {line} cannot be read ({error}).") from error
    most = most_characters(CELL) / MEGABYTE
    raise DataError(
        f"a value has more than {most:,g} MB at line {line}. Is a quote opened and never closed? {FIX.format(CELL)}"
    ) from error


def clean_lines(lines: Iterable[str], hints: Hints, style: Style) -> Iterator[str]:
    """Yield the lines of a file with one delimiter between cells; an empty line for each that the user leaves out."""
    left_out = set(hints.skip_rows)
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = re.sub(r"^\ufeff?(sep=.(?=\r?\n))?", "", line)
        out = number in left_out or (hints.comment and line.lstrip().startswith(hints.comment))
        yield "\n" if out else style.cut(line)


def check_last_quote(file: Path, last: object) -> None:
    """Raise DataError if the last value goes over lines and its quote is not closed: it has swallowed rows."""
    if isinstance(last, str) and "\n" in last:
        with file.open("rb") as stream:
            stream.seek(-min(file.stat().st_size, 8), 2)
            if not stream.read().replace(b"\0", b"").rstrip(b"\r\n").endswith(b'"'):
                raise DataError(f"the quote before {last[:40]!r} is never closed. Close it.")
