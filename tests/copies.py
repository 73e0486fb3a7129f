"""Copies of the template as it is on disk, and cookiecutter run on them as users run it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from baked import TEMPLATE, Project


def copy_template(folder: Path) -> Project:
    """Copy what git has or would take, links as links."""
    words = ["git", "-C", TEMPLATE, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]:
        source, copy = TEMPLATE / name, folder / name
        if source.is_file() or source.is_symlink():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy, follow_symlinks=False)
    return Project(folder)


def commit_template(folder: Path) -> tuple[Project, str]:
    """Copy the template into a git repository; return it and its commit."""
    template = copy_template(folder)
    template.run("git", "init", "--quiet", "--initial-branch=main")
    template.commit("What is on disk")
    return template, template.run("git", "rev-parse", "HEAD").stdout.strip()


def call_cookiecutter(*words: str, folder: Path, **env: str) -> subprocess.CompletedProcess:
    """Run the command in a folder, as a shell there would; nothing is left in the user's own folders."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / ".cookiecutter.json"
    config.write_text(json.dumps({"cookiecutters_dir": f"{config}.d", "replay_dir": f"{config}.d"}))
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--config-file", str(config), *words]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PWD": str(folder)} | env, capture_output=True, text=True, check=False
    )
