"""The pinned versions of a project, and its wheels."""

import subprocess
import sys
from pathlib import Path
from shlex import quote

from ..project.errors import StepError

__all__ = ["build_wheels", "prepare_git", "resolve_constraints"]

PYTHONS = ("3.11", "3.12", "3.13")
# Neither an address of an index nor a path of this machine gets into the files.
PLAIN = (
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-emit-package",
    "stagebook",
)


def prepare_git(root: Path) -> None:
    """Make a repository if there is none, and tell git of the commit hook and the merge driver for notebooks.

    Raises
    ------
    StepError
        The project is inside another repository, and whether it belongs to that is not clear.
    """

    def run(*words: str) -> None:
        subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)

    is_part = not (root / ".git").exists() and _is_part_of_another(root)
    if not (root / ".git").exists() and not is_part:
        run("git", "init", "--quiet", "--initial-branch=main")
    folder = Path(sys.executable).parent
    driver = folder.relative_to(root) if folder.is_relative_to(root) and not is_part else folder
    run("git", "config", "merge.jupyternotebook.name", "merge notebooks cell by cell")
    # `exec` in front: DVC's experiments read .git/config with a parser that refuses a value that starts with a quote.
    run("git", "config", "merge.jupyternotebook.driver", f"exec {quote(f'{driver}/nbdev-merge')} %O %A %B %P")
    if not is_part:  # pre-commit wants its settings at the top of the repository
        run("pre-commit", "install")


def _is_part_of_another(root: Path) -> bool:
    """Return True if a repository above has files of the project, False if there is none or it ignores the project."""

    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", *words], cwd=root, check=False, capture_output=True, text=True)

    above = git("rev-parse", "--show-toplevel").stdout.strip()
    if not above or git("check-ignore", "--quiet", ".").returncode == 0:
        return False
    if git("ls-files", ".").stdout:
        print(
            f"NOTE: the project is a part of {above}: run `make check` before commits, there is no commit hook for it."
        )
        return True
    raise StepError(
        f"{root} is inside the git repository {above}. Choose, and repeat `make setup`:\n"
        "  git init        makes it a repository of its own; let the other one ignore its folder\n"
        "  git add .       makes it a part of the other one; workflows and the commit hook work at its top only\n"
        "  or move it to another place."
    )


def resolve_constraints(root: Path) -> None:
    """Write environments/constraints-<Python>.txt: the newest versions that pyproject.toml allows, for each Python."""
    for python in PYTHONS:
        file = f"environments/constraints-{python}.txt"
        groups = ["--group", "dev", "--group", "docs"]
        options = ["--quiet", "--upgrade", "--universal", "--python-version", python, *PLAIN, "--output-file", file]
        _uv(root, "pip", "compile", "pyproject.toml", *groups, *options)


def build_wheels(root: Path) -> None:
    """Write the wheels of the project's package and of the library to dist/: a consumer installs both."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    pins = root / "environments" / f"constraints-{python}.txt"
    for source in (".", "vendor/stagebook"):
        if (root / source / "pyproject.toml").is_file():
            _uv(root, "build", "--quiet", "--wheel", "--out-dir", "dist", "--build-constraint", str(pins), source)


def _uv(root: Path, *words: str) -> None:
    if subprocess.run(["uv", *words], cwd=root, check=False).returncode:
        raise StepError(f"`uv {words[0]} {words[1]}` failed, see above.")
