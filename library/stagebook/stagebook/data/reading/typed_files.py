"""Read files whose values have types: Parquet, Excel, JSON lines. Types stay as far as Parquet can hold them."""

import json
import warnings
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ...project.errors import DataError
from ..parsing.texts import MISSING
from .columns import name_text, tidy_columns

__all__ = ["read_json", "read_parquet", "read_workbook"]

Table = tuple[pd.DataFrame, list[str], dict]  # the frame, the names of its columns in the file, what was found out


def read_parquet(file: Path) -> Table:
    """Read a Parquet file. An index with a name, or with other values than row numbers, becomes columns."""
    wide = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}  # else a missing value makes them floats
    try:
        frame = parquet.read_table(file).to_pandas(types_mapper=wide.get, date_as_object=False)
    except (OSError, ValueError, NotImplementedError) as error:
        raise DataError(f"it cannot be read as Parquet ({error}). Fetch or make it again.") from error
    index = frame.index
    if any(name is not None for name in index.names) or not pd.api.types.is_integer_dtype(index.dtype):
        frame = frame.reset_index(allow_duplicates=True)
    return tidy_columns(frame), [name_text(name) for name in frame.columns], {}


def read_workbook(file: Path, sheet: str = "") -> Table:
    """Read a sheet of an Excel file: names in the first row that is not empty, formulas by their last result.

    Empty rows, and empty columns without a name, are left out. Text such as NA is missing, as in a CSV file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and menus in the file that openpyxl leaves out
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
            sheets = {one.title: one for one in workbook.worksheets}
            if sheet and sheet not in sheets:
                raise DataError(f"there is no sheet {sheet!r}. `ingest.sheet` can be {', '.join(sheets)}.")
            sheet = sheet or next(iter(sheets))
            sheets[sheet].reset_dimensions()  # what the file says about its size is often wrong
            rows = [row for row in sheets[sheet].iter_rows(values_only=True) if any(cell is not None for cell in row)]
            workbook.close()
    except DataError:
        raise
    except Exception as error:  # openpyxl raises whatever the broken part gives
        raise DataError(f"it cannot be read as Excel ({error}). Has it a password? Save it as .xlsx again.") from error
    if not rows:
        raise DataError(f"sheet {sheet!r} is empty. Name another one in `ingest.sheet`: {', '.join(sheets)}.")
    frame = pd.DataFrame(rows, dtype=object)
    frame = frame.mask(frame.isin(MISSING))
    names, body = [name_text(name) for name in frame.iloc[0]], frame.iloc[1:]
    used = [place for place, name in enumerate(names) if name or body.iloc[:, place].notna().any()]
    names = [names[place] for place in used]
    return tidy_columns(body.iloc[:, used].set_axis(names, axis=1)), names, {"sheet": sheet}


def read_json(file: Path) -> Table:
    """Read records, one in a line or all in one list. Lists and records within them become JSON text."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        records = json.loads(text) if text.lstrip().startswith("[") else read_lines(text)
    except UnicodeDecodeError as error:
        raise DataError(f"it is not UTF-8, as JSON must be ({error}). Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise DataError(f"it is not JSON ({error}). Mend it, or make it again.") from error
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise DataError(f"record {number} is {str(record)[:40]!r}. Each one must give columns with their values.")
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {name: pd.Series([record.get(name) for record in records], dtype=object) for name in names}
    return tidy_columns(pd.DataFrame(columns)), names, {}


def read_lines(text: str) -> list:
    """Return the JSON values in the lines of `text`; raise DataError with the number of a line that holds none."""
    values = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            values += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise DataError(f"line {number} is not JSON ({error}). Each line must hold one whole record.") from error
    return values
