"""Read and write the files between two steps: errors name the file, and nothing is left half-written."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

__all__ = ["DataError", "read_table", "replace_file", "replace_folder", "write_json", "write_table"]


class DataError(ValueError):
    """Data that a step cannot work with. The message names file, column and value, and says what to do."""


@contextmanager
def replace_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` once the block has succeeded.

    The temporary name keeps the suffix of `path`, so that writers which look at it (Matplotlib) work.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".partial-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replace_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; put it in place of `path`, old files and all, once the block has succeeded."""
    path = Path(path)
    temporary = path.with_name(f".partial-{path.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file that an earlier step wrote.

    Parameters
    ----------
    path : str or Path
    columns : sequence of str, optional
        Columns that must be there; only these are read. All columns if not given.

    Raises
    ------
    DataError
        The file is missing or not Parquet, or a column is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is missing. `dvc repro` makes it, `dvc pull` brings it from the remote.")
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as Parquet ({error}). `dvc checkout` brings the last good one."
        ) from error
    if columns is None:
        return frame
    if missing := [column for column in columns if column not in frame.columns]:
        raise DataError(
            f"{path}: column {', '.join(map(repr, missing))} is missing. It has {', '.join(frame.columns)}."
        )
    return frame[list(columns)]


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write `frame` without its index as Parquet: the same frame gives the same bytes."""
    with replace_file(path) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")


def write_json(values: dict, path: str | Path) -> None:
    """Write `values` as indented JSON. Numbers only as deep as they mean something: round them before."""
    with replace_file(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
