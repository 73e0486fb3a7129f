"""The kinds of model that come with the library: how each is fitted, and where the search looks."""

# A project lists the kinds that it uses, its own among them, in `MODELS` of models/candidates.py.

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from ..project.errors import DataError
from .columns import ONE_HOT, encode_columns
from .task import Task

__all__ = [
    "HIST_GRADIENT_BOOSTING",
    "LINEAR",
    "RANDOM_FOREST",
    "ModelKind",
    "Rows",
    "choose_models",
    "expand_settings",
    "fit",
]

Rows = tuple[pd.DataFrame, pd.Series]  # features of shape (n_rows, n_features), label of shape (n_rows,)
ROWS_FOR_THREADS = 100_000
LISTS = {"categorical_features", "interaction_cst", "monotonic_cst"}  # of scikit-learn: a list is one value
PATIENCE = 20
ROWS_PER_TREE = 20_000  # of a forest: more rows make it larger and slower, and hardly better
# Categories as plain numbers, as many as trees can tell apart; one that training never saw is -1.
CODES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


@dataclass(frozen=True)
class ModelKind:
    """A kind of model.

    Attributes
    ----------
    fit : callable
        `fit(train, validation, task, seed, **settings)` returns the fitted Pipeline. `validation` may only stop it early.
    suggest : callable
        `suggest(trial)` asks an optuna trial for settings. They go over those of params.yaml.
    settings : list of str
        Names of all settings that there are.
    freeze : callable or None
        `freeze(model, settings)` returns the settings that fit this kind again without a validation split: what a fitted
        model chose by it, such as the number of trees, becomes a setting. None: the kind cannot be fitted again.
    """

    fit: Callable[..., Pipeline]
    suggest: Callable[..., dict]
    settings: list[str]
    freeze: Callable[[Pipeline, dict], dict] | None = None


def choose_models(
    models: Mapping[str, ModelKind], model: str, candidates: list[str], given: dict[str, dict]
) -> dict[str, dict]:
    """Return the settings of each model to fit; DataError if there is none, or a model or setting is not known.

    Parameters
    ----------
    models : mapping of str to ModelKind
        All that the project knows.
    model : str
        One of them, or `best` for all `candidates`.
    given : dict of dict
        Settings of params.yaml by model.
    """
    chosen = candidates if model == "best" else [model]
    if unknown := [name for name in chosen or [""] if name not in models]:
        raise DataError(f"params.yaml, `train`: there is no model {unknown[0]!r}, but {', '.join(models)}.")
    for name in chosen:
        if strange := given.get(name, {}).keys() - set(models[name].settings):
            close = difflib.get_close_matches(min(strange), models[name].settings, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise DataError(f"params.yaml, `train.{name}`: there is no setting {min(strange)!r}{hint}")
    return {name: given.get(name, {}) for name in chosen}


def expand_settings(settings: dict) -> list[dict]:
    """Return all combinations of those settings that list values to try, as in `{"C": [1.0, 0.1]}`; first values first."""
    lists = {name: value for name, value in settings.items() if isinstance(value, list) and name not in LISTS}
    if empty := [name for name, values in lists.items() if not values]:
        raise DataError(f"params.yaml, `train`: the setting {empty[0]!r} is an empty list; give it a value.")
    return [settings | dict(zip(lists, values, strict=True)) for values in product(*lists.values())]


def fit(kind: ModelKind, train: Rows, validation: Rows, task: Task, seed: int, settings: dict) -> Pipeline:
    """Return the fitted model; the same arguments give the same model on any number of cores."""
    # On fewer rows, threads wait for each other longer than they work; on a busy machine ten times as long.
    with threadpool_limits(1 if len(train[1]) < ROWS_FOR_THREADS else None, user_api="openmp"):
        return kind.fit(train, validation, task, seed, **settings)


def fit_linear(train: Rows, validation: Rows, task: Task, seed: int, C: float = 1.0) -> Pipeline:
    """Return a logistic or ridge regression; `C` is the inverse of the regularisation."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = encode_columns(train[0], task.kind, numbers, ONE_HOT, few=30)
    model = Ridge(alpha=1 / C) if task.kind == "regression" else LogisticRegression(C=C, max_iter=500)
    return _join(columns, model, train)


def fit_boosting(
    train: Rows, validation: Rows, task: Task, seed: int, early_stopping: bool = True, **settings
) -> Pipeline:
    """Return HistGradientBoosting, stopped when the loss on `validation` has not fallen for `PATIENCE` trees."""
    columns = encode_columns(train[0], task.kind, "passthrough", CODES, few=255, sparse_threshold=0)
    model = HistGradientBoostingRegressor if task.kind == "regression" else HistGradientBoostingClassifier
    options = {"early_stopping": early_stopping, "scoring": "loss", "random_state": seed}
    trees = model(**options, **{"n_iter_no_change": PATIENCE} | _fit_leaf(settings, train))
    encoded = columns.fit_transform(*train)
    unseen = {"X_val": columns.transform(validation[0]), "y_val": validation[1]} if early_stopping else {}
    return make_pipeline(columns, trees.fit(encoded, train[1], **unseen))


def fit_forest(train: Rows, validation: Rows, task: Task, seed: int, **settings) -> Pipeline:
    """Return a random forest; a missing number is the median, since ONNX does not know a forest's own way.

    A tree learns from at most `ROWS_PER_TREE` rows, unless `max_samples` is set.
    """
    columns = encode_columns(train[0], task.kind, SimpleImputer(strategy="median"), CODES, few=255, sparse_threshold=0)
    model = RandomForestRegressor if task.kind == "regression" else RandomForestClassifier
    if len(train[1]) > ROWS_PER_TREE and settings.get("bootstrap", True):
        settings = {"max_samples": ROWS_PER_TREE} | settings
    return _join(columns, model(n_jobs=-1, random_state=seed, **_fit_leaf(settings, train)), train)


def _join(columns: BaseEstimator, model: BaseEstimator, train: Rows) -> Pipeline:
    encoded = columns.fit_transform(*train).astype(np.float64)
    with threadpool_limits(1, user_api="blas"):  # the last digits of a sum depend on how many threads share it
        return make_pipeline(columns, model.fit(encoded, train[1]))


def _fit_leaf(settings: dict, train: Rows) -> dict:
    """Return settings with `min_samples_leaf` reduced for small tables: at most a twentieth of the rows."""
    most = max(1, len(train[1]) // 20)
    return settings | {"min_samples_leaf": min(settings.get("min_samples_leaf", 20), most)}


def _freeze_boosting(model: Pipeline, settings: dict) -> dict:
    # A tenth more trees, since there are more rows.
    return settings | {"max_iter": round(1.1 * model[-1].n_iter_), "early_stopping": False}


def _keep(model: Pipeline, settings: dict) -> dict:
    return settings


LINEAR = ModelKind(fit_linear, lambda trial: {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}, ["C"], _keep)
HIST_GRADIENT_BOOSTING = ModelKind(
    fit_boosting,
    lambda trial: {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 4, 128, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 200, log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 1e-3, 10.0, log=True),
    },
    list(HistGradientBoostingRegressor().get_params()),
    _freeze_boosting,
)
RANDOM_FOREST = ModelKind(
    fit_forest,
    lambda trial: {
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 50, 1000, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 100, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 1.0),
    },
    list(RandomForestRegressor().get_params()),
    _keep,
)
