"""Read Parquet and Excel files. Types stay as far as Parquet can hold them."""

import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ...project.errors import DataError
from ..parsing.texts import MISSING
from .columns import name_text, tidy_columns
from .layout import Hints, check_header, describe_top, find_layout
from .trim import trim_table

__all__ = ["Table", "find_table", "read_parquet", "read_workbook"]

TOP = 200  # rows of a sheet in which names are looked for
Table = tuple[pd.DataFrame, list[str], dict]  # the frame, the names of its columns in the file, what was found out


def read_parquet(file: Path, hints: Hints) -> Table:
    """Read a Parquet file; nothing in it is to be found out. An index with a name, or with other values than row numbers, becomes columns."""
    wide = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}  # else a missing value makes them floats
    try:
        frame = parquet.read_table(file).to_pandas(types_mapper=wide.get, date_as_object=False)
    except (OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"it cannot be read as Parquet ({error}). Fetch or make it again.") from error
    index = frame.index
    if any(name is not None for name in index.names) or not pd.api.types.is_integer_dtype(index.dtype):
        frame = frame.reset_index(allow_duplicates=True)
    return tidy_columns(frame), [name_text(name) for name in frame.columns], {}


def read_workbook(file: Path, hints: Hints) -> Table:
    """Read a sheet of an Excel file, the first one that has the expected names; formulas by their last result.

    The table may have titles above and totals below it. Empty rows, and empty columns without a name, are left out.
    Text such as NA is missing, as in a CSV file.
    """
    try:
        import openpyxl  # other files need none
    except ModuleNotFoundError:
        raise DataError(
            'Excel needs openpyxl: add "stagebook[sources]" to pyproject.toml and run `make setup`.'
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and menus in the file that openpyxl leaves out
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheets = {one.title: one for one in workbook.worksheets}
            if hints.sheet and hints.sheet not in sheets:
                raise DataError(f"there is no sheet {hints.sheet!r}. `ingest.sheet` can be {', '.join(sheets)}.")
            names = [hints.sheet] if hints.sheet else list(sheets)
            chosen = next((name for name in names if has_names(sheets[name], hints)), names[0])
            rows = dict(read_cells(sheets[chosen], hints))
            workbook.close()
    except DataError:
        raise
    except Exception as error:  # openpyxl raises any error that the broken part gives
        raise DataError(f"it cannot be read as Excel ({error}). Has it a password? Save it as .xlsx again.") from error
    if not rows:
        raise DataError(f"sheet {chosen!r} is empty. Name another one in `ingest.sheet`: {', '.join(sheets)}.")
    frame, names, found = find_table(rows, hints, chosen)
    return frame, names, {"sheet": chosen} | found


def read_cells(sheet: object, hints: Hints) -> Iterator[tuple[int, tuple]]:
    """Yield number and cells of the rows that are not empty, without those that the user leaves out."""
    sheet.reset_dimensions()  # what the file says about its size is often wrong
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        comment = hints.comment and row and str(row[0] or "").startswith(hints.comment)
        if number not in hints.skip_rows and not comment and any(cell is not None for cell in row):
            yield number, row


def has_names(sheet: object, hints: Hints) -> bool:
    """Tell whether one of the first rows of a sheet has the expected names."""
    return bool(hints.expect) and any(
        hints.named(list(map(name_text, row))) for _, row in islice(read_cells(sheet, hints), TOP)
    )


def find_table(rows: dict[int, tuple], hints: Hints, sheet: str = "") -> Table:
    """Return the table in the rows of a sheet or of nested lists, by their numbers."""
    width = max(map(len, rows.values()))
    rows = {number: (*row, *[None] * (width - len(row))) for number, row in rows.items()}
    grid = [[name_text(cell) for cell in row] for row in islice(rows.values(), 1000)]
    numbers = list(rows)
    layout = find_layout(grid, hints, numbers)
    check_header(grid, numbers, layout, hints, f"sheet {sheet!r}")
    start = layout.start(numbers)
    gaps = {number - 1: (None,) * width for number in numbers if number > start and number - 1 not in rows}
    body = pd.DataFrame([row for number, row in sorted((rows | gaps).items()) if number >= start], dtype=object)
    body = body.reindex(columns=range(len(layout.names)))
    body, names, trimmed = trim_table(body.mask(body.isin(MISSING)), layout.names)
    found = describe_top(grid, numbers, layout, "row")
    return tidy_columns(body.set_axis(names, axis=1)), names, found | {"skipped": found["skipped"] + trimmed}
