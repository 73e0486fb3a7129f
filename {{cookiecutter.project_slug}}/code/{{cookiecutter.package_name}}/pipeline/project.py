"""Where the project is and what it is called."""

import tomllib
from pathlib import Path

__all__ = ["StepError", "find_root", "project_name"]


class StepError(Exception):
    """A step that cannot go on. The message says what is wrong, where, and what to do; no traceback is shown."""


def find_root(start: str | Path = ".") -> Path:
    """Return the folder at or above `start` that holds dvc.yaml."""
    start = Path(start).resolve()
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise StepError(f"{start} is not inside a project: there is no dvc.yaml in it or above it.")


def project_name(root: Path) -> str:
    """Return the name that pyproject.toml gives the project."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
