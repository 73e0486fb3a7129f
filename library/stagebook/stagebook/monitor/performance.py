"""How good the model is on the rows whose true value has arrived: metrics with intervals, value, segments, calibration."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from ..evaluate.bootstrap import draw_rows, score_draws
from ..evaluate.costs import Costs
from ..evaluate.decisions import row_costs
from ..evaluate.inspection.bins import bin_column
from ..evaluate.inspection.segments import measure_segments, row_loss
from ..evaluate.metrics import PRIMARY, calibration_error
from ..model.task import Task

__all__ = [
    "compare_drop",
    "draw_metrics",
    "measure_calibration",
    "measure_segment_change",
    "measure_value",
    "score_weighted",
    "with_interval",
]


def draw_metrics(
    task: Task, label: np.ndarray, prediction: np.ndarray, blocks: np.ndarray | None, *, draws: int, seed: int
) -> tuple[dict[str, float], pd.DataFrame]:
    """Return the metrics of all rows, and those of resampled rows, a row per draw (whole blocks, see `draw_rows`)."""
    measure = row_metrics(task, label, prediction)
    drawn = [measure(rows) for rows in draw_rows(blocks, len(label), draws, seed)]
    return measure(np.arange(len(label))), pd.DataFrame(drawn)


def row_metrics(task: Task, label: np.ndarray, prediction: np.ndarray) -> Callable[[np.ndarray], dict[str, float]]:
    """Return a function from positions of rows to metrics; of many classes only those that are quickly counted."""
    if task.kind != "multiclass":
        return score_draws(task, label.astype(int) if task.classes else label, np.asarray(prediction))
    loss, right = row_loss(task, label, prediction), np.asarray(prediction).argmax(axis=1) == label
    codes = label.astype(int)

    def count(rows: np.ndarray) -> dict[str, float]:
        found = np.bincount(codes[rows], minlength=len(task.classes))
        recall = (
            np.bincount(codes[rows], weights=right[rows], minlength=len(task.classes))[found > 0] / found[found > 0]
        )
        means = {"log_loss": loss[rows].mean(), "accuracy": right[rows].mean(), "balanced_accuracy": recall.mean()}
        return {name: round(float(value), 4) for name, value in means.items()}

    return count


def with_interval(value: float, drawn: Sequence[float], confidence: float) -> dict[str, float]:
    """Return value, low and high: the middle share of the draws, widened where it misses the value."""
    drawn = np.asarray(drawn, dtype=float)
    drawn = drawn[np.isfinite(drawn)]
    ends = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2]) if len(drawn) else (value, value)
    return {"value": float(value), "low": float(min(ends[0], value)), "high": float(max(ends[1], value))}


def compare_drop(
    task: Task, now: dict, drawn: pd.DataFrame, before: dict, drawn_before: pd.DataFrame, confidence: float
) -> dict | None:
    """Return by what share the deciding metric is worse than in the reference, .1 is a tenth; below 0 it is better.

    None if either has no such metric, or that of the reference is too close to 0 to be divided by.
    """
    metric, sign = PRIMARY[task.kind]
    if metric not in now or metric not in before or abs(before[metric]) < 0.01:
        return None
    drop = lambda new, old: sign * (old - new) / abs(old)
    old = drawn_before[metric].to_numpy()
    spread = np.where(np.abs(old) < 0.01, np.nan, old)
    return with_interval(
        drop(now[metric], before[metric]), drop(drawn[metric].to_numpy()[: len(old)], spread), confidence
    )


def score_weighted(task: Task, label: np.ndarray, prediction: np.ndarray, weight: np.ndarray) -> dict[str, float]:
    """Return the metrics of rows that count by their weight: shares of rows, or inverse propensities."""
    label, prediction = np.asarray(label), np.asarray(prediction, dtype=float)
    keep = weight > 0
    label, prediction, weight = label[keep], prediction[keep], weight[keep]
    if not len(label):
        return {}
    mean = lambda values: float(np.average(values, weights=weight))
    if task.kind == "regression":
        mse, center = mean((label - prediction) ** 2), mean(label)
        spread = mean((label - center) ** 2)
        found = {"r2": 1 - mse / spread} if spread > 0 else {}
        return found | {"rmse": mse**0.5, "mae": mean(np.abs(label - prediction))}
    loss = {"log_loss": mean(row_loss(task, label, prediction))}
    if task.kind == "multiclass":
        return loss | {"accuracy": mean(prediction.argmax(axis=1) == label)}
    found = {}
    if len(np.unique(label)) == 2:
        found["roc_auc"] = float(sk.roc_auc_score(label, prediction, sample_weight=weight))
        found["average_precision"] = float(sk.average_precision_score(label, prediction, sample_weight=weight))
    return found | {"brier": mean((label - prediction) ** 2)} | loss


def measure_calibration(task: Task, label: np.ndarray, prediction: np.ndarray, *, groups: int, seed: int) -> dict:
    """Return `ece` and `ece_by_chance`: the largest of 20 calibration errors had each probability been right.

    For regression `bias`: the mean of predicted minus true value.
    """
    if task.kind == "regression":
        return {"bias": float(np.mean(prediction - label))}
    random, prediction = np.random.default_rng(seed), np.asarray(prediction, dtype=float)
    table = np.column_stack([1 - prediction, prediction]) if task.kind == "binary" else prediction
    edges, chance = table.cumsum(axis=1), 0.0
    for _ in range(20):
        drawn = (random.random((len(table), 1)) > edges[:, :-1]).sum(axis=1)
        chance = max(chance, calibration_error(task, drawn, prediction, groups))
    return {"ece": calibration_error(task, label.astype(int), prediction, groups), "ece_by_chance": chance}


def measure_value(
    task: Task,
    label: np.ndarray,
    prediction: np.ndarray,
    trivial: np.ndarray,
    costs: Costs,
    blocks: np.ndarray | None,
    *,
    draws: int,
    confidence: float,
    seed: int,
) -> dict:
    """Return what acting on the predictions cost per row, and what it saved against acting on the `trivial` ones."""
    label = label.astype(int) if task.classes else label
    cost, none = (row_costs(task, label, each, costs.matrix) for each in (np.asarray(prediction), trivial))
    samples = list(draw_rows(blocks, len(label), draws, seed))
    saved = with_interval((none - cost).mean(), [(none - cost)[rows].mean() for rows in samples], confidence)
    about = {"currency": costs.currency or "errors", "per": costs.per or "row", "no_model": float(none.mean())}
    paid = with_interval(cost.mean(), [cost[rows].mean() for rows in samples], confidence)
    return about | {"cost": paid, "saved": saved, "saved_total": float((none - cost).sum())}


def measure_segment_change(
    frame: pd.DataFrame,
    loss: np.ndarray,
    frame_before: pd.DataFrame,
    loss_before: np.ndarray,
    columns: Sequence[str],
    min_rows: int,
) -> list[dict]:
    """Return the segments along the columns, the worst first, with `loss_before` and `rise` (.1: a tenth more loss)."""
    masks, masks_before = {}, {}
    for column in columns:
        groups = bin_column(pd.concat([frame[column], frame_before[column]], ignore_index=True))
        now, before = groups[: len(frame)], groups[len(frame) :]
        for group in sorted(set(now)):
            masks[f"{column} {group}"], masks_before[f"{column} {group}"] = now == group, before == group
    table = measure_segments(masks, loss, min_rows)
    known = measure_segments(masks_before, loss_before, min_rows).set_index("segment")["loss"]
    table["loss_before"] = table["segment"].map(known)
    table["rise"] = table["loss"] / table["loss_before"].where(table["loss_before"] > 0) - 1
    lines = table.to_dict("records")
    return [{key: value for key, value in line.items() if not pd.isna(value)} for line in lines]
