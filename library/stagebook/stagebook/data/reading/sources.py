"""Read a table from wherever it is: a file, a web address, an object store, a database."""

import tempfile
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from ...project.addresses import mask_addresses
from ...project.errors import DataError
from ...project.root import find_root
from ..origin import describe_file
from .database import read_database
from .delimited import read_delimited
from .json_files import read_json
from .layout import Hints
from .limits import check_cells
from .locations import fetch_file, is_database
from .typed_files import Table, read_parquet, read_workbook
from .unpack import find_kind, unpack_file

__all__ = ["expected_columns", "load_source", "read_source"]


def read_source(path: str, **how: object) -> pd.DataFrame:
    """Return the table at `path`; parameters and errors are those of `load_source`."""
    return load_source(path, **how)[0]


def load_source(path: str, *, query: str = "", base: str | Path = ".", **how: object) -> tuple[pd.DataFrame, dict]:
    """Return the table at `path`, and the facts about where it came from and how it was understood.

    Parameters
    ----------
    path : str
        File, http(s) address, address that fsspec knows (`s3://`, `gs://`, `az://`, `sftp://`) or SQLAlchemy URL.
        Files are CSV and relatives, Parquet, Excel or JSON; .gz, .bz2, .xz and .zip are unpacked.
    query : str
        Table or SELECT, for a database.
    base : str or Path
        Folder that a relative path starts from.
    **how
        The fields of `Hints`, all found out if they are not given: `separator` and `encoding` of a text file, `sheet` of a
        workbook, `header_row` and `skip_rows` (numbers of lines or rows, from 1), `comment` (how a line begins that is
        none of the table), `names` of the columns, and `expect`, names that the table must have.

    Returns
    -------
    frame : text files give text in all columns; other kinds keep their types as far as `tidy_columns` does
    facts : origin (without secrets), kind, bytes, sha256, rows, columns, renamed, the format found, and `skipped`: what
        was left out of a text file or a sheet, as what, rows, where and text

    Raises
    ------
    DataError
        There is no such source, it cannot be read, has no header or no rows. Passwords are not shown.
    """
    if not path.strip():
        raise DataError("`ingest.path` in params.yaml is empty. Name a file, an address or a database there.")
    origin = mask_addresses(path)
    try:
        if is_database(path):
            kind, (frame, names, found) = "sql", read_database(path, query, Path(base))
        else:
            kind, (frame, names, found) = read_file(path, Hints(**how), Path(base))
        if frame.empty:
            raise DataError("it has columns, but no rows.")
        check_cells(frame)
    except DataError as error:
        raise DataError(f"{origin}: {error}") from error.__cause__
    renamed = [{"from": old, "to": new} for old, new in zip(names, frame.columns, strict=True) if old != new]
    shape = {"rows": len(frame), "columns": frame.shape[1], "renamed": renamed}
    return frame, {"origin": origin, "kind": kind} | {"skipped": []} | found | shape


def read_file(path: str, hints: Hints, base: Path) -> tuple[str, Table]:
    """Return the kind of a file, and its table with the names in the file and what was found out about it."""
    readers = {"csv": read_delimited, "excel": read_workbook, "json": read_json, "parquet": read_parquet}
    with tempfile.TemporaryDirectory(prefix="source-") as folder:
        file = fetch_file(path, base, Path(folder))
        inner = unpack_file(file, Path(folder))
        kind = find_kind(inner)
        frame, names, found = readers[kind](inner, hints)
        return kind, (frame, names, found | describe_file(file))


def expected_columns() -> list[str]:
    """Return target and time column that `schema` of the project's params.yaml names: a header must have them."""
    sections = YAML(typ="safe").load((find_root() / "params.yaml").read_text(encoding="utf-8")) or {}
    section = sections.get("schema") or {}
    return [str(section[name]) for name in ("target", "time_column") if section.get(name)]
