"""Where the project is, what it is called, and how its commands end."""

import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

__all__ = ["StepError", "exit_code", "find_root", "project_home", "project_name", "step_environment"]


class StepError(Exception):
    """A step that cannot go on. The message says what is wrong, where, and what to do; no traceback is shown."""


def exit_code(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit code; turn what it raises into a message."""
    try:
        return command() or 0
    except StepError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. `dvc repro` goes on from this step.", file=sys.stderr)
        return 130


def find_root(start: str | Path = ".") -> Path:
    """Return the folder at or above `start` that holds dvc.yaml."""
    start = Path(start).resolve()
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise StepError(f"{start} is not inside a project: there is no dvc.yaml in it or above it.")


def project_home(root: Path) -> Path:
    """Return the project that owns `root`: `dvc exp run --temp` works in a copy below .dvc/tmp, thrown away later."""
    for folder in root.parents:
        if folder.name == ".dvc":
            return folder.parent
    return root


def project_name(root: Path) -> str:
    """Return the name that pyproject.toml gives the project."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]


def step_environment() -> dict[str, str]:
    """Return the variables that an interpreter needs from its start so that its steps are reproducible and quiet."""
    return {
        "PYTHONHASHSEED": "0",
        # How long a thread that waits keeps its core: at once is slow on a quiet machine, long on a busy one.
        "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT") or "1000",
        "MPLBACKEND": os.environ.get("MPLBACKEND") or "module://matplotlib_inline.backend_inline",  # as a kernel has
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # no warning from the kernel's debugger
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS") or "ignore:IProgress not found",
        "MLFLOW_LOGGING_LEVEL": os.environ.get("MLFLOW_LOGGING_LEVEL") or "WARNING",
    }
