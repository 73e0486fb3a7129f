"""A blend: the weighted mean of what several models predict, with weights from predictions on rows they were not fitted on."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder

from .kinds import ModelKind, Rows, fit
from .task import Task

__all__ = ["BLEND", "blend_kinds", "find_weights", "members", "prediction_loss"]

BLEND = "blend"
ROUNDS = 20  # weights are multiples of 1/20


def blend_kinds(kinds: Mapping[str, ModelKind]) -> ModelKind:
    """Return the kind of model that blends models of these `kinds`.

    Its settings are those of each member by its name, with a `weight`, as in `{"linear": {"weight": 0.4, "C": 1.0}}`.
    `cross_validate` finds the weights.
    """
    chosen = dict(kinds)
    return ModelKind(partial(_fit_blend, chosen), lambda trial: {}, list(chosen), partial(_freeze_blend, chosen))


def _fit_blend(
    kinds: dict[str, ModelKind], train: Rows, validation: Rows, task: Task, seed: int, **settings: dict
) -> Pipeline:
    """Return the blend of the models that are named in `settings`, each fitted on the same rows."""
    plain = {name: {key: value for key, value in own.items() if key != "weight"} for name, own in settings.items()}
    models = {name: fit(kinds[name], train, validation, task, seed, plain[name]) for name in settings}
    weights = np.array([own["weight"] for own in settings.values()])  # the converter to ONNX wants an array
    return Pipeline([(BLEND, _vote(models, weights, train, task))])


def _vote(
    models: dict[str, Pipeline], weights: np.ndarray, train: Rows, task: Task
) -> VotingClassifier | VotingRegressor:
    """Return scikit-learn's voting estimator of models that are fitted already; its own `fit` would fit them again."""
    if task.kind == "regression":
        vote = VotingRegressor(list(models.items()), weights=weights)
    else:
        # The converter to ONNX knows no flattened output.
        vote = VotingClassifier(list(models.items()), voting="soft", weights=weights, flatten_transform=False)
        vote.le_ = LabelEncoder().fit(train[1])
        vote.classes_ = vote.le_.classes_
    vote.estimators_, vote.named_estimators_ = list(models.values()), dict(models)
    vote.feature_names_in_ = np.array(train[0].columns, dtype=object)
    return vote


def _freeze_blend(kinds: dict[str, ModelKind], model: Pipeline, settings: dict) -> dict | None:
    fitted = dict(model[-1].estimators)
    if any(kinds[name].freeze is None for name in settings):
        return None
    return {name: kinds[name].freeze(fitted[name], own) for name, own in settings.items()}


def members(model: Pipeline) -> list[Pipeline]:
    """Return the models of a blend, or the model itself if it is none."""
    return list(model[-1].estimators_) if model.steps[0][0] == BLEND else [model]


def prediction_loss(label: np.ndarray, prediction: np.ndarray, task: Task) -> float:
    """Return log loss of probabilities of shape (n_rows, n_classes), or root mean squared error of values."""
    if task.kind == "regression":
        return float(np.sqrt(np.mean((label - prediction) ** 2)))
    return float(-np.mean(np.log(np.clip(prediction[np.arange(len(label)), label], 1e-15, 1))))


def find_weights(predictions: Mapping[str, np.ndarray], label: pd.Series | np.ndarray, task: Task) -> dict[str, float]:
    """Return the weights of a blend: greedy selection with replacement (Caruana et al. 2004, doi:10.1145/1015330.1015432).

    In each of 20 rounds the model is added with which the mean of all added predictions has the lowest loss.

    Parameters
    ----------
    predictions : mapping of str to ndarray of shape (n_rows,) or (n_rows, n_classes)
        By model, on rows that it was not fitted on.
    label : array of shape (n_rows,)

    Returns
    -------
    dict
        Weights above 0, which add up to 1.
    """
    label, total, count = np.asarray(label), 0.0, dict.fromkeys(predictions, 0)
    for done in range(ROUNDS):
        sums = {name: total + one for name, one in predictions.items()}
        best = min(sums, key=lambda name: prediction_loss(label, sums[name] / (done + 1), task))
        total, count[best] = sums[best], count[best] + 1
    return {name: times / ROUNDS for name, times in count.items() if times}
