"""Label shift: how frequent is each class now, told from predictions before any true value has arrived?"""

import numpy as np
from scipy.optimize import nnls
from scipy.stats import norm

from ..evaluate.bootstrap import draw_rows
from ..model.task import Task

__all__ = ["measure_label_shift"]

WEAKEST = 0.15  # smallest singular value of the confusion matrix with which the shares can still be told


def measure_label_shift(
    task: Task,
    prediction: np.ndarray,
    before: np.ndarray,
    label: np.ndarray,
    *,
    blocks: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    draws: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict:
    """Return the share of each class in a window (BBSE, Lipton et al. 2018), or how far predicted values have moved.

    Parameters
    ----------
    prediction : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Of the window.
    before, label : ndarray
        Predictions and true values of reference rows, on which the model was not fitted.
    blocks : tuple
        The day or group of each row of the window, and of the reference; see `draw_rows`.

    Notes
    -----
    Assumes that within a class, features are distributed as in the reference: only the shares of the classes changed.

    Returns
    -------
    dict
        `largest`: value, low and high of the largest change (of a share; for regression, of the mean prediction in
        standard deviations), `low` is 0 if no change is possible, and `name` of the class. `classes`: before, now, low, high by
        class; for regression `mean`. If the model does not tell classes well enough, only `note`.
    """
    now, was = _table(task, prediction), _table(task, before)
    samples = zip(
        draw_rows(blocks[0], len(now), draws, seed), draw_rows(blocks[1], len(was), draws, seed + 1), strict=True
    )
    if task.kind == "regression":
        spread = float(was.std()) or 1.0
        shift = np.array([(now.mean() - was.mean()) / spread])
        drawn = np.array([[(now[one].mean() - was[other].mean()) / spread] for one, other in samples])
        largest, _ = _largest(shift, drawn, confidence)
        return {"largest": largest, "mean": {"before": float(was.mean()), "now": float(now.mean())}}
    label = label.astype(int)
    prior = np.bincount(label, minlength=len(task.classes)) / max(len(label), 1)
    if not prior.all():
        return {"note": f"the reference has no row of {task.classes[int(prior.argmin())]!r}"}
    if np.linalg.svd(_confusion(was, label), compute_uv=False)[-1] < WEAKEST:
        return {"note": "the model tells the classes apart too little to say how frequent they are"}
    share, drawn = _solve(_confusion(was, label), now.mean(axis=0)), []
    for one, other in samples:
        if len(np.unique(label[other])) == len(prior):
            drawn.append(_solve(_confusion(was[other], label[other]), now[one].mean(axis=0)))
    drawn = np.array(drawn).reshape(-1, len(prior))
    if not len(drawn):
        return {"note": "the reference has too few rows of a class"}
    largest, at = _largest(share - prior, drawn - prior, confidence)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    names = ("before", "now", "low", "high")
    rows = zip(task.classes, zip(prior, share, low, high, strict=True), strict=True)
    classes = {name: dict(zip(names, map(float, values), strict=True)) for name, values in rows}
    return {"largest": largest | {"name": task.classes[at]}, "classes": classes}


def _table(task: Task, prediction: np.ndarray) -> np.ndarray:
    """Return probabilities of all classes, or the values."""
    prediction = np.asarray(prediction, dtype=float)
    return np.column_stack([1 - prediction, prediction]) if task.kind == "binary" else prediction


def _confusion(prediction: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the mean probability of each class (rows) among the rows of each true class (columns)."""
    return np.stack([prediction[label == code].mean(axis=0) for code in range(prediction.shape[1])], axis=1)


def _solve(confusion: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the shares of the classes, 0 or more with the sum 1, that explain the mean prediction best."""
    weight = 100.0  # of the sum
    found, _ = nnls(np.vstack([confusion, np.full(len(mean), weight)]), np.append(mean, weight))
    return found / found.sum()


def _largest(shift: np.ndarray, drawn: np.ndarray, confidence: float) -> tuple[dict, int]:
    """Return the largest change with its interval, by Bonferroni for the number of classes, and which it is."""
    at, tail = int(np.abs(shift).argmax()), (1 - confidence) / 2 / len(shift)
    margin = float(norm.isf(tail)) * float(drawn[:, at].std())
    low, high = shift[at] - margin, shift[at] + margin
    ends = (0.0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high)))
    return {"value": float(abs(shift[at])), "low": float(ends[0]), "high": float(ends[1])}, at
