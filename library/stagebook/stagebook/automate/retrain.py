"""Train again: newer data, other parameters if asked for, the gate, and the champion that comes out of it."""

import os
import shlex
import subprocess
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides

from ..project.errors import StepError

__all__ = ["change_parameters", "check_remote", "find_remote", "retrain"]


def retrain(root: Path, parameters: str) -> None:
    """Fetch the data again, then run what changed; `parameters` as for `change_parameters`."""
    change_parameters(root, parameters)
    for words in (["--force", "--single-item", "ingest"], []):  # an address does not tell that its data changed
        if subprocess.run(["dvc", "repro", *words], cwd=root, check=False).returncode:
            raise StepError("the retraining failed; the champion stays. The step above says why.")


def change_parameters(root: Path, parameters: str) -> None:
    """Write parameters to params.yaml, as in `train.trials=20 'ingest.months=[1,2,3]'`; comments stay.

    Raises
    ------
    StepError
        One is not there yet, or is not of this form. Nothing is written.
    """
    if not parameters.strip():
        return
    try:
        apply_overrides(root / "params.yaml", shlex.split(parameters))
    except (DvcException, ValueError) as error:
        raise StepError(f"PARAMETERS {parameters!r}: {str(error.__cause__ or error).splitlines()[0]}") from error


def check_remote(root: Path) -> None:
    """Raise StepError if what is pushed would be gone with the machine: a folder of a hosted runner."""
    url = find_remote(root)
    if os.environ.get("RUNNER_ENVIRONMENT") == "github-hosted" and "://" not in url:
        raise StepError(
            f".dvc/config: the remote is the folder {url!r} of a machine that is gone in a minute. Nobody could pull what "
            "this run made. Give it an address that all can reach: vendor/stagebook/docs/versioning.md#the-remote"
        )


def find_remote(root: Path) -> str:
    """Return the address of DVC's remote, a folder with its whole path; empty if there is none."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        remote = repo.config["core"].get("remote")
        return repo.config["remote"].get(remote, {}).get("url", "") if remote else ""
