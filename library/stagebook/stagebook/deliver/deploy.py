"""Put the champion into an environment, test it there, record it; and go back to the release before."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..project.errors import StepError
from ..project.root import local_folder
from ..registry.history import Entry, append, find_name, history
from ..registry.life_cycle import check_reason
from .artefact import Artefact, build_artefact
from .champion import open_champion
from .elsewhere import CommandTarget
from .environments import Environment, find_environment, read_environments
from .local import LocalTarget

__all__ = ["deploy", "deployments", "find_previous", "roll_back", "show_environments", "stop_service"]

Target = LocalTarget | CommandTarget


def deployments(name: str, environment: str) -> list[Entry]:
    """Return what was deployed to an environment, oldest first."""
    return history(name, _log(environment))


def _log(environment: str) -> str:
    return f"deployments-{environment}"


def deploy(root: Path, name: str, to: str, why: str = "", approved_by: str = "") -> str:
    """Deploy the champion to an environment and return a sentence about it; what ran there stays if anything fails.

    Raises
    ------
    StepError
        The smoke test failed, another deployment is under way, an approval or a smoke test elsewhere is missing.
    RegistryError
        There is no champion.
    """
    environments = read_environments(root)
    environment = find_environment(environments, to)
    with _locked(environment):
        champion = open_champion(root, name)
        entries = deployments(name, environment.name)
        target = open_target(root, environment)
        target.settle(_digest(entries))
        folder = local_folder(root) / "delivery" / "artefacts"
        with FileLock(f"{folder}.lock"):
            artefact = build_artefact(root, champion, folder)
            _check_needed(name, environments.get(environment.needs), environment, artefact)
            approval = _check_approval(environment, approved_by)
            if _digest(entries) == target.running() == artefact.digest:
                return f"{environment.name}: {describe(artefact)} is there already."
            artefact = target.put(artefact)
        why = " ".join(why.split()) or f"champion: {champion.package.about.get('why') or 'no reason given'}"
        smoke = _exchange(target, name, "deploy", artefact, entries, why, approval)
    return f"{environment.name}: {describe(artefact)} answers on {environment.address}; {_describe(smoke)}"


def roll_back(root: Path, name: str, to: str, why: str) -> str:
    """Bring an environment back to the artefact before the present one; return a sentence about it.

    Raises
    ------
    StepError
        There is nothing to go back to, or it does not pass the smoke test any more.
    """
    why = check_reason(why)
    environment = find_environment(read_environments(root), to)
    with _locked(environment):
        entries = deployments(name, environment.name)
        target = open_target(root, environment)
        target.settle(_digest(entries))
        if (previous := find_previous(entries)) is None:
            now = f"nothing was deployed before {_digest(entries)[:12]}" if entries else "nothing was ever deployed"
            raise StepError(f"{environment.name}: there is nothing to go back to; {now}.")
        artefact = target.find(previous.metrics["artefact"])
        smoke = _exchange(target, name, "rollback", artefact, entries, why, {})
    return f"{environment.name}: back to {describe(artefact)} on {environment.address}; {_describe(smoke)}"


def _exchange(
    target: Target, name: str, kind: str, artefact: Artefact, entries: list[Entry], why: str, more: dict
) -> dict:
    """Test a release, let it take the place of the one that runs, and record it; undo it if it cannot be recorded."""
    smoke = target.try_out(artefact)
    before = target.find_kept(_digest(entries)) if entries else None
    with target.exchange(artefact, before) as tested:
        smoke = tested or smoke
        facts = {"artefact": artefact.digest, "commit": artefact.commit, "smoke": smoke, **more}
        after = entries[-1].number if entries else 0
        log = _log(target.environment.name)
        if not append(name, kind, artefact.version, why, after, facts, log=log):
            raise StepError(f"{target.environment.name}: somebody else deployed meanwhile; look, and try again.")
    return smoke


@contextmanager
def _locked(environment: Environment) -> Iterator[None]:
    """Let one deployment at a time into an environment; a full disk is one message."""
    folder = Path(environment.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "deploy.lock", timeout=0):
            yield
    except Timeout:
        raise StepError(f"another deployment to {environment.name} is under way; wait for its end.") from None
    except OSError as error:
        copied = isinstance(error, shutil.Error)  # a list of files that could not be copied, each with its reason
        if not copied and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        reason = error.args[0][0][2] if copied else error
        raise StepError(f"{environment.name}: nothing was deployed, {folder} cannot be written: {reason}") from error


def open_target(root: Path, environment: Environment) -> Target:
    """Return what puts releases into an environment."""
    return (CommandTarget if environment.command else LocalTarget)(root, environment)


def _check_needed(name: str, needed: Environment | None, environment: Environment, artefact: Artefact) -> None:
    """Raise StepError unless the same artefact runs in the environment that this one needs, its smoke test passed."""
    if needed is None:
        return
    entries = deployments(name, needed.name)
    fix = f"First: stagebook deploy --to {needed.name}"
    if not entries:
        raise StepError(f"{environment.name} needs what passed the smoke test in {needed.name}; nothing did. {fix}")
    if _digest(entries) != artefact.digest:
        there = (
            f"{_digest(entries)[:12]} (version {entries[-1].version}, commit {entries[-1].metrics['commit'] or '?'})"
        )
        raise StepError(
            f"{environment.name} needs the same artefact as {needed.name}: there is {there}; "
            f"champion and code are now {describe(artefact)}. {fix}"
        )


def _check_approval(environment: Environment, approved_by: str) -> dict[str, str]:
    """Return who agreed, for the history; StepError if nobody did who may."""
    if not environment.approvers:
        return {"approved_by": approved_by} if approved_by else {}
    may = ", ".join(environment.approvers)
    if approved_by not in environment.approvers:
        said = f"{approved_by!r} is none of them" if approved_by else "nobody did"
        raise StepError(f"{environment.name}: one of {may} must agree, and {said}: --approved-by NAME")
    if approved_by == find_name():
        raise StepError(f"{environment.name}: {approved_by} deploys, so another of {may} must agree.")
    return {"approved_by": approved_by}


def find_previous(entries: list[Entry]) -> Entry | None:
    """Return the entry of the artefact that a rollback leads to; None if there is none.

    What was rolled back is passed over: two rollbacks lead two artefacts back.
    """
    stack: list[Entry] = []
    for entry in entries:
        digest = entry.metrics["artefact"]
        if entry.kind == "rollback":
            while len(stack) > 1 and stack[-1].metrics["artefact"] != digest:
                stack.pop()
        elif not stack or stack[-1].metrics["artefact"] != digest:
            stack.append(entry)
    return stack[-2] if len(stack) > 1 else None


def show_environments(root: Path, name: str) -> str:
    """Return a line for each environment: what is deployed there, since when, by whom, and whether it runs."""
    lines = []
    for environment in read_environments(root).values():
        entries = deployments(name, environment.name)
        target = open_target(root, environment)
        if not entries:
            lines.append(f"{environment.name:12} {environment.address:24} nothing deployed")
            continue
        last, running = entries[-1], target.running()
        state = "" if environment.command or running == _digest(entries) else "; does not run"
        about = f"version {last.version}, artefact {_digest(entries)[:12]}, {last.kind} {last.when} by {last.who}"
        lines.append(f"{environment.name:12} {environment.address:24} {about}: {last.why}{state}")
    return "\n".join(lines)


def stop_service(root: Path, to: str) -> str:
    """End the service of an environment on this machine; what is deployed there stays recorded."""
    environments = read_environments(root)
    if not to:
        raise StepError(f"which environment? `--to NAME`; there is {', '.join(environments)}.")
    environment = find_environment(environments, to)
    with _locked(environment):
        ended = open_target(root, environment).stop()
    return f"{environment.name}: {'stopped' if ended else 'nothing ran'}."


def describe(artefact: Artefact) -> str:
    """Return how people call an artefact."""
    return f"{artefact.model} version {artefact.version} (artefact {artefact.short})"


def _describe(smoke: dict) -> str:
    return f"smoke test passed: {smoke['rows']} rows in {smoke['seconds']:.2f} s."


def _digest(entries: list[Entry]) -> str:
    return entries[-1].metrics["artefact"] if entries else ""
