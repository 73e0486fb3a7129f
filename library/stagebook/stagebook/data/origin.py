"""Where data came from: what a file holds, and a log of what arrived when."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pandas as pd

from ..project.errors import DataError
from ..project.root import find_root, local_folder

__all__ = ["describe_file", "describe_source", "find_package_files", "log_arrival"]


def describe_file(path: str | Path) -> dict:
    """Return the size in bytes and the SHA-256 of a file of any size."""
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": Path(path).stat().st_size, "sha256": digest}


def describe_source(file: Path, frame: pd.DataFrame) -> dict:
    """Return name, size in bytes, SHA-256 and shape of a source file, and of the table that was read from it."""
    return {"file": file.name} | describe_file(file) | {"rows": len(frame), "columns": frame.shape[1]}


def find_package_files(package: str, tables: Iterable[str]) -> dict[str, Path]:
    """Return the CSV file (zipped or not) of each table in an installed package, without importing the package.

    Raises
    ------
    DataError
        The package is not installed, or lacks a file.
    """
    try:
        files = distribution(package).files or []
    except PackageNotFoundError as error:
        raise DataError(f"The package {package} is not installed. `make setup` installs it.") from error
    found = {file.name.split(".")[0]: Path(file.locate()) for file in files if ".csv" in file.name}
    if missing := [table for table in tables if table not in found or not found[table].is_file()]:
        raise DataError(f"{package} has no CSV file for {', '.join(missing)}. `make setup` installs it again.")
    return {table: found[table] for table in tables}


def log_arrival(name: str, facts: dict) -> None:
    """Append one line to .local/arrivals.jsonl of the project that this runs in: the time in UTC, the table's `name`, and `facts` about its source.

    The log is no output of DVC and not in git: with times of day in it, two clones would never be equal.
    """
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "table": name} | facts
    with (local_folder(find_root()) / "arrivals.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line, ensure_ascii=False) + "\n")
