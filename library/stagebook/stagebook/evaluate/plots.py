"""Tables and plots of how good the models are on the hold-out, for each kind of task."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix, roc_curve

from ..model.task import Task
from .costs import Costs
from .decisions import cost_curve, cost_matrix, draw_cost_curve
from .metrics import PRIMARY, calibration_table
from .style import find_style

__all__ = [
    "confusion_table",
    "draw_metrics",
    "draw_plots",
    "make_tables",
    "plot_evaluation",
    "residual_table",
    "roc_table",
]

MOST_CLASSES = 15  # what one can read in a confusion matrix
MOST_POINTS = 5_000


def plot_evaluation(
    task: Task, label: np.ndarray, predictions: dict[str, np.ndarray], metrics: dict, costs: Costs, groups: int
) -> tuple[dict[str, plt.Figure], dict[str, pd.DataFrame]]:
    """Return the plots and the tables behind them, by name.

    Parameters
    ----------
    label : ndarray of shape (n_rows,)
    predictions : dict of ndarray of shape (n_rows,) or (n_rows, n_classes)
        By model; one is `candidate`.
    metrics : dict
        As reports/metrics.json has them.
    costs : Costs
        Of docs/requirements.yaml.
    groups : int
        Number of equally large groups of rows in the calibration plot.
    """
    tables = make_tables(task, label, predictions, groups)
    plots = {"metrics": draw_metrics(metrics, *PRIMARY[task.kind])} | draw_plots(task, label, predictions, tables)
    if task.kind == "binary":
        value = metrics["value"]
        tables["costs"] = cost_curve(label, predictions, cost_matrix(costs.matrix, task))
        plots["costs"] = draw_cost_curve(tables["costs"], value["threshold"], f"{value['currency']} per {value['per']}")
    return plots, tables


def make_tables(
    task: Task, label: np.ndarray, predictions: dict[str, np.ndarray], groups: int
) -> dict[str, pd.DataFrame]:
    """Return the tables that fit the task, by name.

    Parameters
    ----------
    label : ndarray of shape (n_rows,)
    predictions : dict of ndarray of shape (n_rows,) or (n_rows, n_classes)
        Predictions by model; one is `candidate`.
    groups : int
        Number of groups of `calibration_table`.
    """
    candidate = predictions["candidate"]
    if task.kind == "multiclass":
        return {"confusion": confusion_table(label, candidate, task.classes)}
    tables = {"calibration": calibration_table(label, candidate, groups)}
    if task.kind == "regression":
        return tables | {"residuals": residual_table(label, predictions)}
    return tables if len(np.unique(label)) < 2 else {"roc": roc_table(label, predictions)} | tables


def draw_plots(
    task: Task, label: np.ndarray, predictions: dict[str, np.ndarray], tables: dict[str, pd.DataFrame]
) -> dict[str, plt.Figure]:
    """Return one plot for each of the `tables` that `make_tables` returned, by the same name."""
    draw = {
        "roc": lambda table: draw_roc(table, task.classes[1]),
        "calibration": lambda table: (
            draw_values(table, label, predictions["candidate"], task.target)
            if task.kind == "regression"
            else draw_calibration(table, task.classes[1])
        ),
        "confusion": draw_confusion,
        "residuals": lambda table: draw_residuals(label, predictions, task.target),
    }
    with plt.rc_context({"text.parse_math": False}):  # a name may have a $ in it
        return {name: draw[name](table) for name, table in tables.items()}


def roc_table(label: np.ndarray, probabilities: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return the true positive rate of each model at 101 false positive rates from 0 to 1."""
    grid = np.linspace(0, 1, 101).round(2)
    rates = {name: roc_curve(label, probability)[:2] for name, probability in probabilities.items()}
    curves = {name: np.interp(grid, *false_and_true) for name, false_and_true in rates.items()}
    return pd.DataFrame(curves, index=pd.Index(grid, name="false_positive_rate"))


def draw_roc(table: pd.DataFrame, positive: str) -> plt.Figure:
    """Return the ROC curve of each model, with the area below it."""
    plot, axis = plt.subplots(figsize=(5, 5), layout="constrained")
    areas = {name: np.trapezoid(curve, table.index) for name, curve in table.items()}
    for name, curve in table.items():
        axis.plot(table.index, curve, label=f"{name}: AUC {areas[name]:.3f}", **find_style(name))
    title = f"ROC AUC of the candidate: {areas['candidate']:.3f}" if "candidate" in areas else "ROC curves"
    axis.set(title=title, xlabel="false positive rate", ylabel=f"true positive rate of '{positive}'")
    axis.legend(loc="lower right")
    return plot


def draw_calibration(table: pd.DataFrame, positive: str) -> plt.Figure:
    """Return predicted probability against observed share; on the diagonal they are equal."""
    plot, axis = plt.subplots(figsize=(5, 5), layout="constrained")
    axis.plot(table["predicted"], table["observed"], marker="o", label="candidate", **find_style("candidate"))
    end = table[["predicted", "observed"]].max(axis=None)
    axis.plot([0, end], [0, end], color="grey", linestyle=":", label="perfect")
    error = np.average((table["predicted"] - table["observed"]).abs(), weights=table["rows"])
    title = f"Probability and observed share differ by {error:.1%} on average"
    axis.set(xlabel="predicted probability", ylabel=f"observed share of '{positive}'")
    axis.set_title(title, fontsize=10)
    axis.legend()
    return plot


def draw_values(table: pd.DataFrame, label: np.ndarray, prediction: np.ndarray, target: str) -> plt.Figure:
    """Return predicted against actual values, and their means in groups; the diagonal is perfect."""
    figure, axis = plt.subplots(figsize=(5, 5), layout="constrained")
    some = np.linspace(0, len(label) - 1, min(len(label), MOST_POINTS)).astype(int)
    axis.scatter(prediction[some], label[some], s=8, alpha=0.3, color="C0", label="row")
    axis.plot(table["predicted"], table["observed"], marker="o", color="C1", label="mean of a group")
    ends = [min(prediction.min(), label.min()), max(prediction.max(), label.max())]
    axis.plot(ends, ends, color="grey", linestyle="--", label="perfect")
    typical = np.median(np.abs(label - prediction))
    axis.set(
        title=f"Half of the predictions are off by at most {typical:.4g}",
        xlabel=f"predicted {target}",
        ylabel=f"actual {target}",
    )
    axis.legend()
    return figure


def confusion_table(label: np.ndarray, probabilities: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Return how many rows of each class (index) were taken for which class (columns)."""
    counts = confusion_matrix(label, probabilities.argmax(axis=1), labels=range(len(classes)))
    return pd.DataFrame(counts, index=pd.Index(classes, name="actual"), columns=classes)


def draw_confusion(table: pd.DataFrame) -> plt.Figure:
    """Return the confusion matrix, each row as shares; of many classes the most frequent ones."""
    most = np.sort(np.argsort(-table.sum(axis=1).to_numpy(), kind="stable")[:MOST_CLASSES])
    shares = (table.T / table.sum(axis=1).clip(lower=1)).T.iloc[most, most]
    size = 3 + 0.5 * len(most)
    plot, axis = plt.subplots(figsize=(size, size), layout="constrained")
    names = [name if len(name) <= 20 else f"{name[:19]}…" for name in shares.columns]
    display = ConfusionMatrixDisplay(shares.to_numpy(), display_labels=names)
    options = {"xticks_rotation": "vertical", "text_kw": {"fontsize": 8}, "im_kw": {"vmin": 0, "vmax": 1}}
    display.plot(ax=axis, cmap="Blues", values_format=".0%", colorbar=False, **options)
    right = np.trace(table.to_numpy()) / max(table.to_numpy().sum(), 1)
    more = f"; the {len(most)} most frequent classes" if len(most) < len(table) else ""
    axis.set(title=f"{right:.0%} of the rows are classified correctly{more}", xlabel="predicted", ylabel="actual")
    return plot


def residual_table(label: np.ndarray, predictions: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return quantiles of actual minus predicted for each model."""
    residuals = pd.DataFrame({name: label - prediction for name, prediction in predictions.items()})
    return residuals.quantile([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]).rename_axis("quantile")


def draw_residuals(label: np.ndarray, predictions: dict[str, np.ndarray], target: str) -> plt.Figure:
    """Return the distribution of actual minus predicted for each model."""
    plot, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    residuals = {name: label - prediction for name, prediction in predictions.items()}
    edges = np.linspace(*np.quantile(np.concatenate(list(residuals.values())), [0.01, 0.99]), 31)  # without far ones
    for name, residual in residuals.items():
        axis.hist(residual, bins=edges, histtype="step", linewidth=1.5, label=name, **find_style(name))
    axis.axvline(0, color="grey", linestyle=":")
    rmse = np.sqrt(np.mean(residuals["candidate"] ** 2))
    title = f"Root mean squared error of the candidate: {rmse:.4g}"
    axis.set(title=title, xlabel=f"actual minus predicted {target}", ylabel="rows")
    axis.legend()
    return plot


def draw_metrics(metrics: dict, metric: str, sign: int) -> plt.Figure:
    """Return the deciding metric of all models as bars; the line is the candidate's confidence interval."""
    tried = {f"tried: {name}": found for name, found in metrics["tried"].items()}
    models = {name: metrics[name] for name in ("trivial", "baseline")} | tried | {"candidate": metrics["candidate"]}
    values = {name: found[metric] for name, found in models.items() if metric in found}
    plot, axis = plt.subplots(figsize=(9, 0.5 * len(values) + 1.2), layout="constrained")
    axis.barh(list(values), list(values.values()), color=[find_style(name)["color"] for name in values])
    if ends := metrics["intervals"]["candidate"].get(metric):
        axis.plot(ends, ["candidate"] * 2, color="black", linewidth=3)
    for name, value in values.items():
        axis.annotate(f" {value:.4g}", (0, name), va="center", color="white" if value > 0 else "black")
    best = max(reversed(values), key=lambda name: sign * values[name], default="none")
    direction = "more" if sign > 0 else "less"
    axis.set(title=f"{metric} on the hold-out ({direction} is better): {best} is best", xlabel=metric)
    return plot
