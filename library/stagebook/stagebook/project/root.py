"""Where the project is, what it is called, and how its commands end."""

import os
import resource
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from .errors import StagebookError, StepError

__all__ = [
    "exit_code",
    "find_notebooks",
    "find_pipelines",
    "find_root",
    "local_folder",
    "memory_limit",
    "pipeline_of",
    "project_home",
    "project_name",
]

PIPELINES = "pipelines"  # below it, a folder for each pipeline beside the main one, with its own dvc.yaml


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
    """Return the project at or above `start`: the folder with the dvc.yaml of the main pipeline."""
    start = Path(start).resolve()
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").is_file() and not _is_side_pipeline(folder):
            return folder
    raise StepError(f"{start} is not inside a project: there is no dvc.yaml in it or above it.")


def _is_side_pipeline(folder: Path) -> bool:
    return folder.parent.name == PIPELINES and (folder.parent.parent / "dvc.yaml").is_file()


def pipeline_of(root: Path, notebook: Path) -> Path:
    """Return the folder with dvc.yaml and params.yaml of a notebook: the project, or a folder of pipelines/."""
    return notebook.parent if notebook.parent in find_pipelines(root) else root


def find_pipelines(root: Path) -> list[Path]:
    """Return the folders with a dvc.yaml: the project, and those in pipelines/ by name."""
    return [root, *sorted(file.parent for file in (root / PIPELINES).glob("*/dvc.yaml"))]


def find_notebooks(root: Path, pipeline: Path | None = None) -> list[Path]:
    """Return the notebooks of one pipeline, or those of all, in their order."""
    folders = find_pipelines(root) if pipeline is None else [pipeline]
    places = [folder / "notebooks" if folder == root else folder for folder in folders]
    return [notebook for place in places for notebook in sorted(place.glob("*.ipynb"))]


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
