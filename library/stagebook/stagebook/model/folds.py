"""Cross-validation inside the training split: the future never helps to predict the past."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline

from .kinds import ModelKind, fit
from .task import Task, split_columns

__all__ = ["Fold", "fold_losses", "make_folds", "measure_loss", "thin_out"]

Fold = tuple[np.ndarray, np.ndarray]  # positions of the rows to fit on, and to evaluate on


def make_folds(table: pd.DataFrame, task: Task, folds: int, seed: int) -> list[Fold]:
    """Return the positions to fit on and to evaluate on, for each fold.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        A processed table with label and keys.
    task : Task
        With a time, each fold is evaluated on the period after the rows that it is fitted on. With a group, a group is in
        one of the two. Else rows are assigned at random, classes evenly, in as many folds as the smallest class has rows.
    folds : int
        How many; 2 or more. Some can be lacking: those in which there is nothing to learn, or no row to evaluate on.
    """
    label = table[task.target].to_numpy()
    if task.time:
        found = _by_time(table[task.time], folds)
    elif task.group:
        found = GroupKFold(min(folds, table[task.group].nunique())).split(table, groups=table[task.group])
    elif task.kind == "regression":
        found = KFold(folds, shuffle=True, random_state=seed).split(table)
    else:
        strata = _stratify(label)
        fewest = min(folds, np.unique(strata, return_counts=True)[1].min())
        found = StratifiedKFold(fewest, shuffle=True, random_state=seed).split(table, strata)
    classes = 2 if task.kind == "regression" else len(task.classes)
    return [(fit_on, test) for fit_on, test in found if len(np.unique(label[fit_on])) >= classes and len(test)]


def _stratify(label: np.ndarray) -> np.ndarray:
    """Return the classes that are to be in each fold evenly: a class of one row cannot be, its row counts as the largest."""
    counts = np.bincount(label)
    return np.where(counts[label] < 2, counts.argmax(), label)


def _by_time(time: pd.Series, folds: int) -> list[Fold]:
    """Cut the rows into folds + 1 periods of about as many rows; rows of one time stay together."""
    period = np.ceil(time.rank(method="max", pct=True) * (folds + 1)).to_numpy()
    return [(np.flatnonzero(period < end), np.flatnonzero(period == end)) for end in range(2, folds + 2)]


def thin_out(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return at most `most` rows, taken evenly over the whole table."""
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, min(most, len(table))).astype(int))]


def measure_loss(model: Pipeline, features: pd.DataFrame, label: pd.Series, task: Task) -> float:
    """Return log loss or, for regression, root mean squared error."""
    if task.kind == "regression":
        return float(f"{root_mean_squared_error(label, model.predict(features)):.5g}")
    return round(log_loss(label, model.predict_proba(features), labels=range(len(task.classes))), 4)


def fold_losses(
    kind: ModelKind, table: pd.DataFrame, folds: list[Fold], task: Task, seed: int, settings: dict
) -> Iterator[float]:
    """Yield the loss of this kind of model for each of the `folds` of the processed table."""
    for positions in folds:
        fit_on, test = (split_columns(table.iloc[rows], task, "fold") for rows in positions)
        yield measure_loss(fit(kind, fit_on, test, task, seed, settings), *test, task)
