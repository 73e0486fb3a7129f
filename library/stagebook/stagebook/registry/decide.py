"""Take the decision of the gate on a version, once, and promote it if it may."""

import json
from collections.abc import Callable

import mlflow

from .history import append, find_rolled_back
from .preview import refuse_preview
from .stages import sync
from .versions import find_refusals, read_decision

__all__ = ["decide_once"]


def decide_once(name: str, number: int, evidence: str, check: Callable[[int | None], dict], promote_to: str) -> dict:
    """Make the version champion if the gate passes it; return the decision.

    A decision is kept with the version and not taken again before the evidence or the champion changes. A version that
    was rolled back stays rolled back. If two pipelines run at once, the first promotion counts, and the other checks again
    with the new champion.

    Parameters
    ----------
    name, number : str, int
        Of the registered version.
    evidence : str
        A hash of what the decision rests on.
    check : callable
        `check(champion)` returns the decision if that version, or None, is champion.
    promote_to : str
        production; staging lets it wait for `make promote`; nothing leaves it where it is.
    """
    refuse_preview("promote")
    client, counted = mlflow.MlflowClient(), False
    client.set_registered_model_alias(name, "challenger", str(number))
    while not counted:  # another pipeline was faster: check against its champion
        entries = sync(name)
        champion, after = (entries[-1].version, entries[-1].number) if entries else (None, 0)
        registered = client.get_model_version(name, str(number))
        decision = read_decision(registered)
        same = registered.tags.get("gate.evidence") == evidence and bool(decision.get("points"))
        if champion == number and same:
            break
        if not same or decision["champion"] != champion:
            decision = {**check(champion), "champion": champion}
            lasting = {key: value for key, value in decision.items() if key != "measured"}  # a tag is small
            client.set_model_version_tag(name, str(number), "gate.decision", json.dumps(lasting))
            client.set_model_version_tag(name, str(number), "gate.evidence", evidence)
        if reason := find_rolled_back(entries).get(number):
            decision["refused"].append(f"version {number} was rolled back: {reason}")
        if find_refusals(decision) or champion == number or promote_to != "production":
            break
        metrics = {key: decision[key] for key in ("metric", "candidate", "rivals")}
        counted = append(name, "promote", number, "the gate passed it", after, metrics)
    if promote_to == "staging" and not find_refusals(decision):
        client.set_registered_model_alias(name, "staging", str(number))
    sync(name)
    stage = client.get_model_version(name, str(number)).tags["stage"]
    alias = {"production": "champion", "staging": "staging"}.get(stage, "challenger")
    return {**decision, "alias": alias}
