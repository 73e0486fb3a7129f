"""The template that the project was made from: cloned, and baked with the remembered answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

from ..project.errors import StepError

__all__ = ["bake", "check_out", "clone_template", "find_commit", "git"]

HOSTS = {"gh": "https://github.com/", "gl": "https://gitlab.com/", "bb": "https://bitbucket.org/"}


def git(folder: Path, *words: str | Path, **env: str) -> str:
    """Run git in a folder; return what it prints."""
    command = ["git", "-C", folder, "-c", "core.quotePath=false", *words]
    done = subprocess.run(command, env=os.environ | env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepError(f"git {words[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def clone_template(address: str, folder: Path) -> Path:
    """Return a clone of the template."""
    host, _, name = address.partition(":")
    url = f"{HOSTS[host]}{name}.git" if host in HOSTS else address.removeprefix("git+")
    try:
        git(folder, "clone", "--quiet", "--no-checkout", "--", url, "template")
    except StepError as error:
        reason = str(error).splitlines()[0]
        advice = "If it has moved, correct `template` in .cruft.json."
        raise StepError(f"no template at {address}: {reason} {advice}") from error
    return folder / "template"


def find_commit(clone: Path, name: str) -> str:
    """Return the commit that a tag, branch or commit of the template stands for."""
    for candidate in (name, f"origin/{name}"):
        try:
            return git(clone, "rev-parse", "--verify", "--quiet", candidate + "^{commit}")
        except StepError:
            continue
    raise StepError(f"the template has no commit, tag or branch {name!r}.")


def check_out(root: Path, folder: Path) -> None:
    """Write the files of the last commit to a folder; the project's index and working copy stay as they are."""
    index = {"GIT_INDEX_FILE": f"{folder}.index"}
    git(root, "read-tree", "HEAD", **index)
    git(root, "checkout-index", "--all", f"--prefix={folder}/", **index)


def bake(clone: Path, commit: str, answers: dict, root: Path, folder: Path) -> Path:
    """Return what a version of the template gives for the remembered answers; its hooks run, as they did at first."""
    git(clone, "checkout", "--quiet", "--detach", commit)
    questions = json.loads((clone / "cookiecutter.json").read_text(encoding="utf-8"))
    asked = {name: text for name, text in answers.items() if name in questions and not name.startswith("_")}
    words = [f"{name}={quote(text) if isinstance(questions[name], str) else text}" for name, text in asked.items()]
    folder.mkdir()
    config = folder.with_suffix(".json")  # not the user's: no defaults of theirs, nothing written to their folders
    config.write_text(json.dumps({"cookiecutters_dir": f"{config}.d", "replay_dir": f"{config}.d"}))
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--config-file", config, "--output-dir", folder]
    here = os.environ | {"PWD": str(root), "PROJECT_TO_UPDATE": str(root), "STAGEBOOK_MIGRATES": "1"}
    done = subprocess.run([*command, clone, *words], env=here, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.partition("ERROR: ")[0].strip() or done.stderr.strip().splitlines()[-1]
        raise StepError(f"the template cannot be baked at {commit[:10]} with the answers in .cruft.json:\n{reason}")
    [project] = folder.iterdir()
    return project


def quote(text: str) -> str:
    """Return Jinja that gives a text with any characters: cookiecutter renders what it is told on the command line."""
    return "{" + "{ " + json.dumps(text, ensure_ascii=False) + " }" + "}"
