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
    """Make a repository if there is none, and tell git of the commit hook and the merge driver for notebooks."""

    def run(*words: str) -> None:
        subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)

    if not (root / ".git").exists():
        run("git", "init", "--quiet", "--initial-branch=main")
    folder = Path(sys.executable).parent
    driver = folder.relative_to(root) if folder.is_relative_to(root) else folder
    run("git", "config", "merge.jupyternotebook.name", "merge notebooks cell by cell")
    # `exec` in front: DVC's experiments read .git/config with a parser that refuses a value that starts with a quote.
    run("git", "config", "merge.jupyternotebook.driver", f"exec {quote(f'{driver}/nbdev-merge')} %O %A %B %P")
    run("pre-commit", "install")


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
