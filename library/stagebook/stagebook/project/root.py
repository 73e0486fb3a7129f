"""Where the project is, what it is called, and how its commands end."""

import os
import resource
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from .errors import StagebookError, StepError

__all__ = ["exit_code", "find_root", "local_folder", "memory_limit", "project_home", "project_name"]


def exit_code(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit code; turn what it raises into a message."""
    try:
        code = command() or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `stagebook gate | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except StagebookError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print(f"ERROR: out of memory{memory_limit()}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. `dvc repro` goes on from this step.", file=sys.stderr)
        return 130


def memory_limit() -> str:
    """Return the limit on this process's memory as words in brackets, with the fix; nothing if there is none."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return "" if soft == resource.RLIM_INFINITY else f" (`ulimit -v` is {soft // 1024} kB: raise it, or use fewer rows)"


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


def local_folder(root: Path) -> Path:
    """Return the folder for state of this machine (`.local/`), which git ignores; made if it is not there."""
    folder = project_home(root) / ".local"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StepError(
            f"{folder} cannot be made: {error.strerror}. A step needs to write to the project's folder."
        ) from error
    return folder
