"""Read a table from wherever it is: a file, a web address, an object store, a database."""

import tempfile
from pathlib import Path

import pandas as pd

from ...project.addresses import mask_addresses
from ...project.errors import DataError
from ..origin import describe_file
from .database import read_database
from .delimited import read_delimited
from .locations import fetch_file, is_database
from .typed_files import read_json, read_parquet, read_workbook
from .unpack import find_kind, unpack_file

__all__ = ["load_source", "read_source"]


def read_source(path: str, **how: str) -> pd.DataFrame:
    """Return the table at `path`; parameters and errors are those of `load_source`."""
    return load_source(path, **how)[0]


def load_source(
    path: str, *, separator: str = "", encoding: str = "", sheet: str = "", query: str = "", base: str | Path = "."
) -> tuple[pd.DataFrame, dict]:
    """Return the table at `path`, and the facts about where it came from.

    Parameters
    ----------
    path : str
        File, http(s) address, address that fsspec knows (`s3://`, `gs://`, `az://`, `sftp://`) or SQLAlchemy URL.
        Files are CSV and relatives, Parquet, Excel or JSON lines; .gz, .bz2, .xz and .zip are unpacked.
    separator, encoding : str
        Of a text file; found out if empty.
    sheet : str
        Of a workbook; the first one if empty.
    query : str
        Table or SELECT, for a database.
    base : str or Path
        Folder that a relative path starts from.

    Returns
    -------
    frame : text files give text in all columns; other kinds keep their types as far as `tidy_columns` does
    facts : origin (without secrets), kind, bytes, sha256, rows, columns, renamed, and the format found

    Raises
    ------
    DataError
        There is no such source, it cannot be read, or has no rows. Passwords are not shown.
    """
    if not path.strip():
        raise DataError("`ingest.path` in params.yaml is empty. Name a file, an address or a database there.")
    origin = mask_addresses(path)
    try:
        if is_database(path):
            kind, (frame, names, found) = "sql", read_database(path, query, Path(base))
        else:
            kind, (frame, names, found) = read_file(path, separator, encoding, sheet, Path(base))
        if frame.empty:
            raise DataError("it has columns, but no rows.")
    except DataError as error:
        raise DataError(f"{origin}: {error}") from error.__cause__
    renamed = [{"from": old, "to": new} for old, new in zip(names, frame.columns, strict=True) if old != new]
    shape = {"rows": len(frame), "columns": frame.shape[1], "renamed": renamed}
    return frame, {"origin": origin, "kind": kind} | found | shape


def read_file(
    path: str, separator: str, encoding: str, sheet: str, base: Path
) -> tuple[str, tuple[pd.DataFrame, list[str], dict]]:
    """Return the kind of a file, and its table with the names in the file and what was found out about it."""
    with tempfile.TemporaryDirectory(prefix="source-") as folder:
        file = fetch_file(path, base, Path(folder))
        inner = unpack_file(file, Path(folder))
        kind = find_kind(inner)
        if kind == "csv":
            frame, names, found = read_delimited(inner, separator, encoding)
        elif kind == "excel":
            frame, names, found = read_workbook(inner, sheet)
        else:
            frame, names, found = (read_parquet if kind == "parquet" else read_json)(inner)
        return kind, (frame, names, found | describe_file(file))
