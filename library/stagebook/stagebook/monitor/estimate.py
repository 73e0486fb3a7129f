"""Performance before true values arrive: expected from calibrated probabilities, or from a model of the errors."""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import KFold, cross_val_predict
from threadpoolctl import threadpool_limits

from ..evaluate.bootstrap import draw_rows
from ..evaluate.costs import Costs
from ..evaluate.decisions import row_costs
from ..model.task import Task
from .multivariate import encode_tables
from .performance import row_metrics, score_weighted, with_interval

__all__ = ["calibrate", "estimate_performance"]

MOST_CALIBRATED = 10_000  # rows of the reference that probabilities are calibrated on
FEWEST_CALIBRATED = 300  # below it, isotonic regression follows single rows


def estimate_performance(
    task: Task,
    table: pd.DataFrame,
    prediction: np.ndarray,
    reference: tuple[pd.DataFrame, np.ndarray, np.ndarray],
    costs: Costs,
    *,
    kinds: dict[str, str],
    blocks: np.ndarray | None = None,
    draws: int = 100,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[dict[str, dict], pd.DataFrame]:
    """Return each metric that the rows are expected to have, with an interval for what will be measured, and the draws.

    Parameters
    ----------
    table, prediction
        Features and predictions of the window, of shape (n_rows, n_features) and (n_rows,) or (n_rows, n_classes).
    reference : tuple of DataFrame, ndarray, ndarray
        Features, predictions and labels of rows that the model was not fitted on.
    blocks : ndarray of shape (n_rows,), optional
        Day or group of each row of the window.

    Notes
    -----
    Assumes that the same features still mean the same label: under concept drift the estimate stays as it was.
    Classes: CBPE (NannyML). Labels are drawn by the calibrated probabilities; each draw also resamples rows, and the
    rows that the probabilities are calibrated on. Regression: the squared and the absolute error are predicted from
    features and prediction, as in DLE; r2 takes the variance of the label as that of predictions plus errors.
    """
    if task.kind == "regression":
        return _estimate_errors(task, table, prediction, reference, costs, kinds, (blocks, draws, confidence, seed))
    _, before, label = reference
    random = np.random.default_rng(seed)
    some = random.permutation(len(label))[:MOST_CALIBRATED]
    before, label = np.asarray(before, dtype=float)[some], label[some].astype(int)
    prediction = np.asarray(prediction, dtype=float)
    share = calibrate(task, before, label, prediction)
    count = len(task.classes)
    codes = np.repeat(np.arange(count), len(prediction))
    found = score_weighted(task, codes, np.concatenate([prediction] * count), share.T.ravel())
    found["cost"] = _expected_cost(task, prediction, share, costs).mean()
    drawn = []
    for rows in draw_rows(blocks, len(prediction), draws, seed):
        again = random.integers(0, len(label), len(label))
        each = calibrate(task, before[again], label[again], prediction)
        labels = (random.random((len(each), 1)) > each.cumsum(axis=1)[:, :-1]).sum(axis=1)
        metrics = row_metrics(task, labels, prediction)(rows)
        drawn.append(metrics | {"cost": row_costs(task, labels, prediction, costs.matrix)[rows].mean()})
    drawn = pd.DataFrame(drawn)
    return {
        name: with_interval(value, drawn[name], confidence) for name, value in found.items() if name in drawn
    }, drawn


def calibrate(task: Task, before: np.ndarray, label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return calibrated probabilities of all classes for `prediction`, of shape (n_rows, n_classes).

    Isotonic regression on the reference, per class; in a small reference the probabilities are moved to its shares only.
    """
    table = lambda values: np.column_stack([1 - values, values]) if task.kind == "binary" else values
    before, now, columns = table(before), table(prediction), []
    for code in range(now.shape[1]):
        true = (label == code).astype(float)
        if len(label) >= FEWEST_CALIBRATED and 0 < true.sum() < len(true):
            model = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1)
            columns.append(model.fit(before[:, code], true).predict(now[:, code]))
        else:
            ratio = (true.sum() + 1) / (before[:, code].sum() + 1)
            columns.append((now[:, code] * ratio).clip(0, 1))
        if task.kind == "binary" and code == 1:
            columns[0] = 1 - columns[1]
    found = np.column_stack(columns)
    return found / found.sum(axis=1, keepdims=True).clip(1e-12)


def _expected_cost(task: Task, prediction: np.ndarray, share: np.ndarray, costs: Costs) -> np.ndarray:
    rows = len(prediction)
    each = [row_costs(task, np.full(rows, code), prediction, costs.matrix) for code in range(share.shape[1])]
    return (np.column_stack(each) * share).sum(axis=1)


def _estimate_errors(task, table, prediction, reference, costs, kinds, how):
    """Return metrics of a regression from models of its absolute and squared error."""
    blocks, draws, confidence, seed = how
    frame, before, label = reference
    names = [name for name in kinds if name in table and name in frame]
    encoded, categorical = encode_tables(pd.concat([frame[names], table[names]], ignore_index=True), kinds)
    encoded = np.column_stack([encoded, np.concatenate([before, prediction])])
    errors = {
        "mae": np.abs(label - before),
        "mse": (label - before) ** 2,
        "cost": row_costs(task, label, before, costs.matrix),
    }
    expected, noise = {}, {}
    model = HistGradientBoostingRegressor(
        max_iter=100, max_leaf_nodes=8, categorical_features=np.append(categorical, False), random_state=seed
    )
    with threadpool_limits(1):
        for name, error in errors.items():
            limit = np.quantile(error, 0.999)  # one wild error must not become what is expected of its neighbours
            folds = KFold(min(3, len(label)), shuffle=True, random_state=seed)
            inside = cross_val_predict(model, encoded[: len(label)], error.clip(max=limit), cv=folds)
            noise[name] = error - inside
            fitted = model.fit(encoded[: len(label)], error.clip(max=limit))
            expected[name] = fitted.predict(encoded[len(label) :]).clip(min=0) + noise[name].mean()
    drawn, random = [], np.random.default_rng(seed)
    for rows in draw_rows(blocks, len(prediction), draws, seed):
        # Chance in the errors of the window's rows, and in the reference's rows that the mean error was told from.
        picks = [random.integers(0, len(label), size) for size in (len(rows), len(label))]
        off = {name: sum(each[pick].mean() - each.mean() for pick in picks) for name, each in noise.items()}
        mean = {name: values[rows].mean() + off[name] for name, values in expected.items()}
        drawn.append(_summarise(mean, float(np.var(prediction[rows]))))
    drawn = pd.DataFrame(drawn)
    found = _summarise({name: values.mean() for name, values in expected.items()}, float(np.var(prediction)))
    return {name: with_interval(value, drawn[name], confidence) for name, value in found.items()}, drawn


def _summarise(mean: dict[str, float], spread: float) -> dict[str, float]:
    squared = max(mean["mse"], 0.0)
    found = {"r2": 1 - squared / (spread + squared)} if spread + squared > 0 else {}
    return found | {"rmse": squared**0.5, "mae": max(mean["mae"], 0.0), "cost": max(mean["cost"], 0.0)}
