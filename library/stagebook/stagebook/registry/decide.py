"""Take the decision of the gate on a version, once, and promote it if it may."""

import json

import mlflow

from .history import append, find_rolled_back
from .stages import sync
from .versions import read_decision

__all__ = ["decide"]


def decide(registered, evidence: str, judge_at, promote_to: str) -> dict:
    """Make the version champion if the gate lets it; return the decision.

    Parameters
    ----------
    registered : ModelVersion
    evidence : str
        Changes when what the decision rests on changes.
    judge_at : callable
        `judge_at(champion)` returns the decision where that version, or None, is champion.
    promote_to : str
        production; staging lets it wait for `make promote`; nothing leaves it where it is.
    """
    client, name, number, counted = mlflow.MlflowClient(), registered.name, int(registered.version), False
    client.set_registered_model_alias(name, "challenger", str(number))
    while not counted:  # another pipeline was faster: judge against its champion
        entries = sync(name)
        champion, after = (entries[-1].version, entries[-1].number) if entries else (None, 0)
        registered = client.get_model_version(name, str(number))
        decision = read_decision(registered)
        same = registered.tags.get("gate.evidence") == evidence
        if champion == number and same:
            break
        if not same or decision["champion"] != champion:
            decision = {**judge_at(champion), "champion": champion}
            client.set_model_version_tag(name, str(number), "gate.decision", json.dumps(decision))
            client.set_model_version_tag(name, str(number), "gate.evidence", evidence)
        if reason := find_rolled_back(entries).get(number):
            decision["refused"].append(f"version {number} was rolled back: {reason}")
        if decision["refused"] or champion == number or promote_to != "production":
            break
        figures = {key: decision[key] for key in ("figure", "candidate", "rivals")}
        counted = append(name, "promote", number, "the gate let it through", after, figures)
    if promote_to == "staging" and not decision["refused"]:
        client.set_registered_model_alias(name, "staging", str(number))
    sync(name)
    stage = client.get_model_version(name, str(number)).tags["stage"]
    alias = {"production": "champion", "staging": "staging"}.get(stage, "challenger")
    return {**decision, "alias": alias}
