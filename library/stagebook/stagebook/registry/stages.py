"""The stage of each version, as MLflow shows it: aliases and tags, set from the log of promotions."""

import sys

import mlflow
from mlflow.exceptions import MlflowException

from ..project.errors import RegistryError
from .history import Entry, append, find_rolled_back, history
from .versions import find_aliases, find_refusals, find_versions, read_decision

__all__ = ["find_stages", "open_log", "sync"]


def open_log(name: str) -> list[Entry]:
    """Return the history. Without one, a version that has the alias champion and passed the gate is its first entry.

    A version that did not pass is no champion, whoever gave it the alias: `sync` takes the alias away.
    """
    entries, champion = history(name), find_aliases(name).get("champion")
    versions = {} if entries or champion is None else find_versions(name)
    if champion in versions and not find_refusals(read_decision(versions[champion])):
        append(name, "promote", champion, "had the alias champion when this log began; the gate had passed it", after=0)
        return history(name)
    return entries


def sync(name: str) -> list[Entry]:
    """Set aliases and tags as the log says, and return it.

    Repairs what was left when a promotion was killed after its entry. Whoever sets them looks at the log again: the last to
    set them has then seen all of it.
    """
    entries = open_log(name)
    while True:
        _set_twice(name, entries)
        latest = history(name)
        if latest == entries:
            return entries
        entries = latest


def _set_twice(name: str, entries: list[Entry]) -> None:
    """Two that set the same tag for the first time are in each other's way: then once more."""
    try:
        _set(name, entries)
    except MlflowException:
        _set(name, entries)


def _set(name: str, entries: list[Entry]) -> None:
    client, versions, aliases = mlflow.MlflowClient(), find_versions(name), find_aliases(name)
    champion, rolled_back = entries[-1].version if entries else None, find_rolled_back(entries)
    if entries and champion not in versions:
        raise RegistryError(
            f"{name}: version {champion}, the champion, was deleted. `make rollback` takes the one before."
        )
    if not entries and "champion" in aliases:
        _take_away(name, aliases)
    if entries and aliases.get("champion") != champion:
        client.set_registered_model_alias(name, "champion", str(champion))
    if aliases.get("staging", 0) in {champion, *rolled_back}:
        client.delete_registered_model_alias(name, "staging")
        del aliases["staging"]
    for number, stage in find_stages(versions, entries, aliases).items():
        wanted = {"stage": stage} | ({"rolled_back": rolled_back[number]} if number in rolled_back else {})
        for key, value in wanted.items():
            if versions[number].tags.get(key) != value:
                client.set_model_version_tag(name, str(number), key, value)


def _take_away(name: str, aliases: dict[str, int]) -> None:
    """Take the alias champion from a version that neither the log nor the gate made champion."""
    print(
        f"WARNING: {name}: version {aliases.pop('champion')} had the alias champion, but nobody promoted it and the gate has "
        "not passed it. The alias is taken away; `make promote` promotes a version that passed.",
        file=sys.stderr,
    )
    mlflow.MlflowClient().delete_registered_model_alias(name, "champion")


def find_stages(versions: dict, entries: list[Entry], aliases: dict[str, int]) -> dict[int, str]:
    """Return the stage of each version.

    - production: the champion, by the log. Alias `champion`.
    - staging: passed the gate and waits for a person. Alias `staging`.
    - development: the newest candidate that the gate has checked, alias `challenger`, and those not checked yet.
    - archived: all others. Former champions, and candidates that a later one has replaced.
    """
    champions = {entry.version for entry in entries}

    def find_stage(number: int) -> str:
        if entries and number == entries[-1].version:
            return "production"
        if number == aliases.get("staging"):
            return "staging"
        checked = "gate.decision" in versions[number].tags
        new = number not in champions and (number == aliases.get("challenger") or not checked)
        return "development" if new else "archived"

    return {number: find_stage(number) for number in versions}
