"""Promote a version by hand, and take a promotion back. The gate has the last word."""

from dataclasses import asdict

import mlflow

from ..project.errors import RegistryError
from .history import Entry, append, find_rolled_back, replay
from .preview import refuse_preview
from .stages import find_stages, open_log, sync
from .versions import find_aliases, find_refusals, find_versions, read_decision

__all__ = ["find_objection", "list_models", "promote", "rollback"]

CHECK = "`stagebook register`"


def promote(name: str, version: int, why: str, to: str = "production") -> list[Entry]:
    """Make a version champion, or let it wait in staging; return the history.

    Raises
    ------
    RegistryError
        The gate has not let this version through, or not against the present champion; or it was rolled back.
    """
    refuse_preview("promote")
    if to not in ("production", "staging"):
        raise RegistryError(f"TO is {to!r}; it must be production or staging.")
    why, counted = check_reason(why), False
    while not counted:  # of two promotions at once the second is checked again, then against the new champion
        entries = sync(name)
        if objection := find_objection(name, version, entries):
            raise RegistryError(objection)
        if to == "staging":
            mlflow.MlflowClient().set_registered_model_alias(name, "staging", str(version))
            return sync(name)
        decision = read_decision(find_versions(name)[version])
        metrics = {key: decision[key] for key in ("metric", "candidate", "rivals") if key in decision}
        counted = append(name, "promote", version, why, entries[-1].number if entries else 0, metrics)
    return sync(name)


def rollback(name: str, why: str) -> list[Entry]:
    """Make the champion before the present one champion again; return the history."""
    refuse_preview("roll back")
    why, entries, versions = check_reason(why), open_log(name), find_versions(name)
    if not entries:
        raise RegistryError(f"{name} has no champion: there is nothing to roll back.")
    champion = entries[-1].version
    gone = {champion, *find_rolled_back(entries)}
    below = [version for version in replay(entries)[:-1] if version in versions and version not in gone]
    if not below:
        raise RegistryError(
            f"{name}: there is no champion before version {champion} to go back to. See `stagebook models`."
        )
    if not append(name, "rollback", below[-1], why, entries[-1].number):
        raise RegistryError(f"{name}: version {champion} is no longer champion. See `stagebook models`, and try again.")
    return sync(name)


def check_reason(why: str) -> str:
    """Return the reason on one line; raise if there is none."""
    if not (why := " ".join(why.split())):
        raise RegistryError('There must be a reason, which is kept for good: WHY="..."')
    return why


def find_objection(name: str, number: int, entries: list[Entry]) -> str | None:
    """Return why a version must not be promoted, and what to do; None if it may."""
    versions, champion = find_versions(name), entries[-1].version if entries else None
    if number not in versions:
        return f"{name} has no version {number}; there is {', '.join(map(str, versions)) or 'none'}."
    if number == champion:
        return f"{name}: version {number} is champion already."
    if reason := find_rolled_back(entries).get(number):
        return f"{name}: version {number} was rolled back ({reason}). Change what was wrong, and run `make pipeline` again."
    decision = read_decision(versions[number])
    if not {"refused", "points", "champion"} <= set(decision):
        return f"{name}: the gate has not checked version {number}. Check out its commit and run {CHECK}."
    if reasons := find_refusals(decision):
        return "\n".join([f"{name}: the gate refused version {number}:", *(f"- {reason}" for reason in reasons)])
    against = decision["champion"]
    if (None if against is None else int(against)) != champion:
        checked = f"against version {against}" if against is not None else "when there was no champion"
        now = f"version {champion} is champion now" if champion else "there is no champion now"
        return f"{name}: version {number} was checked {checked}; {now}. Check out its commit and run {CHECK}."
    return None


def list_models(name: str) -> tuple[list[dict], list[dict]]:
    """Return the versions, newest first, and the history, oldest first, as `stagebook models` shows them."""
    entries = sync(name)
    versions, aliases = find_versions(name), find_aliases(name)
    stages, rolled_back = find_stages(versions, entries, aliases), find_rolled_back(entries)
    rows = [
        {
            "version": number,
            "stage": stages[number],
            "aliases": sorted(alias for alias, at in aliases.items() if at == number),
            "registered": version.creation_timestamp,
            "decision": read_decision(version),
            "rolled_back": rolled_back.get(number),
            "bytes": version.tags.get("model_bytes"),
            "run": version.run_id,
        }
        for number, version in reversed(versions.items())
    ]
    return rows, [asdict(entry) for entry in entries]
