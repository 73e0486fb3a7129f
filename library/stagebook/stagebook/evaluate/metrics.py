"""Metrics of a model on rows that it was not fitted on, for each kind of task."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from sklearn import metrics

from ..model.task import Task

__all__ = [
    "PRIMARY",
    "Metric",
    "calibration_error",
    "calibration_table",
    "predict_trivial",
    "score",
    "score_binary",
    "score_multiclass",
    "score_regression",
]


# The deciding metric, and whether more of it (1) or less (-1) is better.
PRIMARY = {"binary": ("roc_auc", 1), "multiclass": ("log_loss", -1), "regression": ("r2", 1)}


def score_binary(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Return the metrics for probabilities of shape (n_rows,)."""
    ranking = {}
    if len(np.unique(label)) == 2:
        ranking = {
            "roc_auc": metrics.roc_auc_score(label, probability),
            "average_precision": metrics.average_precision_score(label, probability),
        }
    return ranking | {
        "brier": np.mean((label - probability) ** 2, dtype=np.float64),
        "log_loss": metrics.log_loss(label, probability, labels=[0, 1]),
    }


def score_regression(label: np.ndarray, value: np.ndarray) -> dict[str, float]:
    """Return the metrics for predicted values of shape (n_rows,)."""
    return ({"r2": round(metrics.r2_score(label, value), 4) + 0.0} if np.ptp(label) > 0 else {}) | {
        "rmse": metrics.root_mean_squared_error(label, value),
        "mae": metrics.mean_absolute_error(label, value),
        "median_absolute_error": metrics.median_absolute_error(label, value),
    }


def score_multiclass(label: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return the metrics for probabilities of shape (n_rows, n_classes)."""
    codes, predicted = range(probabilities.shape[1]), probabilities.argmax(axis=1)
    recall = metrics.recall_score(label, predicted, labels=np.unique(label), average="macro", zero_division=0)
    found = {
        "log_loss": metrics.log_loss(label, probabilities, labels=codes),
        "accuracy": metrics.accuracy_score(label, predicted),
        "balanced_accuracy": recall,
        "f1_macro": metrics.f1_score(label, predicted, average="macro", zero_division=0),
    }
    if set(codes) == set(label):
        found["roc_auc_ovr"] = metrics.roc_auc_score(label, probabilities, multi_class="ovr", labels=codes)
    return found


Metric = Callable[[np.ndarray, np.ndarray], float]  # of label and prediction, as `score` takes them


def score(
    task: Task, label: np.ndarray, prediction: np.ndarray, own: Mapping[str, Metric] | None = None
) -> dict[str, float]:
    """Return the metrics of one model, the deciding one first.

    Parameters
    ----------
    label : ndarray of shape (n_rows,)
        0..k-1, or the value.
    prediction : ndarray of shape (n_rows,) or (n_rows, n_classes)
        As `predict_onnx` returns it.
    own : mapping of str to callable, optional
        Metrics of the project, by name: `metric(label, prediction)` returns a number.
    """
    more = {name: float(f"{metric(label, prediction):.5g}") for name, metric in (own or {}).items()}
    if task.kind == "regression":
        return {name: float(f"{value:.5g}") for name, value in score_regression(label, prediction).items()} | more
    measure = score_binary if task.kind == "binary" else score_multiclass
    return {
        name: round(float(value), 4) for name, value in measure(label, prediction.astype(np.float32)).items()
    } | more


def predict_trivial(trivial: dict[str, float], task: Task, rows: int) -> np.ndarray:
    """Return predictions of the trivial model for `rows` rows, shaped as those of `predict_onnx`."""
    predictions = np.tile(list(trivial.values()), (rows, 1))
    return predictions if task.kind == "multiclass" else predictions[:, -1]


def calibration_table(label: np.ndarray, prediction: np.ndarray, groups: int) -> pd.DataFrame:
    """Return mean prediction, mean label and number of rows, for equally large groups by prediction."""
    group = pd.qcut(prediction, groups, labels=False, duplicates="drop")
    table = pd.DataFrame({"predicted": prediction, "observed": label}).groupby(np.nan_to_num(group).astype(int))
    return table.mean().assign(rows=table.size()).rename_axis("group")


def calibration_error(task: Task, label: np.ndarray, prediction: np.ndarray, groups: int) -> float:
    """Return the expected calibration error, in equally large groups (Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602)."""
    if task.kind == "multiclass":
        label, prediction = (prediction.argmax(axis=1) == label).astype(float), prediction.max(axis=1)
    table = calibration_table(label, prediction, groups)
    return round(float(np.average((table["predicted"] - table["observed"]).abs(), weights=table["rows"])), 4)
