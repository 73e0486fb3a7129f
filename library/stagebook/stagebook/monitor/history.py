"""The records of all windows measured so far: reports/monitoring/history.json, oldest first."""

import json
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from ..project.errors import DataError
from ..project.files import write_json

__all__ = ["FILE", "append_record", "find_window", "read_history"]

FILE = "reports/monitoring/history.json"


def read_history(path: str | Path) -> list[dict]:
    """Return the window records, oldest first; [] if there is no file yet.

    Raises
    ------
    DataError
        The file is no list of window records.
    """
    path = Path(path)
    if not path.is_file():
        return []
    try:
        records = json.loads(path.read_text(encoding="utf-8"))["windows"]
        return sorted(records, key=_age)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is no history of windows ({type(error).__name__}: {error}). Delete it: the next run of "
            "pipelines/monitoring/90_monitor.ipynb measures the windows again from the prediction log."
        ) from None


def append_record(path: str | Path, record: dict) -> list[dict]:
    """Add a window record, in place of an earlier one of the same window; return the new history.

    The file is replaced as a whole, so that a killed process leaves the old one. Two processes wait for each other.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        others = [one for one in read_history(path) if one["window"]["name"] != record["window"]["name"]]
        history = sorted([*others, record], key=_age)
        write_json({"windows": history}, path)
    return history


def find_window(history: Sequence[dict], name: str) -> dict | None:
    """Return the record of a window; None if it was not measured."""
    return next((record for record in history if record["window"]["name"] == name), None)


def _age(record: dict) -> tuple[str, str]:
    return record["window"]["since"], record["window"]["name"]
