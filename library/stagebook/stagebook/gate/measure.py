"""Measure a candidate for the gate: its metrics are computed again from the model and the hold-out, not believed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..evaluate.benchmark import TIMES
from ..evaluate.holdout import evaluate_models
from ..evaluate.inspection.segments import named_segments, row_loss
from ..evaluate.metrics import Metric, predict_trivial
from ..model.task import Task
from .evidence import Evidence, collect_evidence, find_differences

__all__ = ["measure_evidence"]


def measure_evidence(
    task: Task,
    facts: dict,
    holdout: pd.DataFrame,
    predictions: Mapping[str, np.ndarray],
    benchmark: pd.DataFrame,
    own: Mapping[str, Metric],
    missing: list[str],
) -> Evidence:
    """Return the evidence on the candidate, with every difference between the reports and the model itself.

    Parameters
    ----------
    facts : dict
        The reports `metrics`, `training`, `inspection` and `backtest`, and `requirements`; see `collect_facts`.
    holdout : DataFrame of shape (n_rows, n_columns)
    predictions, benchmark : mapping of ndarray, DataFrame
        Of `baseline` and `candidate`, as `run_benchmark` returns them.
    own : mapping of callable
        Metrics of the project, by name.
    missing : list of str
        What model card and data sheet lack.
    """
    row = benchmark.loc["candidate"]
    return collect_evidence(
        task,
        facts["metrics"],
        facts["inspection"],
        facts["backtest"],
        timings={name: float(row[name]) for name in TIMES},
        size_mb=float(row["size_mb"]),
        package_format=str(row["format"]),
        missing=missing,
        differences=_find_differences(task, facts, holdout, predictions, own),
    )


def _find_differences(task: Task, facts: dict, holdout: pd.DataFrame, predictions: Mapping, own: Mapping) -> list[str]:
    label = holdout[task.target].to_numpy()
    metrics, training, requirements = (facts[name] for name in ("metrics", "training", "requirements"))
    trivial = predict_trivial(training["trivial"], task, len(holdout))
    known = {"trivial": trivial, **{name: predictions[name] for name in ("baseline", "candidate")}}
    reached = evaluate_models(
        task,
        label,
        known,
        requirements.costs,
        own,
        calibration_bins=(metrics.get("holdout") or {}).get("calibration_bins", 10),
        interval_half_width=training.get("interval_half_width"),
    )
    loss = row_loss(task, label, predictions["candidate"])
    reported = _ratios((facts["inspection"].get("segments") or {}).get("named") or [])
    ratios = _ratios(named_segments(holdout, loss, requirements.segments, min_rows=1).to_dict("records"))
    return find_differences(metrics, reached) + find_differences(
        reported, {name: ratio for name, ratio in ratios.items() if name in reported}, "segment "
    )


def _ratios(segments: list[dict]) -> dict[str, float]:
    return {segment["segment"]: segment.get("ratio") for segment in segments}
