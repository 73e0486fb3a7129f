"""The gate: each figure against its bar in docs/requirements.yaml. Closed by default: no figure, no promotion."""

from dataclasses import dataclass, replace
from math import isfinite
from numbers import Real

from ..evaluate.metrics import PRIMARY
from ..model.task import Task
from .duties import FAIRNESS, find_open_duties
from .phrases import name_figure, say, say_bar, say_list, say_number
from .requirements import Requirements
from .thresholds import Gate

__all__ = ["Point", "judge", "judge_candidate", "refused", "without_timings"]


@dataclass(frozen=True)
class Point:
    """What the gate says of one figure: `bar` in words, `value` None if there is none, `said` the sentence for people."""

    gate: str
    owner: str
    figure: str
    value: float | None
    bar: str
    passed: bool
    said: str


def judge(requirements: Requirements, figures: dict, kind: str) -> list[Point]:
    """Hold the figures of a model against all gates for this kind of task.

    Parameters
    ----------
    figures : dict
        Nested; a gate's `metric` is a path in it. A number, or a list of what is wrong, of which the length counts:
        metrics, inspection, backtest : the reports. `saving` is worked out from metrics.value.cost
        gain : {"trivial": .., "baseline": .., "champion": ..}, of the figure that decides, more is better
        segments_rise : {"champion": ..}, largest rise of a named segment's loss, as a share of the champion's
        timings : {"one_row_ms": .., "thousand_rows_ms": ..}
        size_mb, format : of the package, "onnx" or "skops"
        first_version : True if there is no champion
        card : {"missing": list of sentences}, as `missing_parts` returns it
    kind : str
        binary, multiclass or regression.

    Returns
    -------
    list of Point
        In the order of the file; gates for another kind of task are left out.
    """
    figures = figures | {"risk": {"duties": find_open_duties(requirements)}, "saving": _savings(figures)}
    return [_judge_one(gate, requirements, figures) for gate in requirements.gates if kind in gate.kinds]


def _savings(figures: dict) -> dict[str, float]:
    """Return how much less the candidate costs than each other way to decide."""
    costs = _find(figures, "metrics.value.cost")
    numbers = {name: cost for name, cost in costs.items() if _is_number(cost)} if isinstance(costs, dict) else {}
    own = numbers.pop("candidate", None)
    return {} if own is None else {name: cost - own for name, cost in numbers.items()}


def _find(figures: dict, path: str) -> object:
    found = figures
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _judge_one(gate: Gate, requirements: Requirements, figures: dict) -> Point:
    found = _find(figures, gate.metric)

    def point(value: float | None, passed: bool, said: str) -> Point:
        return Point(gate.name, gate.owner, gate.metric, value, say_bar(gate), passed, said)

    if why := _not_asked(gate.metric, found, requirements, figures):
        return point(None, True, f"not asked: {why}")
    if isinstance(found, list):
        return point(len(found), _reaches(gate, len(found)), say_list(gate, found))
    if not _is_number(found):
        what = "is missing" if found is None else f"is {found!r}, no finite number"
        return point(None, False, f"no figure, no promotion: {gate.metric} {what}")
    value = float(f"{found:.6g}")  # what is written down is what is judged
    passed = _reaches(gate, value)
    return point(value, passed, say(gate, passed, say_number(gate.metric, value), figures))


def _reaches(gate: Gate, value: float) -> bool:
    return value <= gate.threshold if gate.at_most else value >= gate.threshold


def _not_asked(figure: str, found: object, requirements: Requirements, figures: dict) -> str:
    """Say why a gate does not apply; nothing if it does. Only what is known for certain opens it."""
    if figure.endswith(".champion") and figures.get("first_version") is True:
        return "a first version, there is no champion to compare with"
    if figure.startswith("saving.") and not requirements.costs.matrix:
        return "docs/requirements.yaml does not say what errors cost"
    if figure.startswith("inspection.behaviour") and _find(figures, "inspection.behaviour.tests") == []:
        return "docs/behaviour.yaml has no tests"
    if found is not None:
        return ""
    if (
        figure == FAIRNESS
        and not requirements.sensitive
        and (requirements.risk is None or requirements.risk.category != "high")
    ):
        return "docs/requirements.yaml names no sensitive column"
    if "segment" in figure and not requirements.segments:
        return "docs/requirements.yaml names no segments"
    if "parity" in figure and figures.get("format") == "skops":
        return "the package is skops, the trained model itself, not a conversion of it"
    return ""


def refused(points: list[Point]) -> list[str]:
    """Return what each gate says that the model does not pass; nothing means that it may be champion."""
    return [point.said for point in points if not point.passed]


def without_timings(points: list[Point]) -> list[Point]:
    """Return the points without what a clock measured: that differs from run to run, and DVC hashes the file."""
    return [
        replace(point, value=None, said=f"{name_figure(point.figure)} is {'' if point.passed else 'not '}{point.bar}")
        if point.figure.startswith("timings.") and point.value is not None
        else point
        for point in points
    ]


def judge_candidate(
    figures: dict, rivals: dict[str, float | None], rise: float | None, requirements: Requirements, task: Task
):
    """Return the decision: the figure that decides, of candidate and rivals, and every point of the gate.

    Parameters
    ----------
    figures : dict
        As `judge` takes them, without what is said here of the rivals.
    rivals : dict
        The figure that decides of trivial, baseline and champion, if there is one; None if it could not be had.
    rise : float or None
        Largest rise of a named segment's loss against the champion's.
    """
    figure, sign = PRIMARY[task.kind]
    own = figures["metrics"]["candidate"].get(figure)
    known = {name: other for name, other in rivals.items() if None not in (own, other)}
    figures = figures | {
        "gain": {name: round(sign * (own - other), 6) for name, other in known.items()},
        "segments_rise": {"champion": rise},
        "first_version": "champion" not in rivals,
    }
    points = judge(requirements, figures, task.kind)
    said = refused(without_timings(points))
    return {"figure": figure, "candidate": own, "rivals": rivals, "refused": said, "points": points}
