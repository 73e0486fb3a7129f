"""The metrics that a gate of docs/requirements.yaml can name: what each is, and when it does not apply."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from .duties import find_open_duties
from .evidence import Evidence

if TYPE_CHECKING:
    from .requirements import Requirements

__all__ = ["GateMetric", "find_metric"]


def _never(evidence: Evidence, requirements: "Requirements") -> str:
    return ""


@dataclass(frozen=True)
class GateMetric:
    """A number, or a list of what is wrong, of which the length counts.

    Attributes
    ----------
    label : str
        What people call it.
    read : callable
        Returns its value from evidence and requirements; None if it was not measured.
    not_asked : callable
        Returns the reason why a gate on it does not apply; an empty text if it applies.
    worst : callable
        Returns where it is worst, a segment or a column; an empty text if it has no such place.
    unit : str
    none : str
        The sentence for an empty list.
    """

    label: str
    read: Callable[[Evidence, "Requirements"], object]
    not_asked: Callable[[Evidence, "Requirements"], str] = _never
    worst: Callable[[Evidence], str] = lambda evidence: ""
    unit: str = ""
    none: str = ""


def find_metric(name: str) -> GateMetric:
    """Return what the name in docs/requirements.yaml stands for: one of `METRICS`, or `metrics.candidate.<name>`.

    Raises
    ------
    ValueError
        The name is not known; the message names the nearest and all others.
    """
    if name in METRICS:
        return METRICS[name]
    if name.startswith(CANDIDATE):
        return _candidate(name, name)
    close = get_close_matches(name, [*METRICS, *(f"{CANDIDATE}{own}" for own in ("ece", "coverage"))], n=1, cutoff=0)
    raise ValueError(
        f"{name!r} is not known; did you mean {close[0]!r}? Known are {', '.join(METRICS)}, and {CANDIDATE}<name> "
        "for the other metrics of the candidate in reports/metrics.json, your own among them."
    )


CANDIDATE = "metrics.candidate."


def _candidate(name: str, label: str) -> GateMetric:
    return GateMetric(label, lambda evidence, _: evidence.candidate.get(name.removeprefix(CANDIDATE)))


def _no_champion(evidence: Evidence, requirements: "Requirements") -> str:
    return "a first version, there is no champion to compare with" if evidence.first_version else ""


def _no_costs(evidence: Evidence, requirements: "Requirements") -> str:
    return "" if requirements.costs.matrix else "docs/requirements.yaml has no costs of errors"


def _no_tests(evidence: Evidence, requirements: "Requirements") -> str:
    return "docs/behaviour.yaml has no tests" if evidence.behaviour_tests == 0 else ""


def _no_segments(evidence: Evidence, requirements: "Requirements") -> str:
    return "" if requirements.segments or evidence.segments else "docs/requirements.yaml names no segments"


def _no_segments_or_champion(evidence: Evidence, requirements: "Requirements") -> str:
    missing = evidence.segment_rise is None
    return _no_champion(evidence, requirements) or (_no_segments(evidence, requirements) if missing else "")


def _no_sensitive(evidence: Evidence, requirements: "Requirements") -> str:
    asked = requirements.sensitive or evidence.fairness or (requirements.risk and requirements.risk.category == "high")
    return "" if asked else "docs/requirements.yaml names no sensitive column"


def _no_conversion(evidence: Evidence, requirements: "Requirements") -> str:
    whole = evidence.parity is None and evidence.package_format == "skops"
    return "the package is skops, the trained model itself, not a conversion of it" if whole else ""


def _highest(values: dict[str, float]) -> str:
    return max(values, key=values.get, default="")


METRICS = {
    "gain.trivial": GateMetric("gain over the trivial model", lambda evidence, _: evidence.gain("trivial")),
    "gain.baseline": GateMetric("gain over the baseline", lambda evidence, _: evidence.gain("baseline")),
    "gain.champion": GateMetric("gain over the champion", lambda evidence, _: evidence.gain("champion"), _no_champion),
    "inspection.worst_segment_ratio": GateMetric(
        "loss of the worst named segment by the loss of all rows",
        lambda evidence, _: max(evidence.segments.values(), default=None),
        _no_segments,
        worst=lambda evidence: _highest(evidence.segments),
    ),
    "segments_rise.champion": GateMetric(
        "largest rise of a segment's loss against the champion",
        lambda evidence, _: evidence.segment_rise,
        _no_segments_or_champion,
    ),
    "metrics.candidate.ece": _candidate("metrics.candidate.ece", "calibration error"),
    "metrics.candidate.coverage": _candidate("metrics.candidate.coverage", "share of rows inside their interval"),
    "saving.no model": GateMetric(
        "saving against deciding without a model", lambda evidence, _: evidence.saving("no model"), _no_costs
    ),
    "saving.baseline": GateMetric(
        "saving against the baseline", lambda evidence, _: evidence.saving("baseline"), _no_costs
    ),
    "inspection.fairness_difference": GateMetric(
        "largest difference between groups",
        lambda evidence, _: max(evidence.fairness.values(), default=None),
        _no_sensitive,
        worst=lambda evidence: _highest(evidence.fairness),
    ),
    "inspection.behaviour.failed": GateMetric(
        "behavioural tests that fail",
        lambda evidence, _: evidence.failed_tests,
        _no_tests,
        none="no behavioural test fails",
    ),
    "inspection.behaviour_failed": GateMetric(
        "number of behavioural tests that fail",
        lambda evidence, _: None if evidence.failed_tests is None else len(evidence.failed_tests),
        _no_tests,
    ),
    "backtest.worst.candidate": GateMetric(
        "metric of the worst period of the backtest", lambda evidence, _: evidence.worst_period
    ),
    "backtest.lost_to_trivial": GateMetric(
        "number of periods in which the trivial model is better", lambda evidence, _: evidence.lost_to_trivial
    ),
    "metrics.parity.candidate": GateMetric(
        "difference between package and trained model", lambda evidence, _: evidence.parity, _no_conversion
    ),
    "timings.one_row_ms": GateMetric(
        "time for one row", lambda evidence, _: evidence.timings.get("one_row_ms"), unit=" ms"
    ),
    "timings.thousand_rows_ms": GateMetric(
        "time for a thousand rows", lambda evidence, _: evidence.timings.get("thousand_rows_ms"), unit=" ms"
    ),
    "size_mb": GateMetric("size of the package", lambda evidence, _: evidence.size_mb, unit=" MB"),
    "risk.duties": GateMetric(
        "open duties of the category of risk",
        lambda _, requirements: find_open_duties(requirements),
        none="all that the category of risk requires is there",
    ),
    "card.missing": GateMetric(
        "model card and data sheet are half-filled",
        lambda evidence, _: evidence.missing,
        none="model card and data sheet are complete",
    ),
}
