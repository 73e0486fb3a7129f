"""What the gate said of the model, for the card."""

from ..project.markdown import prose, table
from .parts import plain, section, show, text_or_gap, verdict

__all__ = ["banner", "gate_points", "thirteen"]


def banner(facts: dict) -> list[str]:
    """Return the verdict in a sentence; without one nobody may use the model."""
    decision = facts.get("registration") or {}
    points = decision.get("points")
    if not points:
        return ["> **Not judged.** There is no verdict of the gate: this model must not be used."]
    said = [verdict(point) for point in points]
    word = "Refused" if decision.get("refused") or "refused" in said else "Passed"
    left = f"; {said.count('not asked')} not asked of it" if "not asked" in said else ""
    version = (
        f" Version {show(decision['version'])} is {prose(decision.get('alias', ''))}." if "version" in decision else ""
    )
    return [f"> **{word}.** {said.count('passed')} of {len(said)} points of the gate are met{left}.{version}"]


def gate_points(facts: dict) -> list[str]:
    """Return what each gate said, and why it is there."""
    points = (facts.get("registration") or {}).get("points") or []
    reasons = {gate.name: gate.reason for gate in facts["requirements"].gates}
    rows = []
    for point in points:
        why = [prose(point["message"]), prose(reasons.get(point["gate"], "")), prose(point["owner"])]
        rows.append([plain(point["gate"]), verdict(point), *why])
    head = ["gate", "verdict", "why", "what the bar is for", "owner"]
    return section("Verdict of the gate", table(head, rows) if rows else [])


def thirteen(facts: dict) -> list[str]:
    """Return the requirements that are often overlooked, each with its bar and who checks it; nothing if there are none."""
    points = {point["gate"]: verdict(point) for point in (facts.get("registration") or {}).get("points") or []}
    rows = []
    for name, entry in facts["requirements"].requirements.items():
        if entry.not_needed_because is not None:
            said, where = f"not needed: {text_or_gap(entry.not_needed_because)}", ""
        else:
            said = text_or_gap(entry.threshold)
            gate = entry.gate or ""
            where = f"gate {plain(gate)}: {points.get(gate, 'not judged')}" if gate else prose(entry.check or "")
        rows.append([plain(name), said, where])
    return section("Requirements beyond accuracy", table(["requirement", "bar", "checked by"], rows) if rows else [])
