"""Read and write the tables between two steps: errors name the file, and nothing is left half-written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ..project.errors import DataError
from ..project.files import replace_file

__all__ = ["read_table", "set_columns", "write_table"]


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


def set_columns(frame: pd.DataFrame, columns: Mapping[str, object]) -> pd.DataFrame:
    """Return `frame` with these columns added or replaced. Unlike `assign`, it takes any name: `self` is one of users."""
    changed = frame.copy(deep=False)
    for name, values in columns.items():
        changed[name] = values
    return changed
