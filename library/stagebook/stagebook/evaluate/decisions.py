"""The cost of decisions, from `costs` in docs/requirements.yaml."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ..model.task import Task
from .costs import Costs, check_costs, cost_matrix
from .style import find_style

__all__ = [
    "cost_curve",
    "cost_matrix",
    "cost_per_row",
    "decide",
    "draw_cost_curve",
    "find_threshold",
    "measure_value",
    "row_costs",
]


def find_threshold(costs: np.ndarray) -> float:
    """Return the probability above which acting on the second class costs less on average, for costs of shape (2, 2).

    True where 30 % is really 30 %: C. Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001.
    """
    false_alarm, missed = costs[0, 1] - costs[0, 0], costs[1, 0] - costs[1, 1]
    return float(f"{false_alarm / (false_alarm + missed):.4g}")


def decide(task: Task, prediction: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """Return the class to act on, by its number, of shape (n_rows,): the one that costs least on average."""
    table = np.column_stack([1 - prediction, prediction]) if task.kind == "binary" else prediction
    return (table @ costs).argmin(axis=1)


def cost_per_row(task: Task, label: np.ndarray, prediction: np.ndarray, matrix: dict) -> float:
    """Return the average cost of acting on `prediction`.

    Parameters
    ----------
    label : ndarray of shape (n_rows,)
    prediction : ndarray of shape (n_rows,) or (n_rows, n_classes)
    matrix : dict
        `costs.matrix` of docs/requirements.yaml; for regression `too_high` and `too_low`, per unit of the target.
    """
    return float(f"{row_costs(task, label, prediction, matrix).mean():.5g}")


def row_costs(task: Task, label: np.ndarray, prediction: np.ndarray, matrix: dict) -> np.ndarray:
    """Return the cost of acting on the prediction of each row, of shape (n_rows,); arguments as of `cost_per_row`."""
    if task.kind == "regression":
        check_costs(matrix, task)
        off = prediction - label
        return np.where(off > 0, off * matrix.get("too_high", 1.0), -off * matrix.get("too_low", 1.0))
    costs = cost_matrix(matrix, task)
    return costs[label, decide(task, prediction, costs)]


def measure_value(task: Task, label: np.ndarray, predictions: dict[str, np.ndarray], costs: Costs) -> dict:
    """Return the cost per row of acting on each model, and for two classes the threshold above which to act."""
    cost = {name: cost_per_row(task, label, prediction, costs.matrix) for name, prediction in predictions.items()}
    about = {"currency": costs.currency or "errors", "per": costs.per or "row"}
    if task.kind == "binary":
        about["threshold"] = find_threshold(cost_matrix(costs.matrix, task))
    return about | {"cost": {"no model": cost.pop("trivial"), **cost}}


def cost_curve(label: np.ndarray, predictions: dict[str, np.ndarray], costs: np.ndarray) -> pd.DataFrame:
    """Return the average cost of each model of a binary task, for acting above 0, 0.01, ... 1."""
    grid = np.linspace(0, 1, 101).round(2)
    curves = {
        name: [costs[label, (prediction >= threshold).astype(int)].mean() for threshold in grid]
        for name, prediction in predictions.items()
    }
    return pd.DataFrame(curves, index=pd.Index(grid, name="threshold"))


def draw_cost_curve(table: pd.DataFrame, threshold: float, unit: str) -> plt.Figure:
    """Return the cost of acting above each threshold; the threshold that follows from the costs is marked."""
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, curve in table.items():
        axis.plot(table.index, curve, label=name, **find_style(name))
    axis.axvline(threshold, color="black", linewidth=1, label=f"threshold {threshold:.2f}")
    cost = np.interp(threshold, table.index, table["candidate"])
    title = (
        f"Acting above {threshold:.2f} costs {cost:.3g} {unit}; never acting costs {table['candidate'].iloc[-1]:.3g}"
    )
    axis.set(title=title, xlabel="act above this probability", ylabel=unit)
    axis.legend()
    return figure
