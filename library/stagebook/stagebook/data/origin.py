"""Where data came from: what a file holds, and a log of what arrived when."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from ..project.root import find_root, local_folder

__all__ = ["describe_file", "log_arrival"]


def describe_file(path: str | Path) -> dict:
    """Return the size in bytes and the SHA-256 of a file of any size."""
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": Path(path).stat().st_size, "sha256": digest}


def log_arrival(name: str, facts: dict) -> None:
    """Append one line to .local/arrivals.jsonl of the project that this runs in: the time in UTC, the table's `name`, and `facts` about its source.

    The log is no output of DVC and not in git: with times of day in it, two clones would never be equal.
    """
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "table": name} | facts
    with (local_folder(find_root()) / "arrivals.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line, ensure_ascii=False) + "\n")
