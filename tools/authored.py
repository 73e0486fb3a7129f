"""The project in which the template is edited: its names, its baking, and what has been edited in it."""

import json
import subprocess
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parents[1]
TREE = "{{cookiecutter.project_slug}}"
LIBRARY, VENDORED = "library/stagebook", "vendor/stagebook"  # the tree has a link to the former
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
# Names and texts that occur nowhere else, so that one that is left is found.
VARIABLES = {
    "authored_project": "{{ cookiecutter.package_name }}",
    "authored-project": "{{ cookiecutter.project_slug }}",
}
ANSWERS = {name: default[0] for name, default in QUESTIONS.items() if isinstance(default, list) and name[0] != "_"} | {
    "project_name": "Authored Name",
    "project_slug": "authored-project",
    "package_name": "authored_project",
    "description": "Authored description.",
    "author_name": "Authored Team",
    "author_email": "authored@example.com",
}
WRITTEN_BY_TOOLS = {
    "flights": ("dvc.lock", "data/baseline.json", "docs/data/*", "vendor/stagebook.sha256"),
    "own": ("dvc.lock", "data/baseline.json", "docs/data/*", "vendor/stagebook.sha256", "data/schema.yaml"),
}


def bake(template: Path, folder: Path, answers: dict[str, str]) -> Path:
    """Bake without the defaults of this machine's user, and without a trace in their folders."""
    with tempfile.TemporaryDirectory() as trace:
        config = {"replay_dir": trace, "cookiecutters_dir": trace}
        options = {"no_input": True, "default_config": config, "extra_context": answers}
        return Path(cookiecutter(str(template), output_dir=str(folder), **options))


def run_git(project: Path, *words: str) -> bytes:
    """Run git in the project; return what it prints."""
    return subprocess.run(["git", "-C", project, *words], capture_output=True, check=True).stdout


def mark_as_baked(project: Path) -> None:
    """Commit all that is there as what the template gives."""
    run_git(project, "add", "--all")
    identity = ["-c", "user.name=authoring", "-c", "user.email=authoring@example.com", "-c", "commit.gpgsign=false"]
    run_git(project, *identity, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", "As baked")
    run_git(project, "tag", "--force", "as-baked")


def find_edits(project: Path) -> list[str]:
    """Return the files that differ from what was baked."""
    changed = list_names(project, "diff", "--name-only", "--no-renames", "as-baked")
    return sorted(changed | (list_files(project) - list_baked(project)))


def list_files(project: Path) -> set[str]:
    there = list_names(project, "ls-files", "--cached", "--others", "--exclude-standard")
    return {name for name in there if (project / name).is_file()}


def list_baked(project: Path) -> set[str]:
    return list_names(project, "ls-tree", "-r", "--name-only", "as-baked")


def list_names(project: Path, *words: str) -> set[str]:
    """Return the files that git lists, but for those that the pipeline writes."""
    names = set(run_git(project, *words, "-z").decode().split("\0")) - {""}
    written = WRITTEN_BY_TOOLS[project.parent.name]
    return {name for name in names if not any(fnmatch(name, pattern) for pattern in written)}
