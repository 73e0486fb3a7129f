"""A run for a pull request in CI: it shows what the gate would decide, and registers and promotes nothing.

The thresholds are those of the branch that the pull request goes into: it must not lower the ones that it has to reach.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..gate.requirements import FILE, Requirements, read_requirements
from ..project.branch import find_target
from ..project.errors import DataError, RegistryError, StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["base_champion", "base_requirements", "find_base", "preview_decision", "refuse_preview"]

ALIAS = "a preview"
# Sections that decide how a candidate is measured, not what it must reach.
MEASURED_BY = ("costs", "segments", "sensitive")


def find_base() -> str | None:
    """Return the branch that this run of CI is a preview for, as in origin/main; None if the run may promote.

    GitHub and GitLab set the variables themselves. A run of GitHub for another branch than STAGEBOOK_MAIN, which the
    workflow Pipeline sets, is a preview too: nobody has reviewed that branch. So is GitLab's outside of its default branch.
    """
    env = os.environ.get
    if target := find_target():
        return f"origin/{target}"
    main, ref = env("STAGEBOOK_MAIN"), env("GITHUB_REF")
    if main and ref and ref != f"refs/heads/{main}":
        return f"origin/{main}"
    main, branch = env("CI_DEFAULT_BRANCH"), env("CI_COMMIT_BRANCH")
    return f"origin/{main}" if main and branch and branch != main else None


def refuse_preview(what: str) -> None:
    """Raise RegistryError in a run for a pull request; `what` is what it must not do."""
    if base := find_base():
        raise RegistryError(
            f"this run is for a pull request into {base}: it must not {what}. Merge it first, or do it on your machine."
        )


def base_requirements(root: Path, base: str) -> Requirements:
    """Return docs/requirements.yaml of the branch `base`; that of the workspace if the branch has none yet.

    Raises
    ------
    StepError
        git does not know the branch.
    DataError
        The file of the branch cannot be read with the library of this pull request.
    """
    if _git(root, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}") is None:
        raise StepError(
            f"git has no {base}, whose {FILE} this pull request is evaluated against. Fetch it: `git fetch origin`, "
            "`fetch-depth: 0` of actions/checkout, GIT_DEPTH 0 of GitLab."
        )
    if (content := _git(root, "show", f"{base}:./{FILE}")) is None:
        return read_requirements(root / FILE)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.yaml")
        file.write_bytes(content)
        try:
            return read_requirements(file)
        except DataError as error:
            raise DataError(f"{FILE} of {base}: {str(error).replace(str(file), FILE)}") from error


def preview_decision(root: Path, base: str, mine: Requirements, check: "Callable[[Requirements], dict]") -> dict:
    """Return what the gate decides by the requirements of the branch `base`.

    Parameters
    ----------
    mine : Requirements
        docs/requirements.yaml of the pull request.
    check : callable
        From requirements to the decision by them.

    Returns
    -------
    dict
        The decision, with `base`, and with `refused_after_merge` if the pull request changes the file: what its own
        requirements refuse, which apply from the merge on.
    """
    theirs = base_requirements(root, base)
    decision = check(theirs)
    changed = [f"`{name}`" for name in MEASURED_BY if getattr(mine, name) != getattr(theirs, name)]
    if changed:
        decision["refused"].append(
            f"{FILE}: this pull request changes {', '.join(changed)}, by which the candidate is measured; the thresholds of "
            f"{base} are for metrics measured as before. Change it in a pull request of its own"
        )
    if mine != theirs:
        decision["refused_after_merge"] = check(mine)["refused"]
    return {**decision, "alias": ALIAS, "base": base}


@contextmanager
def base_champion(root: Path, base: str) -> "Iterator[Path]":
    """Lend the folder models/champion of the branch `base`; one that is not there if the branch has none.

    A pull request that brings another champion is compared with the present one.
    """
    pointer = "models/champion.dvc"
    theirs, folder = _git(root, "show", f"{base}:./{pointer}"), root / "models" / "champion"
    mine = (root / pointer).read_bytes() if (root / pointer).is_file() else None
    with tempfile.TemporaryDirectory() as temporary:
        lent = Path(temporary, "champion")
        if theirs is None or theirs == mine:
            yield lent if theirs is None else folder
            return
        try:
            _fetch(root, base, lent)
        except Exception as error:  # noqa: BLE001 each kind of remote raises its own
            reason = (str(error) or type(error).__name__).splitlines()[0]
            print(
                f"WARNING: models/champion of {base} cannot be read ({reason}): no comparison with it.", file=sys.stderr
            )
            lent = Path(temporary, "none")
        yield lent


def _fetch(root: Path, base: str, target: Path) -> None:
    from dvc.api import DVCFileSystem

    revision = (_git(root, "rev-parse", base) or b"").decode().strip()
    DVCFileSystem(str(root), rev=revision).get("models/champion", str(target), recursive=True)


def _git(root: Path, *words: str) -> bytes | None:
    """Return the output of git; None if it refuses."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None
