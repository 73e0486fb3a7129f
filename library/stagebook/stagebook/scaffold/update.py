"""Bring the template's newer version into the project: a merge by git, as if the template were a branch."""

# Base: what the remembered version of the template gives for the remembered answers. Theirs: what the newer version gives
# for them. Ours: the last commit. (A docstring of several paragraphs would be listed in __init__.py by nbdev.)

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ..project.errors import StepError
from .migrate.merged import finish
from .migrate.renames import read_renames
from .migrate.trees import is_former, migrate_trees
from .template import bake, check_out, clone_template, find_commit, git

__all__ = ["merge_template", "update_project"]

STATE = ".cruft.json"
NOBODY = {f"GIT_{who}_{what}": "template" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def update_project(root: Path, to: str = "") -> int:
    """Let the newer template's own library merge it: only that knows what it has renamed since. Return the exit code."""
    state = read_state(root)
    with tempfile.TemporaryDirectory(prefix="update-") as name:
        clone = clone_template(state["template"], Path(name))
        git(clone, "checkout", "--quiet", "--detach", find_commit(clone, to or "HEAD"))
        library = clone / "library" / "stagebook"
        if not (library / "stagebook" / "scaffold" / "migrate").is_dir():
            return merge_template(root, to)
        command = [sys.executable, "-B", "-m", "stagebook", "migrate", f"--to={to}"]
        env = os.environ | {"PYTHONPATH": str(library)}
        return subprocess.run(command, cwd=root, env=env, check=False).returncode


def merge_template(root: Path, to: str = "") -> int:
    """Merge the template's newer version into the working copy; nothing is committed.

    Parameters
    ----------
    root
        The project, which must be clean: all edits committed.
    to
        Tag, branch or commit of the template; the newest state of its default branch if empty.

    Returns
    -------
    int
        0, or 1 if there are conflicts.
    """
    state = read_state(root)
    with tempfile.TemporaryDirectory(prefix="update-") as name:
        folder = Path(name)
        clone = clone_template(state["template"], folder)
        old = find_commit(clone, state["commit"])
        new = find_commit(clone, to or "HEAD")
        versions = [git(clone, "describe", "--tags", "--always", commit) for commit in (old, new)]
        if old == new:
            print(f"Up to date: the project has {versions[1]} of {state['template']}.")
            return 0
        base, theirs, ours, notes = bake_versions(root, clone, folder, state, (old, new))
        write_state(theirs / STATE, state, new, to)
        commit = [commit_tree(root, base, "As the template was")]
        commit.append(commit_tree(root, theirs, f"Template from {versions[0]} to {versions[1]}", "-p", commit[0]))
        mine = commit_tree(root, ours, "The project, with the names of today") if ours else "HEAD"
    refuse_to_overwrite(root, *commit)
    return merge(root, mine, commit[1], f"{state['template']} from {versions[0]} to {versions[1]}", notes)


def bake_versions(
    root: Path, clone: Path, folder: Path, state: dict, commits: tuple[str, str]
) -> tuple[Path, Path, Path | None, list[str]]:
    """Return what both versions of the template generate; of a former project also its files as migrated, and notes."""
    answers = state["context"]["cookiecutter"]
    package = answers["package_name"]
    base = bake(clone, commits[0], answers, root, folder / commits[0])
    (base / STATE).write_bytes((root / STATE).read_bytes())
    former = is_former(base, package)
    if former:
        refuse_unknown(root)
        answers = read_renames(package).answers | answers
    theirs = bake(clone, commits[1], answers, root, folder / commits[1])
    if not former or is_former(theirs, package):
        return base, theirs, None, []
    ours = folder / "ours"
    check_out(root, ours)
    return base, theirs, ours, migrate_trees(base, ours, theirs, package)


def read_state(root: Path) -> dict:
    """Return what .cruft.json says of the template; raise StepError if there is nothing that can be updated."""
    if not (root / ".git").exists():
        raise StepError(f"{root} is not the top of a git repository: `make setup`, and commit what is there.")
    if not git(root, "ls-files", STATE):
        raise StepError(f"there is no {STATE} in git, which says which version of which template this is.")
    if git(root, "status", "--porcelain", "--untracked-files=no"):
        raise StepError("there are changes that are not committed (`git status`). Commit or stash them first.")
    try:
        state = json.loads((root / STATE).read_text(encoding="utf-8"))
        commit, _, _ = state["commit"], state["template"], state["context"]["cookiecutter"]
    except (ValueError, KeyError, TypeError) as error:
        raise StepError(f"{STATE} is not as cruft or this template writes it: {error!r}.") from error
    if not commit:
        raise StepError(
            f"the template was no git repository when this was baked. Write `template` and `commit` into {STATE}."
        )
    return state


def write_state(file: Path, state: dict, commit: str, to: str) -> None:
    """Write .cruft.json of the newer version: its commit, and its answers, defaults of new questions included."""
    baked = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else state
    answers = baked["context"]["cookiecutter"] | {"_template": state["template"]}
    newer = state | {"commit": commit, "checkout": to or None, "context": {"cookiecutter": answers}}
    file.write_text(json.dumps(newer, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def commit_tree(root: Path, tree: Path, message: str, *parent: str) -> str:
    """Return a commit of a folder, made in the project's store and named by no branch: git drops it some day."""
    there = [f"--git-dir={git(root, 'rev-parse', '--absolute-git-dir')}", f"--work-tree={tree}"]
    index = {"GIT_INDEX_FILE": f"{tree}.index"}
    git(tree, *there, "add", "--all", "--force", **index)  # also what this user's git ignores
    return git(tree, *there, "commit-tree", "-m", message, *parent, git(tree, *there, "write-tree", **index), **NOBODY)


def refuse_to_overwrite(root: Path, base: str, theirs: str) -> None:
    """Raise StepError if the template's new files are here already, unknown to git, which would overwrite ignored ones."""
    added = git(root, "diff", "--name-only", "--no-renames", "--diff-filter=A", "-z", base, theirs).split("\0")
    ours = set(git(root, "ls-files", "-z").split("\0"))
    if there := [name for name in added if name and name not in ours and (root / name).exists()]:
        raise StepError(f"the newer template has files that are here, but not in git: {', '.join(there)}. Move them.")


def refuse_unknown(root: Path) -> None:
    """Raise StepError if there are files that git does not know: their imports would not be rewritten."""
    if unknown := git(
        root, "ls-files", "--others", "--exclude-standard", "--", "code", "notebooks", "pipelines", "tests"
    ):
        names = ", ".join(unknown.splitlines())
        raise StepError(
            f"there are files that are not in git: {names}. Commit them first, so that they are rewritten too."
        )


def merge(root: Path, ours: str, theirs: str, what: str, notes: list[str]) -> int:
    """Apply a commit to the working copy, print the result, return 1 if there are conflicts."""
    git(root, "read-tree", "-m", "-u", "HEAD", ours)  # the working copy is clean
    command = ["git", "-C", root, "cherry-pick", "--no-commit", theirs]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    conflicts = git(root, "diff", "--name-only", "--diff-filter=U").splitlines()
    if done.returncode and not conflicts:
        git(root, "read-tree", "--reset", "-u", "HEAD")
        raise StepError(f"git could not apply the update, nothing is changed: {done.stderr.strip()}")
    if ours != "HEAD":
        conflicts, more = finish(root, conflicts)
        notes = [*notes, *more]
    changed = git(root, "diff", "--name-only", "HEAD").splitlines()
    print(f"Updated {what}: {len(changed)} files changed, nothing committed.")
    if conflicts:
        print("In conflict, marked as git does (`git status`):", *conflicts, sep="\n  ")
    if notes:
        print("To look at:", *notes, sep="\n  ")
    first = "edit these files and `git add` them, " if conflicts else ""
    print(f"Next: {first}`git diff --staged`, `make setup check test`, `git commit`.")
    print("Back: `git reset --hard`; it drops what you edited since, too.")
    return 1 if conflicts else 0
