"""Fit a simple baseline and the chosen models, search for good settings, and package the best as the candidate."""

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ..project.errors import DataError
from .columns import encode_columns
from .kinds import CODES, Rows, fit_linear
from .task import Task

__all__ = ["check_label", "fit_baseline", "fit_trivial"]


def check_label(label: pd.Series, task: Task, where: str) -> None:
    """Raise DataError if the training split lacks a class, or has one value only."""
    if task.kind == "regression":
        if label.nunique() < 2:
            raise DataError(
                f"{where}: column {task.target!r} is {label.iloc[0]} in all rows; there is nothing to learn."
            )
    elif lacking := [name for code, name in enumerate(task.classes) if not (label == code).any()]:
        raise DataError(
            f"{where}: column {task.target!r} has no row of class {lacking[0]!r}; a model needs all of "
            f"{', '.join(map(repr, task.classes))}. Leave out its rows, join it with another class, or split otherwise."
        )


def fit_trivial(label: pd.Series, task: Task) -> dict[str, float]:
    """Return what the trivial model predicts: the share of each class by its number, or the mean."""
    if task.kind == "regression":
        return {"mean": float(label.mean())}
    return {str(code): round(float((label == code).mean()), 6) for code in range(len(task.classes))}


def fit_baseline(train: Rows, task: Task, few: list[str]) -> Pipeline:
    """Return a linear model of the columns `few`, or a tree of depth 3 if none are named."""
    if few:
        return fit_linear((train[0][few], train[1]), train, task, seed=0)
    numbers = SimpleImputer(strategy="median")
    columns = encode_columns(train[0], task.kind, numbers, CODES, few=255, sparse_threshold=0)
    tree = DecisionTreeRegressor if task.kind == "regression" else DecisionTreeClassifier
    encoded = columns.fit_transform(*train).astype(np.float64)
    return make_pipeline(columns, tree(max_depth=3, random_state=0).fit(encoded, train[1]))
