"""What the gate knows of a candidate: one typed object, made in one place from the reports and from the model itself."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isclose
from numbers import Real

from ..evaluate.metrics import PRIMARY
from ..model.task import Task

__all__ = ["Evidence", "collect_evidence", "find_differences", "is_number"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was measured of a candidate. What was not measured is None or not in its dictionary, and closes its gates.

    Attributes
    ----------
    candidate : dict of float
        Its metrics on the hold-out, by name.
    rivals : dict of float
        The deciding metric of `trivial`, `baseline` and, if there is one, `champion`. None: could not be computed.
    cost : dict of float
        Cost per row of the decisions of `candidate`, `baseline` and `no model`.
    parity : float
        Largest difference between the package and the trained model.
    segments : dict of float
        Loss of each named segment divided by the loss of all rows.
    segment_rise : float
        Largest rise of a named segment's loss compared with the champion: 0.1 is 10 % more.
    fairness : dict of float
        Largest difference between groups, for each sensitive column.
    behaviour_tests : int
        Number of behavioural tests; `failed_tests` are the names of those that fail.
    worst_period, lost_to_trivial : float
        Of the backtest: the deciding metric in the worst period, and in how many periods the trivial model was better.
    timings : dict of float
        `one_row_ms` and `thousand_rows_ms`.
    size_mb, package_format : float, str
        Of the package; the format is onnx or skops.
    missing : list of str
        What model card and data sheet lack.
    differences : list of str
        Where the reports differ from what the model reaches on the hold-out. None: not recomputed.
    """

    task: Task
    candidate: dict[str, float] = field(default_factory=dict)
    rivals: dict[str, float | None] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    parity: float | None = None
    segments: dict[str, float] = field(default_factory=dict)
    segment_rise: float | None = None
    fairness: dict[str, float] = field(default_factory=dict)
    behaviour_tests: int | None = None
    failed_tests: list[str] | None = None
    worst_period: float | None = None
    lost_to_trivial: int | None = None
    timings: dict[str, float] = field(default_factory=dict)
    size_mb: float | None = None
    package_format: str = ""
    missing: list[str] | None = None
    differences: list[str] | None = None

    @property
    def first_version(self) -> bool:
        """Whether there is no champion to compare with."""
        return "champion" not in self.rivals

    def gain(self, rival: str) -> float | None:
        """Return by how much the candidate is better than a rival in the deciding metric; None if that is not known."""
        metric, sign = PRIMARY[self.task.kind]
        own, other = self.candidate.get(metric), self.rivals.get(rival)
        return round(sign * (own - other), 6) if is_number(own) and is_number(other) else None

    def saving(self, other: str) -> float | None:
        """Return how much less than another way to decide the candidate costs per row; None if that is not known."""
        own, spent = self.cost.get("candidate"), self.cost.get(other)
        return spent - own if is_number(own) and is_number(spent) else None

    def against(self, champion: float | None, segment_rise: float | None) -> "Evidence":
        """Return the evidence with the champion among the rivals."""
        return replace(self, rivals=self.rivals | {"champion": champion}, segment_rise=segment_rise)

    def digest(self) -> str:
        """Return a hash of what a decision rests on. Timings are left out: they differ from run to run."""
        content = {name: value for name, value in asdict(self).items() if name != "timings"}
        return hashlib.md5(json.dumps(content, sort_keys=True, default=str).encode(), usedforsecurity=False).hexdigest()


def collect_evidence(task: Task, metrics: dict, inspection: dict, backtest: dict, **measured) -> Evidence:
    """Return the evidence of the reports and of what was `measured` on the package.

    Parameters
    ----------
    metrics, inspection, backtest : dict
        reports/metrics.json, reports/inspection.json and reports/backtest.json.
    **measured
        `timings`, `size_mb`, `package_format`, `missing` and `differences` of `Evidence`.
    """
    name = PRIMARY[task.kind][0]
    behaviour = inspection.get("behaviour") or {}
    segments = (inspection.get("segments") or {}).get("named") or []
    fairness = {column: found.get("difference") for column, found in (inspection.get("fairness") or {}).items()}
    return Evidence(
        task=task,
        candidate=metrics.get("candidate") or {},
        rivals={rival: (metrics.get(rival) or {}).get(name) for rival in ("trivial", "baseline")},
        cost=(metrics.get("value") or {}).get("cost") or {},
        parity=(metrics.get("parity") or {}).get("candidate"),
        segments={one["segment"]: one["ratio"] for one in segments if one.get("ratio") is not None},
        fairness={column: difference for column, difference in fairness.items() if difference is not None},
        behaviour_tests=len(behaviour["tests"]) if "tests" in behaviour else None,
        failed_tests=behaviour.get("failed"),
        worst_period=(backtest.get("worst") or {}).get("candidate"),
        lost_to_trivial=backtest.get("lost_to_trivial"),
        **measured,
    )


def find_differences(reported: Mapping, measured: Mapping, where: str = "") -> list[str]:
    """Return a sentence for each number of `measured` that `reported`, nested alike, does not have.

    Numbers may differ in their last digit: another processor may round the same model otherwise.
    """
    found = []
    for name, value in measured.items():
        path, other = f"{where}{name}", reported.get(name) if isinstance(reported, Mapping) else None
        if isinstance(value, Mapping):
            found += find_differences(other or {}, value, f"{path}.")
        elif isinstance(value, str) and value != other:
            found.append(f"{path} is {other!r}, not {value!r}")
        elif not isinstance(value, str) and not _close(value, other):
            found.append(f"{path} is {other}, the model reaches {value}")
    return found


def _close(value: float, other: object) -> bool:
    return is_number(other) and isclose(value, other, rel_tol=1e-3, abs_tol=2e-4)


def is_number(value: object) -> bool:
    """Return True for a number, finite or not; False for a bool."""
    return isinstance(value, Real) and not isinstance(value, bool)
