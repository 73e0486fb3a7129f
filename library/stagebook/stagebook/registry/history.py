"""Who is champion, and who made it so: a log of promotions that is only ever added to. No lock."""

import json
import os
import subprocess
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from getpass import getuser
from hashlib import sha256
from itertools import pairwise

import mlflow
from mlflow.exceptions import MlflowException

from ..project.errors import RegistryError
from .versions import add_model, find_versions

__all__ = ["PROMOTIONS", "Entry", "append", "find_champion", "find_rolled_back", "history", "replay"]

PROMOTIONS = "promotions"


# The log of a model is a second registered model, `<name>-promotions`: its versions are the entries, in order. MLflow gives
# each a number of its own, however many write at once. An entry says on which other it was decided, and counts only if that
# is the latest that counts: of two promoters at once the first one counts, the second must look again. Each entry has a
# hash of itself and of the hash of the one before, so that an entry that was edited later is noticed.
# Deployments to an environment are logged in the same way, in `<name>-deployments-<environment>`.


@dataclass(frozen=True)
class Entry:
    """One promotion, deployment or rollback.

    Attributes
    ----------
    number, after : int
        Its place in the log, and that of the entry it was decided on; 0 is before the first.
    kind : str
        promote, deploy or rollback.
    version : int
        The version that is champion, or deployed, from then on.
    who, when, why : str
        `when` is UTC, as in 2026-11-21T19:23:29Z.
    metrics : dict
        What it was decided on, empty for a rollback; for a deployment, the artefact and its smoke test.
    ticket : str
        By which the writer knows it again.
    digest : str
        SHA-256 of the entry and of the digest of the one that it was decided on.
    """

    number: int
    after: int
    kind: str
    version: int
    who: str
    when: str
    why: str
    metrics: dict
    ticket: str
    digest: str = ""


def history(name: str, log: str = PROMOTIONS) -> list[Entry]:
    """Return the entries of a log that count, oldest first; the version of the last one is champion, or deployed.

    Raises
    ------
    RegistryError
        Somebody deleted or edited an entry: what came after it can no longer be told.
    """
    counting, digests, chained = [], {0: ""}, False
    for place, (number, version) in enumerate(find_versions(f"{name}-{log}").items(), 1):
        if number != place:
            raise RegistryError(f"{name}-{log}: entry {place} was deleted. {_advice(name, log)}")
        entry = _read(number, version.tags, digests)
        kept = version.tags.get("digest")
        if entry is None or kept != (entry.digest if kept or chained else None):
            raise RegistryError(f"{name}-{log}: entry {place} was edited after it was written. {_advice(name, log)}")
        chained = chained or kept is not None
        if entry.after == (counting[-1].number if counting else 0):
            counting.append(entry)
            digests[number] = entry.digest
    return counting


def _advice(name: str, log: str) -> str:
    if log != PROMOTIONS:
        return (
            f"Restore MLflow's database from a backup; or delete the whole model {name}-{log}: a new log then begins."
        )
    return (
        f"Restore MLflow's database from a backup; or delete the whole model {name}-promotions: "
        "a new log then begins with the version that has the alias champion, if the gate passed it."
    )


def _read(number: int, tags: dict[str, str], digests: dict[int, str]) -> Entry | None:
    """Return an entry with the digest that it must have; None if it is not one any more."""
    try:
        texts = {name: tags[name] for name in ("kind", "who", "when", "why", "ticket")}
        metrics = json.loads(tags.get("metrics") or tags["figures"])  # `figures`: before release 0.3.0
        entry = Entry(number, int(tags["after"]), version=int(tags["version"]), metrics=metrics, **texts)
        return replace(entry, digest=_digest(asdict(entry), digests[entry.after]))
    except (KeyError, ValueError):
        return None


def _digest(entry: dict, before: str) -> str:
    """Return the hash of an entry and of what came before it; its number is MLflow's and not known when it is written."""
    facts = {key: value for key, value in entry.items() if key not in ("number", "digest")}
    return sha256((before + json.dumps(facts, sort_keys=True)).encode()).hexdigest()


def replay(entries: list[Entry]) -> list[int]:
    """Return the champion, last, and below it those that rollbacks lead to."""
    stack = []
    for entry in entries:
        if entry.kind == "promote":
            stack.append(entry.version)
            continue
        stack.pop()
        while stack[-1] != entry.version:  # passed over: rolled back earlier, or deleted
            stack.pop()
    return stack


def find_champion(name: str) -> Entry:
    """Return the entry that made the present champion; RegistryError if there is none."""
    entries = history(name)
    if not entries:
        raise RegistryError(f"{name} has no champion: the gate has let no version through. See `stagebook gate`.")
    return entries[-1]


def find_rolled_back(entries: list[Entry]) -> dict[int, str]:
    """Return why each version that was rolled back was: the gate must let none of them through again."""
    pairs = pairwise(entries)
    return {before.version: entry.why for before, entry in pairs if entry.kind == "rollback"}


def append(
    name: str, kind: str, version: int, why: str, after: int, metrics: dict | None = None, log: str = PROMOTIONS
) -> bool:
    """Add an entry; return False if it does not count, for others have added one since entry `after`.

    Then nothing has changed: check against the champion that there is now, or leave it.
    """
    client, ticket = mlflow.MlflowClient(), uuid.uuid4().hex
    promoted = client.get_model_version(name, str(version))
    tags = {"kind": kind, "version": version, "after": after, "who": find_name(), "why": why, "ticket": ticket}
    tags |= {"when": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "metrics": metrics or {}}
    before = next((one.digest for one in history(name, log) if one.number == after), "")
    tags |= {"digest": _digest(tags, before), "metrics": json.dumps(tags["metrics"])}
    about = f"Who was champion of {name}" if log == PROMOTIONS else f"{log} of {name}"
    add_model(f"{name}-{log}", f"{about}, and why. Do not edit.")
    model = promoted.source.removeprefix("models:/") if promoted.source.startswith("models:/m-") else None
    lost = None
    try:
        client.create_model_version(f"{name}-{log}", promoted.source, promoted.run_id, tags, model_id=model)
    except MlflowException as error:  # the others were faster, or only the answer was lost: the log knows
        lost = error
    entries = history(name, log)
    if lost and (entries[-1].number if entries else 0) == after:
        raise lost
    return any(entry.ticket == ticket for entry in entries)


def find_name() -> str:
    """Return who is at work: the user of GitHub in its workflows, of git, or of this machine."""
    git = subprocess.run(["git", "var", "GIT_AUTHOR_IDENT"], capture_output=True, text=True, check=False)
    return os.environ.get("GITHUB_ACTOR") or git.stdout.partition(" <")[0] or getuser()
