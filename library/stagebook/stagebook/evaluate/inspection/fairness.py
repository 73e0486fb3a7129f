"""Fairness: metrics for each group of a sensitive column, and the confidence interval of their difference."""

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame, count, mean_prediction

from ...model.task import Task
from .bins import bin_column

__all__ = ["compare_groups", "fairness_table"]


def fairness_table(
    task: Task,
    label: np.ndarray,
    prediction: np.ndarray,
    groups: pd.Series,
    *,
    threshold: float = 0.5,
    min_rows: int = 30,
    bootstraps: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the metrics of each group of one sensitive column, and the largest difference between two groups.

    Parameters
    ----------
    label, prediction : ndarray
        As `row_loss` takes them.
    groups : Series of shape (n_rows,)
        The sensitive column; it is sorted into groups by `bin_column`.
    threshold : float
        Binary: from which probability on a row is selected.
    min_rows : int
        Groups with fewer rows are left out. For a true positive rate, only rows of the second class count.

    Returns
    -------
    DataFrame, one row per metric and group, metrics in the order of their largest difference
        `figure`, `group`, `rows`, `value`; `difference` between the highest and the lowest group, `low` and `high`: its
        interval, which holds for all pairs of groups at once. NaN where fewer than two groups have enough rows.
    """
    names = bin_column(groups)
    tables = []
    for figure, values in _row_figures(task, label, prediction, threshold).items():
        known = ~np.isnan(values)
        table = _by_group(values[known], names[known], min_rows)
        kept = {group: values[known & (names == group)] for group in table["group"]}
        difference, low, high = compare_groups(kept, bootstraps, confidence, seed)
        tables.append(table.assign(figure=figure, difference=difference, low=low, high=high))
    tables.sort(key=lambda table: -table["difference"].fillna(-1).max() if len(table) else 1)
    return pd.concat(tables, ignore_index=True)[["figure", "group", "rows", "value", "difference", "low", "high"]]


def _row_figures(task: Task, label: np.ndarray, prediction: np.ndarray, threshold: float) -> dict[str, np.ndarray]:
    """Return for each figure the values whose mean it is; NaN for rows that it does not count."""
    label, prediction = np.asarray(label), np.asarray(prediction, dtype=float)
    if task.kind == "multiclass":
        return {"accuracy": (prediction.argmax(axis=1) == label).astype(float)}
    if task.kind == "regression":
        residual = (label - prediction) / (label.std() or 1.0)  # in standard deviations, to have no unit
        return {"mean residual": residual, "mean absolute error": np.abs(residual)}
    selected = (prediction >= threshold).astype(float)
    return {
        "selection rate": selected,
        "true positive rate": np.where(label == 1, selected, np.nan),
        "false positive rate": np.where(label == 0, selected, np.nan),
    }


def _by_group(values: np.ndarray, names: np.ndarray, min_rows: int) -> pd.DataFrame:
    if not len(values):
        return pd.DataFrame(columns=["group", "value", "rows"])
    frame = MetricFrame(
        metrics={"value": mean_prediction, "rows": count},
        y_true=values,
        y_pred=values,
        sensitive_features=pd.Series(names, name="group"),
    )
    table = frame.by_group.reset_index().astype({"rows": int})
    return table[table["rows"] >= max(min_rows, 2)].sort_values("value", ascending=False, ignore_index=True)


def compare_groups(
    groups: dict[str, np.ndarray], bootstraps: int, confidence: float, seed: int
) -> tuple[float, float, float]:
    """Return the difference between the highest and the lowest mean of the groups, and its interval.

    fairlearn's own bootstrap is not used: it is of the largest difference, which is never below 0, so that groups
    treated alike would look different; and for 54,000 rows it takes 20 s. Here the two groups are kept, the interval
    may contain 0, and it is as wide as the worst of all pairs needs (bootstrapped, studentised range).
    """
    if len(groups) < 2:
        return np.nan, np.nan, np.nan
    means = np.array([values.mean() for values in groups.values()])
    sizes = np.array([len(values) for values in groups.values()])
    spread = np.array([values.var() for values in groups.values()])
    pooled = (spread * sizes).sum() / sizes.sum()
    # A group whose few rows are all alike is not certain: it gets four rows' worth of the spread of all.
    error = np.sqrt((spread * sizes + 4 * pooled) / (sizes + 4) / sizes).clip(1e-12)
    random = np.random.default_rng(seed)
    drawn = np.stack(
        [
            [values[random.integers(0, len(values), len(values))].mean() for _ in range(bootstraps)]
            for values in groups.values()
        ]
    )
    off = drawn - means[:, None]
    widths = np.hypot(error[:, None], error)
    worst = (np.abs(off[:, None] - off) / widths[..., None]).max(axis=(0, 1))
    high, low = means.argmax(), means.argmin()
    difference, width = means[high] - means[low], np.quantile(worst, confidence) * widths[high, low]
    return float(difference), float(difference - width), float(difference + width)
