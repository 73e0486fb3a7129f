"""Put what a retraining changed on a branch of its own, and ask people to merge it."""

import base64
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..project.errors import StepError

__all__ = ["BRANCH", "Proposal", "commit_changes", "push"]

BRANCH = "retrain"


@dataclass(frozen=True)
class Proposal:
    """What people are asked to merge: `branch` into `base`."""

    branch: str
    base: str
    title: str
    body: str


def commit_changes(root: Path, message: str, author: tuple[str, str]) -> bool:
    """Commit all changes of the working copy on the branch `retrain`; return False if there are none.

    The branch starts again from the present commit: it holds one retraining, the newest. What git must not have is
    refused by the pre-commit hook, as for everybody. `author`, name and e-mail, is for a machine where git knows nobody.
    """
    if not _git(root, "status", "--porcelain").strip():
        return False
    _git(root, "switch", "--quiet", "--force-create", BRANCH)
    _git(root, "add", "--all")
    known = subprocess.run(["git", "-C", root, "config", "user.email"], capture_output=True, check=False).stdout
    identity = [] if known else ["-c", f"user.name={author[0]}", "-c", f"user.email={author[1]}"]
    _git(root, *identity, "commit", "--quiet", "--message", message)
    return True


def push(root: Path, server: str, repository: str, user: str, token: str) -> None:
    """Push the branch to the repository at this address, in place of an earlier retraining.

    The token is given to git in the environment of this call: no file has it, and no list of processes.
    """
    secret = base64.b64encode(f"{user}:{token}".encode()).decode()
    setting = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"http.{server}/.extraheader"}
    setting["GIT_CONFIG_VALUE_0"] = f"AUTHORIZATION: basic {secret}"
    _git(root, "push", "--quiet", "--force", repository, f"HEAD:refs/heads/{BRANCH}", environment=setting)


def _git(root: Path, *words: str, environment: dict[str, str] | None = None) -> str:
    env = os.environ | (environment or {})
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise StepError(f"git {words[0]} failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout
