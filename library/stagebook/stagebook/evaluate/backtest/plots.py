"""Plots of the backtest and of the learning curve; the title states the result."""

import textwrap

import matplotlib.pyplot as plt
import pandas as pd

from ...model.task import Task
from ..metrics import PRIMARY
from ..style import find_style
from .learning_curve import describe_growth
from .scores import describe_worst

__all__ = ["draw_curve", "draw_periods", "name_label", "plot_backtest"]


def name_label(task: Task) -> str:
    """Return what the mean of the label is."""
    return f"share of {task.classes[1]!r}" if task.kind == "binary" else f"mean of {task.target}"


def plot_backtest(backtest: dict, task: Task) -> dict[str, plt.Figure]:
    """Return the plots of reports/backtest.json, by name."""
    periods, curve = backtest["periods"], backtest["learning_curve"]
    return {
        "periods": draw_periods(periods, task, describe_worst(periods, task)),
        "learning_curve": draw_curve(curve, task, describe_growth(curve, backtest["more_rows"], task)),
    }


@plt.rc_context({"text.parse_math": False})  # a name may have a $ in it
def draw_periods(periods: list[dict], task: Task, title: str) -> plt.Figure:
    """Return the deciding metric by period, above the mean of the label; for several classes there is no mean."""
    panels = 1 if task.kind == "multiclass" else 2
    figure, axes = plt.subplots(panels, figsize=(9, 2.5 * panels + 1), layout="constrained", sharex=True, squeeze=False)
    table = pd.DataFrame(periods, columns=["name", "candidate", "trivial", "label_mean"])
    line = "" if any("fold" in one for one in periods) else "-"  # folds come in no order
    for name in ("candidate", "trivial"):
        style = find_style(name) | ({} if line else {"linestyle": ""})
        axes[0, 0].plot(table["name"], table[name], marker="o", label=name, **style)
    axes[0, 0].set(ylabel=PRIMARY[task.kind][0])
    axes[0, 0].legend()
    if panels == 2:
        axes[1, 0].bar(table["name"], table["label_mean"], color="C1")
        axes[1, 0].set(ylabel=_fit(name_label(task), 30))
    axes[-1, 0].tick_params(axis="x", rotation=60)
    figure.suptitle(_fit(title, 100), fontsize=11)
    return figure


def draw_curve(points: list[dict], task: Task, title: str) -> plt.Figure:
    """Return the loss on the validation split by the number of rows that the model is fitted on."""
    figure, axis = plt.subplots(figsize=(9, 4), layout="constrained")
    table = pd.DataFrame(points, columns=["rows", "loss"])
    axis.plot(table["rows"], table["loss"], marker="o", **find_style("candidate"))
    axis.set_xticks(table["rows"], [f"{rows:,}" for rows in table["rows"]])
    loss = "root mean squared error" if task.kind == "regression" else "log loss"
    axis.set(xlabel="rows that the model is fitted on", ylabel=f"{loss} on the validation split")
    figure.suptitle(_fit(title, 100), fontsize=11)
    return figure


def _fit(text: str, width: int) -> str:
    return textwrap.fill(text, width)
