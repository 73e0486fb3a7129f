"""Where data came from: what a file holds, and a log of what arrived when."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["describe_file", "log_arrival"]


def describe_file(path: str | Path) -> dict:
    """Return the size in bytes and the SHA-256 of a file of any size."""
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": Path(path).stat().st_size, "sha256": digest}


def log_arrival(folder: str | Path, name: str, facts: dict) -> None:
    """Append one line to `folder`/log.jsonl: the time in UTC, the table's `name`, and `facts` about its source.

    The log is no output of DVC and not in git: with times of day in it, two clones would never be equal.
    """
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "table": name} | facts
    with (Path(folder) / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line, ensure_ascii=False) + "\n")
