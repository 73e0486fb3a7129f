"""What the tests share: the model kinds that come with the library, and a project small enough to write per test."""

import subprocess
from pathlib import Path

from stagebook.model.kinds import HIST_GRADIENT_BOOSTING, LINEAR, RANDOM_FOREST

MODELS = {"linear": LINEAR, "hist_gradient_boosting": HIST_GRADIENT_BOOSTING, "random_forest": RANDOM_FOREST}
PYPROJECT = """
[project]
name = "tiny"
version = "0.1.0"

[tool.nbdev]
lib_path = "code/tiny"

[tool.stagebook]
"""
DVC_CONFIG = "[core]\n    analytics = false\n"


def write_files(folder: Path, files: dict[str, str]) -> Path:
    """Write texts by their path below `folder`; return the folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def write_project(folder: Path, settings: str = "", **files: str) -> Path:
    """Write a project without a step: pyproject.toml with `settings` in [tool.stagebook], dvc.yaml, params.yaml, code."""
    base = {
        "pyproject.toml": PYPROJECT + settings,
        "dvc.yaml": "stages: {}\n",
        "params.yaml": "{}\n",
        "code/tiny/__init__.py": "",
        ".dvc/config": DVC_CONFIG,
    }
    return write_files(folder, base | files)


def git(folder: Path, *words: str) -> str:
    """Run git in a repository, as somebody, without the machine's own settings."""
    who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout
