"""Feedback: the model's own actions change labels. The control share, which no action touches, tells what is true."""

import numpy as np

from ..model.task import Task
from .performance import score_weighted

__all__ = ["control_weights", "evaluate_control"]

SMALLEST_SHARE = 0.001  # a row drawn with less would count as more than 1,000 rows


def control_weights(control: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return how much each row counts, of shape (n_rows,): inverse propensity in the control arm, 0 elsewhere; mean 1.

    Retrain and evaluate with these weights. Rows on which the model acted are left out: their label may be what
    the action made of it. Where some rows had a larger chance to be in the control arm, they count less, so that the
    arm stands for all rows (Horvitz and Thompson 1952).

    Parameters
    ----------
    control : ndarray of bool of shape (n_rows,)
        Rows on which nobody acted, drawn at random.
    share : ndarray of shape (n_rows,)
        The probability with which each row was drawn; rows without one (0 or NaN) cannot be weighted and count 0.
    """
    share = np.asarray(share, dtype=float)
    usable = np.asarray(control, dtype=bool) & (share >= SMALLEST_SHARE) & (share <= 1)
    weight = np.divide(1.0, share, out=np.zeros(len(share)), where=usable)
    return weight * len(weight) / weight.sum() if usable.any() else weight


def evaluate_control(
    task: Task, label: np.ndarray, prediction: np.ndarray, control: np.ndarray, share: np.ndarray, *, min_rows: int
) -> dict | None:
    """Return the metrics on the control arm, weighted to stand for all rows, beside those of the rows acted on.

    Parameters
    ----------
    label, prediction, control, share : ndarray of shape (n_rows,)
        Of the rows whose true value is known; `prediction` may be of shape (n_rows, n_classes).

    Returns
    -------
    dict or None
        `rows`, `share`, `effective_rows` (as many rows of equal weight tell as much), `performance` and `acted_on`;
        without `performance` below `min_rows`. None if no row is in the control arm.
    """
    weight = control_weights(control, share)
    rows = int((weight > 0).sum())
    if not rows:
        return None
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    found = {"rows": rows, "share": rows / len(weight), "effective_rows": round(effective, 1)}
    if rows < min_rows:
        return found
    found["performance"] = score_weighted(task, label, prediction, weight)
    acted = score_weighted(task, label, prediction, (~np.asarray(control, dtype=bool)).astype(float))
    return found | ({"acted_on": acted} if acted else {})
