"""Find the table in a grid of cells: the header row, its names, and what stands above the first row of data."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from ...project.errors import DataError
from .columns import name_text
from .trim import COMMENT, are_units, is_rule, looks_like_data, show_cells

__all__ = ["Hints", "Layout", "Row", "check_header", "describe_top", "find_layout"]

Row = list[str]  # a cell is text, "" if it is empty; an empty line has no cells
TOP = 200  # rows in which a header is looked for


@dataclass(frozen=True)
class Hints:
    """What the user says about a file (`ingest` in params.yaml), and the columns that it must have.

    Numbers of rows are counted from 1: lines of a text file, rows of a sheet. Empty and 0 mean: find out.
    """

    separator: str = ""
    encoding: str = ""
    sheet: str = ""
    header_row: int = 0
    skip_rows: Sequence[int] = ()
    names: Sequence[str] = ()
    comment: str = ""
    expect: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Raise DataError for names that YAML does not read as text, and numbers that it does."""
        for key, kind, fix in (("names", str, "text; write it in quotes"), ("skip_rows", int, "the number of a row")):
            for value in getattr(self, key):
                if type(value) is not kind:
                    raise DataError(f"`ingest.{key}` has {value!r}; it must be {fix}.")

    def named(self, names: Sequence[str]) -> bool:
        """Tell whether all expected columns are among the names."""
        return bool(self.expect) and set(self.expect) <= set(names)


@dataclass
class Layout:
    """Where the table is in a grid."""

    names: list[str]
    header: int | None  # place of the (last) row of names; None if the file has none
    first: int  # place of the first row of data
    skipped: dict[int, str] = field(default_factory=dict)  # what each row above the data is that was left out

    def start(self, numbers: Sequence[int]) -> int:
        """Return the number of the first row of data, of the rows with these numbers."""
        return numbers[self.first] if self.first < len(numbers) else numbers[-1] + 1


def find_layout(rows: list[Row], hints: Hints, numbers: Sequence[int]) -> Layout:
    """Return where the table is in the first rows of a file.

    Parameters
    ----------
    rows : list of list of str
    hints : Hints
    numbers : sequence of int
        The line or row number of each row, as `header_row` counts.

    Raises
    ------
    DataError
        The header row that was named is not there, or the names do not fit the width of the table.
    """
    width = table_width(rows)
    if hints.header_row:
        if hints.header_row not in numbers or not rows[numbers.index(hints.header_row)]:
            raise DataError(f"`ingest.header_row` is {hints.header_row}, which is no row with names. Correct it.")
        place = list(numbers).index(hints.header_row)
        layout = read_names(rows, place, hints)
    elif hints.names:
        place = next((at for at, row in enumerate(rows) if len(row) == width), 0)
        same = list(map(name_text, rows[place])) == list(hints.names)
        layout = Layout(list(hints.names), place if same else None, place + same)
    else:
        place = find_header(rows, hints, width)
        layout = join_levels(rows, read_names(rows, place, hints), hints)
    return skip_below(rows, name_columns(layout, hints.names, width), width)


def name_columns(layout: Layout, names: Sequence[str], width: int) -> Layout:
    """Return the layout with the names that the user gives."""
    if names:
        wanted = width if layout.header is None else len(layout.names)
        if len(names) != wanted:
            raise DataError(f"`ingest.names` has {len(names)} names, the table {wanted} columns. Name each column.")
        layout.names = list(names)
    return layout


def read_names(rows: list[Row], place: int, hints: Hints) -> Layout:
    """Return the layout whose header is the row at `place`, below comments perhaps a comment itself: `# age, plan`."""
    row, above = without_mark(rows[place]), rows[place - 1] if place else []
    if row[0] not in hints.expect and not (above and above[0].startswith("#")):
        row = rows[place]  # `# of rooms` is a name
    return Layout(fit_width(row, rows[place + 1 :]), place, place + 1)


def table_width(rows: list[Row]) -> int:
    """Return how many cells most rows have; of equals the largest number."""
    counts = Counter(len(row) for row in rows if any(row))
    return max(counts, key=lambda width: (counts[width], width), default=0)


def filled(row: Row) -> int:
    """Return the number of cells that are not empty."""
    return sum(map(bool, row))


def fit_width(row: Row, body: list[Row]) -> list[str]:
    """Return the names in a header row, "" where it has none, as many as most rows below have cells.

    Data may have one more cell: a separator at the end of each line, or the names of the rows in the first column.
    """
    names, width = [name_text(cell) for cell in row], table_width(body)
    while len(names) > width > 0 and not names[-1]:
        names.pop()
    if len(names) + 1 == width and sum(len(row) == width for row in body) > 0.9 * sum(map(any, body)):
        last_is_empty = not any(row[-1] for row in body if len(row) == width)
        return [*names, ""] if last_is_empty else ["", *names]
    return names


def find_header(rows: list[Row], hints: Hints, width: int) -> int:
    """Return the place of the header: the row with the expected names, else the first as full as the data."""
    named = (find_names(rows, hints, wanted, width) for wanted in (set(hints.expect), set(hints.expect[:1])))
    if (place := next((place for place in named if place is not None), None)) is not None:
        return place
    usual = median([filled(row) for row in rows if len(row) == width] or [0])
    least = max(min(2, width), 0.6 * usual)
    full = [place for place, row in enumerate(rows[:TOP]) if len(row) >= width - 1 and filled(row) >= least]
    plain = [place for place in full if not rows[place][0].startswith(COMMENT)]
    if plain and full[0] < plain[0] and looks_like_data(rows[plain[0]], rows[plain[0] + 1 :]):
        return full[0]  # `# age, plan`, as NumPy writes the names
    return next(iter(plain or full or [place for place, row in enumerate(rows) if any(row)]), 0)


def find_names(rows: list[Row], hints: Hints, wanted: set, width: int) -> int | None:
    """Return the place of the first row that has the wanted names, and not as values."""
    for place, row in enumerate(rows[:TOP] if wanted else []):
        names = [name_text(cell) for cell in without_mark(row)]
        wide = (filled(row) > 1 or width == 1) and 2 * len(row) >= width
        if wide and wanted <= set(names) and not is_value(rows, place, names.index(hints.expect[0])):
            return place
    return None


def without_mark(row: Row) -> Row:
    """Return a row without the `# ` before its first cell."""
    return [re.sub(r"^#+ +", "", row[0]), *row[1:]] if row else row


def is_value(rows: list[Row], place: int, column: int) -> bool:
    """Tell whether a cell is a value of its column: other rows have it too, and its row looks like them."""
    others = [row for at, row in enumerate(rows) if row != rows[place] and len(row) == len(rows[place])]
    again = any(row[column] == rows[place][column] for row in others)
    return again and looks_like_data(rows[place], others)


def join_levels(rows: list[Row], layout: Layout, hints: Hints) -> Layout:
    """Return the layout with names of two rows joined by `_`, where one row alone leaves names empty or the same."""
    names, place = layout.names, layout.header
    empty = [at for at, name in enumerate(names) if not name]
    doubles = {name for name, count in Counter(names).items() if name and count > 1}
    joined = names
    for step in (1, 2) if empty or doubles else ():
        below, after = (rows[at] if at < len(rows) else [] for at in (place + step, place + step + 1))
        if len(below) != len(names):
            break
        joined = join_names(joined, below)
        fills = bool(empty) and all(joined) and filled(below) < min(len(names), filled(after))
        if fills or (doubles and hints.named(joined) and not hints.named(names)):
            upper = dict.fromkeys(range(place, place + step), "")
            return Layout(joined, place + step, place + step + 1, upper)
    above = rows[place - 1] if place else []
    if doubles and len(above) == len(names) and filled(above) > 1:
        joined = join_names(above, names)
        names = [new if old in doubles else old for old, new in zip(names, joined, strict=True)]
        return Layout(names, place, place + 1, {place - 1: ""})
    return layout


def join_names(upper: Row, lower: Row) -> list[str]:
    """Return `sales_2023` for 2023 below sales; an upper name stands over the empty cells to its right, too."""
    joined, group = [], ""
    for high, low in zip(map(name_text, upper), map(name_text, lower), strict=True):
        group = high or group
        joined.append(name_text((group, low)) if low else high)
    return joined


def skip_below(rows: list[Row], layout: Layout, width: int) -> Layout:
    """Return the layout with what is skipped above the header, and a line or units between it and the data."""
    top = layout.first if layout.header is None else layout.header
    for place in range(top):
        row = rows[place]
        what = "empty" if not any(row) else "comment" if row[0].startswith(COMMENT) else "title"
        layout.skipped.setdefault(place, what)
    layout.skipped = {place: what for place, what in layout.skipped.items() if what}
    while layout.header is not None and layout.first < len(rows) - 1:
        row = rows[layout.first]
        rule = is_rule(row)
        if any(row) and not rule and not are_units(row, rows[layout.first + 1 :]):
            break
        layout.skipped[layout.first] = "line" if rule else "units" if any(row) else "empty"
        layout.first += 1
    return layout


def describe_top(rows: list[Row], numbers: Sequence[int], layout: Layout, word: str) -> dict:
    """Return `header_row` (0 if there is none), and what was skipped above the data. `word`: what a row is called."""
    skipped = [
        {"what": what, "rows": 1, "where": f"{word} {numbers[at]}", "text": show_cells(rows[at])}
        for at, what in sorted(layout.skipped.items())
        if what != "empty"
    ]
    return {"header_row": 0 if layout.header is None else numbers[layout.header], "skipped": skipped}


def check_header(rows: list[Row], numbers: Sequence[int], layout: Layout, hints: Hints, how: str) -> None:
    """Raise DataError if no row has an expected name and what would be the header looks like data. `how`: as read."""
    if hints.header_row or hints.names or not hints.expect or layout.header is None:
        return
    named = [layout.names.index(name) for name in hints.expect if name in layout.names]
    row, body = rows[layout.header], rows[layout.first :]
    if named and (len(row) != len(layout.names) or not is_value(rows, layout.header, named[0])):
        return
    if len(row) == table_width(body) and looks_like_data(row, body):
        names = [hints.expect[0] if at == len(row) else f"column_{at}" for at in range(1, len(row) + 1)]
        raise DataError(
            f"it has no header: row {numbers[layout.header]} ({show_cells(row)}) looks like data, and no other row "
            f"has the name {hints.expect[0]!r}. Name the {len(row)} columns in `ingest.names` of params.yaml, for example "
            f"names: [{', '.join(names)}]. If there is a header, `ingest.header_row` is its number. "
            f"The file was read with {how}."
        )
