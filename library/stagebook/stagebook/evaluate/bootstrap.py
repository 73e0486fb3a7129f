"""Bootstrap confidence intervals: how far a metric may be off by the choice of the hold-out."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy.special import xlogy

from ..model.task import Task
from .metrics import Metric, score

__all__ = ["bootstrap", "draw_rows", "score_draws"]

FEWEST_BLOCKS = 10  # fewer days or groups tell too little about other days or groups; single rows are resampled then


def draw_rows(blocks: np.ndarray | None, rows: int, draws: int, seed: int):
    """Yield positions of rows resampled with replacement, `draws` times.

    Parameters
    ----------
    blocks : ndarray of shape (n_rows,) or None
        The day or group of each row. Rows of one block are alike, so whole blocks are resampled; else the interval would
        be too narrow.
    """
    random = np.random.default_rng(seed)
    members = list(pd.Series(np.arange(rows)).groupby(blocks).indices.values()) if blocks is not None else []
    for _ in range(draws):
        if len(members) < FEWEST_BLOCKS:
            yield random.integers(0, rows, rows)
        else:
            yield np.concatenate([members[block] for block in random.integers(0, len(members), len(members))])


def bootstrap(metrics: Callable[[np.ndarray], dict[str, float]], samples, confidence: float) -> dict[str, list[float]]:
    """Return the lower and upper end of each metric.

    Parameters
    ----------
    metrics : callable
        Takes positions of rows, returns metrics by name. One that is missing in a sample does not count there.
    samples : iterable of ndarray
        As `draw_rows` yields them.
    confidence : float
        Share of the samples between the ends.
    """
    found = pd.DataFrame([metrics(positions) for positions in samples])
    ends = found.quantile([(1 - confidence) / 2, (1 + confidence) / 2])
    return {name: [float(f"{end:.4g}") for end in ends[name]] for name in found}


def score_draws(
    task: Task, label: np.ndarray, prediction: np.ndarray, own: Mapping[str, Metric] | None = None
) -> Callable[[np.ndarray], dict[str, float]]:
    """Return a function from positions of rows to the metrics of these rows, as `score` gives them.

    For a binary task all rows are sorted once, and a resample only counts: a tenth of the time.
    """
    if task.kind != "binary" or own:
        return lambda rows: score(task, label[rows], prediction[rows], own)
    probability = prediction.astype(np.float32)
    values, place = np.unique(-probability, return_inverse=True)  # the most probable first
    true = np.where(label == 1, probability, 1 - probability)
    error, edge = (label - probability) ** 2, np.finfo(np.float32).eps
    loss = -xlogy(np.float32(1), true.clip(edge, 1 - edge))  # float32, as in scikit-learn: the last digit shows it

    def count(rows: np.ndarray) -> dict[str, float]:
        ranking = _rank(place[rows], label[rows] == 1, len(values))
        means = {"brier": np.mean(error[rows], dtype=np.float64), "log_loss": loss[rows].mean()}
        return {name: round(float(value), 4) for name, value in (ranking | means).items()}

    return count


def _rank(place: np.ndarray, positive: np.ndarray, places: int) -> dict[str, float]:
    """Return the ranking metrics of rows by the place of their probability; none if there is only one class."""
    drawn, right = np.bincount(place, minlength=places), np.bincount(place[positive], minlength=places)
    right, drawn = right[drawn > 0], drawn[drawn > 0]
    found, alarms = right.cumsum(), drawn.cumsum()  # by acting above one probability after the other
    wrong = alarms - found
    if not (found[-1] and wrong[-1]):
        return {}
    return {
        "roc_auc": np.trapezoid(np.append(0, found), np.append(0, wrong)) / found[-1] / wrong[-1],
        "average_precision": (right * found / alarms).sum() / found[-1],
    }
