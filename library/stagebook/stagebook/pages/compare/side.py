"""One side of a comparison: a commit, a DVC experiment or the workspace, read where it lies; nothing is checked out."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.experiments.utils import exp_refs_by_rev
from dvc.scm import RevError, resolve_rev

from ...project.errors import StepError

__all__ = ["WORKSPACE", "Side", "git", "read_side"]

WORKSPACE = "workspace"
PLOTS = (".png", ".jpg", ".jpeg", ".svg")


@dataclass(frozen=True)
class Side:
    """What there is on one side.

    `name` is what the user typed, `rev` the full hash of the commit or `workspace`, `commit` that commit in words,
    `experiment` its name in DVC, `stale` the steps that the workspace has not run since a change, `written` the hash
    in dvc.lock of each output, and `files` its notebooks and plots by path.
    """

    name: str
    rev: str
    commit: str
    experiment: str
    stale: tuple[str, ...]
    written: dict[str, str]
    files: dict[str, bytes] = field(repr=False)


def read_side(repo: Repo, name: str) -> Side:
    """Read the side that `name` stands for: a git revision, the name of an experiment, or `workspace`.

    Raises
    ------
    StepError
        There is no such revision, the pipeline never ran on it, or its files are in no cache.
    """
    root = Path(repo.root_dir)
    try:
        rev = name if name == WORKSPACE else resolve_rev(repo.scm, name)
    except RevError as error:
        raise StepError(
            f"{name}: {error}. `git log --oneline` lists commits, `dvc exp list --all-commits` experiments (those of "
            "others after `dvc exp pull origin NAME`); one that is queued comes to be when it has run."
        ) from error
    try:
        written, stale = _read_lock(repo, rev)
    except DvcException as error:
        raise StepError(f"dvc.yaml of {name} cannot be used: {error}") from error
    if not written:
        raise StepError(f"The pipeline has not run on {name}: no results to compare. `make pipeline` makes them.")
    experiment = "" if rev == WORKSPACE else _name_experiment(repo, rev)
    return Side(name, rev, _describe_commit(root, rev, experiment), experiment, stale, written, _read(root, name, rev))


def _name_experiment(repo: Repo, rev: str) -> str:
    """Return the name of the experiment that the commit is; DVC lists also those that only start from it."""
    own = [ref.name for ref in exp_refs_by_rev(repo.scm, rev) if repo.scm.get_ref(str(ref)) == rev]
    return own[0] if own else ""


def _read_lock(repo: Repo, rev: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the hashes of what the steps wrote, in the order of the pipeline; and the steps that wait for a run."""

    def hashes() -> dict[str, str]:
        outs = [out for stage in repo.index.stages for out in stage.outs]
        return {str(out.def_path): out.hash_info.value for out in outs if out.hash_info}

    if rev != WORKSPACE:
        with repo.switch(rev):
            return hashes(), ()
    return hashes(), tuple(sorted(repo.status()))


def _read(root: Path, name: str, rev: str) -> dict[str, bytes]:
    """Return notebooks/*.ipynb and the plots in reports/; from the cache, or straight from the remote."""
    try:
        files = DVCFileSystem(str(root), rev=None if rev == WORKSPACE else rev)
        plots = [path for path in files.find("reports") if path.endswith(PLOTS)] if files.isdir("reports") else []
    except Exception as error:  # each kind of remote raises its own, or lacks its driver
        raise missing(name, rev, "reports", error) from error
    found = {}
    for path in sorted([*files.glob("notebooks/*.ipynb"), *plots]):
        try:
            found[path] = files.cat_file(path)
        except Exception as error:  # each kind of remote raises its own
            raise missing(name, rev, path, error) from error
    return found


def missing(name: str, rev: str, path: str, error: Exception) -> StepError:
    """Return the error that says what cannot be read, and how it comes back."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    way = "`dvc checkout`, `dvc pull` or `make pipeline` brings it."
    if rev != WORKSPACE:
        way = (
            "It is neither in DVC's cache nor in the remote: who ran it types `dvc push` on that commit (for an "
            "experiment `dvc exp push origin NAME`), or you run it again here."
        )
    return StepError(f"{path} of {name} cannot be read ({reason}). {way}")


def _describe_commit(root: Path, rev: str, experiment: str) -> str:
    """Return hash, date and subject of the commit; of an experiment or the workspace, those of the commit below it."""
    below = f"{rev}~1" if experiment else "HEAD" if rev == WORKSPACE else rev
    said = git(root, "log", "-1", "--format=%h %cs %s", "--abbrev=10", below).strip()
    if rev != WORKSPACE:
        return f"{rev[:10]}, from {said}" if experiment else said
    changed = git(root, "status", "--porcelain").splitlines()
    return f"{said}, and {len(changed)} changed file{'s' * (len(changed) != 1)}" if changed else said


def git(root: Path, *words: str) -> str:
    """Return the output of git; empty if it refuses."""
    return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False).stdout
