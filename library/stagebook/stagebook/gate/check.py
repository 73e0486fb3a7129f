"""The gate: each metric against its threshold in docs/requirements.yaml. Closed by default: no metric, no promotion."""

from dataclasses import dataclass, replace
from math import isfinite

from ..evaluate.metrics import PRIMARY
from ..project.markdown import show_number
from .evidence import Evidence, is_number
from .metrics import GateMetric, find_metric
from .requirements import Requirements
from .thresholds import Gate

__all__ = ["Point", "check_evidence", "decide", "refused", "without_timings"]

MOST_NAMED = 12
HONEST = "reports/metrics.json"


@dataclass(frozen=True)
class Point:
    """The verdict on one metric: the `threshold` in words, `value` None if there is none, `message` a sentence."""

    gate: str
    owner: str
    metric: str
    value: float | None
    threshold: str
    passed: bool
    message: str


def decide(requirements: Requirements, evidence: Evidence) -> dict:
    """Return the decision: deciding metric, its value for candidate and rivals, what is refused, and all points."""
    metric = PRIMARY[evidence.task.kind][0]
    points = check_evidence(requirements, evidence)
    return {
        "metric": metric,
        "candidate": evidence.candidate.get(metric),
        "rivals": evidence.rivals,
        "refused": refused(without_timings(points)),
        "points": points,
    }


def check_evidence(requirements: Requirements, evidence: Evidence) -> list[Point]:
    """Return a point for each gate of this kind of task, in the order of the file; first that the reports are true."""
    gates = [gate for gate in requirements.gates if evidence.task.kind in gate.kinds]
    return [_check_reports(evidence), *(_check_gate(gate, requirements, evidence) for gate in gates)]


def _check_reports(evidence: Evidence) -> Point:
    """Compare the report with what the model reaches now: nobody needs to trust a file that anybody can edit."""
    found = evidence.differences
    if found is None:
        message = f"{HONEST} was not compared with the model"
    elif found:
        message = f"{HONEST} does not match the model on the hold-out: {_join(found)}"
    else:
        message = f"{HONEST} matches what the model reaches on the hold-out"
    value = None if found is None else len(found)
    return Point("evidence", "ML engineer", HONEST, value, "at most 0", found == [], message)


def _check_gate(gate: Gate, requirements: Requirements, evidence: Evidence) -> Point:
    metric = find_metric(gate.metric)
    threshold = f"{'at most' if gate.at_most else 'at least'} {_format(metric, gate.threshold)}"

    def point(value: float | None, passed: bool, message: str) -> Point:
        return Point(gate.name, gate.owner, gate.metric, value, threshold, passed, message)

    if why := metric.not_asked(evidence, requirements):
        return point(None, True, f"not asked: {why}")
    found = metric.read(evidence, requirements)
    if isinstance(found, list):
        return point(
            len(found), _reaches(gate, len(found)), f"{metric.label}: {_join(found)}" if found else metric.none
        )
    if not (is_number(found) and isfinite(found)):
        what = "is missing" if found is None else f"is {found!r}, no finite number"
        return point(None, False, f"no metric, no promotion: {gate.metric} {what}")
    value = float(f"{found:.6g}")  # what is written down is what is checked
    passed = _reaches(gate, value)
    return point(value, passed, _explain(gate, metric, value, passed, evidence))


def _reaches(gate: Gate, value: float) -> bool:
    return value <= gate.threshold if gate.at_most else value >= gate.threshold


def _explain(gate: Gate, metric: GateMetric, value: float, passed: bool, evidence: Evidence) -> str:
    threshold = _format(metric, gate.threshold)
    words = {
        (True, True): f"is within {threshold}",
        (True, False): f"is above {threshold}, the most allowed",
        (False, True): f"is at least {threshold}",
        (False, False): f"is below {threshold}, the least allowed",
    }
    place = f" ({worst})" if (worst := metric.worst(evidence)) else ""
    return f"{metric.label} {_format(metric, value)}{place} {words[gate.at_most, passed]}"


def _format(metric: GateMetric, value: float) -> str:
    return show_number(value) + metric.unit


def _join(found: list[str]) -> str:
    more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"{'; '.join(map(str, found[:MOST_NAMED]))}{more}"


def refused(points: list[Point]) -> list[str]:
    """Return the message of each point that is not passed; an empty list means that the model may be champion."""
    return [point.message for point in points if not point.passed]


def without_timings(points: list[Point]) -> list[Point]:
    """Return the points without measured times: they differ from run to run, and DVC hashes the file."""
    return [
        replace(
            point,
            value=None,
            message=f"{find_metric(point.metric).label} is {'' if point.passed else 'not '}{point.threshold}",
        )
        if point.metric.startswith("timings.") and point.value is not None
        else point
        for point in points
    ]
