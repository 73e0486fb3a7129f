"""All metrics of all models on the hold-out, as reports/metrics.json has them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..model.task import Task
from .bootstrap import bootstrap, draw_rows, score_draws
from .costs import Costs
from .decisions import measure_value
from .metrics import PRIMARY, Metric, calibration_error, score

__all__ = ["describe_label", "evaluate_models", "find_intervals", "metrics_table"]


def evaluate_models(
    task: Task,
    label: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    costs: Costs,
    own: Mapping[str, Metric],
    *,
    calibration_bins: int,
    interval_half_width: float | None = None,
) -> dict:
    """Return the metrics of each model, and what decisions by it would have cost.

    The evaluation writes them down; the gate computes them again and compares.

    Parameters
    ----------
    label : ndarray of shape (n_rows,)
        0..k-1, or the value.
    predictions : mapping of ndarray of shape (n_rows,) or (n_rows, n_classes)
        By model; `trivial`, `baseline` and `candidate` are among them.
    own : mapping of callable
        Metrics of the project, by name, as `score` takes them.
    calibration_bins : int
        Number of equally large groups of rows for the calibration error.
    interval_half_width : float, optional
        For regression: half the width of the interval around each predicted value, in the unit of the target.

    Returns
    -------
    dict
        The metrics by model, the candidate with `ece` or `coverage`; and `value`, as `measure_value` returns it.
    """
    metrics = {name: score(task, label, prediction, own) for name, prediction in predictions.items()}
    candidate = predictions["candidate"]
    if task.kind == "regression":
        covered = np.abs(label - candidate) <= interval_half_width
        metrics["candidate"]["coverage"] = round(float(covered.mean()), 4)
    else:
        metrics["candidate"]["ece"] = calibration_error(task, label, candidate, calibration_bins)
    ways = {name: predictions[name] for name in ("trivial", "baseline", "candidate")}
    return metrics | {"value": measure_value(task, label, ways, costs)}


def find_intervals(
    task: Task,
    label: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    own: Mapping[str, Metric],
    blocks: np.ndarray | None,
    *,
    draws: int,
    confidence: float,
    seed: int,
) -> dict[str, list[float]]:
    """Return the bootstrap interval of each metric of the candidate, and of `gain`: its lead over the baseline.

    Parameters
    ----------
    blocks : ndarray of shape (n_rows,) or None
        The day or group of each row; see `draw_rows`.
    draws, confidence, seed
        Number of resamples, share of them within the interval, and what makes them repeatable.
    """
    metric, sign = PRIMARY[task.kind]
    candidate, baseline = (score_draws(task, label, predictions[name], own) for name in ("candidate", "baseline"))

    def resampled(rows: np.ndarray) -> dict[str, float]:
        found, simple = candidate(rows), baseline(rows)
        return found | ({"gain": sign * (found[metric] - simple[metric])} if metric in found else {})

    return bootstrap(resampled, draw_rows(blocks, len(label), draws, seed), confidence)


def describe_label(task: Task, label: np.ndarray) -> dict:
    """Return the number of rows, and the share of each class or mean and standard deviation of the value."""
    if task.kind == "regression":
        return {"rows": len(label), "mean": float(f"{label.mean():.5g}"), "sd": float(f"{label.std():.5g}")}
    share = {str(code): round(float((label == code).mean()), 4) for code in range(len(task.classes))}
    return {"rows": len(label), "share": share}


def metrics_table(metrics: dict) -> pd.DataFrame:
    """Return a row per model, and two for the ends of the candidate's confidence interval."""
    models = {name: metrics[name] for name in ("trivial", "baseline", "candidate")}
    models |= {f"tried: {name}": found for name, found in metrics["tried"].items()}
    ends = pd.DataFrame(metrics["intervals"]["candidate"], index=["candidate, lower end", "candidate, upper end"])
    return pd.concat([pd.DataFrame(models).T, ends]).map(_show).astype(object)


def _show(value: float) -> str:
    """Return four decimals, so that a column can be compared; of a large number four digits."""
    return "" if pd.isna(value) else f"{value:.4f}" if abs(value) < 10 else f"{value:,.5g}"
