"""Tables and pictures of how good the models are on the hold-out, for each kind of task."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, roc_curve

from ..model.task import Task
from .metrics import calibration_table

__all__ = [
    "confusion_table",
    "draw_figures",
    "draw_pictures",
    "make_tables",
    "residual_table",
    "roc_table",
]

MOST_CLASSES = 15  # what one can read in a confusion matrix
MOST_POINTS = 5_000


def make_tables(
    task: Task, label: np.ndarray, predictions: dict[str, np.ndarray], groups: int
) -> dict[str, pd.DataFrame]:
    """Return the tables that fit the task, by name.

    Parameters
    ----------
    label : ndarray of shape (n_rows,)
    predictions : dict of ndarray of shape (n_rows,) or (n_rows, n_classes)
        What each model says, by its name; one is `candidate`.
    groups : int
        Into how many groups `calibration_table` sorts the rows.
    """
    candidate = predictions["candidate"]
    if task.kind == "multiclass":
        return {"confusion": confusion_table(label, candidate, task.classes)}
    tables = {"calibration": calibration_table(label, candidate, groups)}
    if task.kind == "regression":
        return tables | {"residuals": residual_table(label, predictions)}
    return tables if len(np.unique(label)) < 2 else {"roc": roc_table(label, predictions)} | tables


def draw_pictures(
    task: Task, label: np.ndarray, predictions: dict[str, np.ndarray], tables: dict[str, pd.DataFrame]
) -> dict[str, plt.Figure]:
    """Return one picture for each of the `tables` that `make_tables` returned, by the same name."""
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
    """Return the ROC curves, the models named with the area below."""
    figure, axis = plt.subplots(figsize=(5, 5), layout="constrained")
    for name, curve in table.items():
        axis.plot(table.index, curve, label=f"{name}, AUC {np.trapezoid(curve, table.index):.3f}")
    axis.set(
        title=f"'{positive}' found against false alarms", xlabel="false positive rate", ylabel="true positive rate"
    )
    axis.legend(loc="lower right")
    return figure


def draw_calibration(table: pd.DataFrame, positive: str) -> plt.Figure:
    """Return predicted probability against observed share; the diagonal is perfect."""
    figure, axis = plt.subplots(figsize=(5, 5), layout="constrained")
    axis.plot(table["predicted"], table["observed"], marker="o", label="candidate")
    end = table[["predicted", "observed"]].max(axis=None)
    axis.plot([0, end], [0, end], color="grey", linestyle="--", label="perfect")
    axis.set(title="Is 30 % really 30 %?", xlabel="predicted probability", ylabel=f"observed share of '{positive}'")
    axis.legend()
    return figure


def draw_values(table: pd.DataFrame, label: np.ndarray, prediction: np.ndarray, target: str) -> plt.Figure:
    """Return predicted against actual values, and their means in groups; the diagonal is perfect."""
    figure, axis = plt.subplots(figsize=(5, 5), layout="constrained")
    some = np.linspace(0, len(label) - 1, min(len(label), MOST_POINTS)).astype(int)
    axis.scatter(prediction[some], label[some], s=8, alpha=0.3, color="C0", label="row")
    axis.plot(table["predicted"], table["observed"], marker="o", color="C1", label="mean of a group")
    ends = [min(prediction.min(), label.min()), max(prediction.max(), label.max())]
    axis.plot(ends, ends, color="grey", linestyle="--", label="perfect")
    axis.set(title="Actual against predicted values", xlabel=f"predicted {target}", ylabel=f"actual {target}")
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
    figure, axis = plt.subplots(figsize=(size, size), layout="constrained")
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares.to_numpy()):
        color = "white" if share > 0.5 else "black"
        axis.text(column, row, f"{share:.0%}", ha="center", va="center", color=color, fontsize=8)
    names = [name if len(name) <= 20 else f"{name[:19]}…" for name in shares.columns]
    axis.set_xticks(range(len(names)), names, rotation=90)
    axis.set_yticks(range(len(names)), names)
    more = f", {len(most)} most frequent classes" if len(most) < len(table) else ""
    axis.set(title=f"What each class is taken for{more}", xlabel="predicted", ylabel="actual")
    return figure


def residual_table(label: np.ndarray, predictions: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return quantiles of actual minus predicted for each model."""
    residuals = pd.DataFrame({name: label - prediction for name, prediction in predictions.items()})
    return residuals.quantile([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]).rename_axis("quantile")


def draw_residuals(label: np.ndarray, predictions: dict[str, np.ndarray], target: str) -> plt.Figure:
    """Return how actual minus predicted is distributed for each model."""
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    residuals = {name: label - prediction for name, prediction in predictions.items()}
    edges = np.linspace(*np.quantile(np.concatenate(list(residuals.values())), [0.01, 0.99]), 31)  # without far ones
    for name, residual in residuals.items():
        axis.hist(residual, bins=edges, histtype="step", linewidth=1.5, label=name)
    axis.axvline(0, color="grey", linestyle="--")
    axis.set(title="How far off is each model?", xlabel=f"actual minus predicted {target}", ylabel="rows")
    axis.legend()
    return figure


def draw_figures(figures: dict, figure: str, sign: int) -> plt.Figure:
    """Return the figure that decides, of all models side by side; the line is what the candidate might be off by."""
    tried = {f"tried: {name}": found for name, found in figures["tried"].items()}
    models = {name: figures[name] for name in ("trivial", "baseline")} | tried | {"candidate": figures["candidate"]}
    values = {name: found[figure] for name, found in models.items() if figure in found}
    picture, axis = plt.subplots(figsize=(9, 0.5 * len(values) + 1.2), layout="constrained")
    colours = ["C0" if name == "candidate" else "lightgrey" for name in values]
    axis.barh(list(values), list(values.values()), color=colours)
    if ends := figures["intervals"]["candidate"].get(figure):
        axis.plot(ends, ["candidate"] * 2, color="black", linewidth=3)
    best = max(reversed(values), key=lambda name: sign * values[name], default="none")
    axis.set(title=f"{figure}, {'more' if sign > 0 else 'less'} is better: best is {best}", xlabel=figure)
    return picture
