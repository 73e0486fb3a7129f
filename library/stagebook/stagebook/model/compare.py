"""Compare models by cross-validation on training and validation rows, choose one, and fit it again on all of them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline

from ..project.errors import DataError
from .blend import BLEND, find_weights, prediction_loss
from .folds import Fold, make_folds
from .kinds import ModelKind, expand_settings, fit
from .task import Task, split_columns

__all__ = ["cross_validate", "refit_candidate"]

FEW_ROWS = 1_000  # below it, one split is mostly chance: the cross-validation is repeated
REPEATS = 2
PREDICT = "data/processed/train.parquet"


def cross_validate(
    kinds: Mapping[str, ModelKind],
    settings: dict[str, dict],
    table: pd.DataFrame,
    task: Task,
    *,
    folds: int,
    seed: int,
) -> tuple[dict[str, dict], dict[str, dict]]:
    """Return the best of the settings, with the weights of the blend, and the cross-validated loss of each model.

    Below 1,000 rows the cross-validation is done twice, with other folds; with a time the folds are fixed.

    Parameters
    ----------
    kinds, settings : mapping
        By name of the model. A setting that is a list has values to try. If `blend` is among the settings, it blends the
        others; it is left out if its best weights are those of one model alone, or if no fold can be made.
    table : DataFrame of shape (n_rows, n_columns)
        Processed rows of the training and validation splits.
    folds : int
        How many; 2 or more.

    Returns
    -------
    settings : dict of dict
    report : dict of dict
        By model: `loss`, the mean over all folds, in the unit of the target or as log loss; its standard `error`; `folds`.
    """
    single = {name: own for name, own in settings.items() if name != BLEND}
    if not single:
        raise DataError("`train.model: blend` has no models to blend: use `best`, with `blend` in `train.candidates`.")
    parts = _make_parts(table, task, folds, seed)
    if not parts:
        return {name: expand_settings(own)[0] for name, own in single.items()}, {}
    labels, unseen = [table[task.target].to_numpy()[test] for _, test in parts], {}
    for name, own in single.items():
        tried = [(one, _predict(kinds[name], table, parts, task, seed, one)) for one in expand_settings(own)]
        single[name], unseen[name] = min(tried, key=lambda one: _describe(one[1], labels, parts, task)["loss"])
    if BLEND in settings and len(single) > 1:
        weights = find_weights(
            {name: np.concatenate(one) for name, one in unseen.items()}, np.concatenate(labels), task
        )
        if len(weights) > 1:
            single[BLEND] = {name: {"weight": weight} | single[name] for name, weight in weights.items()}
            unseen[BLEND] = [sum(weights[name] * unseen[name][fold] for name in weights) for fold in range(len(parts))]
    return single, {name: _describe(one, labels, parts, task) for name, one in unseen.items()}


def _make_parts(table: pd.DataFrame, task: Task, folds: int, seed: int) -> list[Fold]:
    """Return the folds of all repeats."""
    repeats = REPEATS if len(table) < FEW_ROWS and not task.time else 1
    return [fold for repeat in range(repeats) for fold in make_folds(table, task, folds, seed + repeat)]


def _predict(
    kind: ModelKind, table: pd.DataFrame, parts: list[Fold], task: Task, seed: int, settings: dict
) -> list[np.ndarray]:
    """Return what models of this kind predict for the rows of each fold, fitted on the others."""
    found = []
    for positions in parts:
        fit_on, test = (split_columns(table.iloc[rows], task, PREDICT) for rows in positions)
        model = fit(kind, fit_on, test, task, seed, settings)
        found.append(model.predict(test[0]) if task.kind == "regression" else model.predict_proba(test[0]))
    return found


def _describe(unseen: list[np.ndarray], labels: list[np.ndarray], parts: list[Fold], task: Task) -> dict[str, float]:
    """Return mean loss and its standard error, for folds that share rows (Nadeau and Bengio 2003)."""
    losses = [prediction_loss(label, one, task) for label, one in zip(labels, unseen, strict=True)]
    shared = 1 / len(parts) + np.mean([len(test) / len(fit_on) for fit_on, test in parts])
    error = float(np.sqrt(np.var(losses, ddof=1) * shared)) if len(losses) > 1 else 0.0
    return {"loss": float(f"{np.mean(losses):.5g}"), "error": float(f"{error:.2g}"), "folds": len(losses)}


def refit_candidate(
    kind: ModelKind,
    model: Pipeline,
    candidate: Pipeline,
    settings: dict,
    tables: tuple[pd.DataFrame, pd.DataFrame],
    task: Task,
    seed: int,
) -> Pipeline:
    """Return the candidate fitted on the rows of both `tables`, training and validation.

    What was chosen on the validation split stays: number of trees, regularisation, recalibration. A kind without `freeze`
    cannot be fitted without a validation split; its candidate is returned as it is.

    Parameters
    ----------
    model, candidate : Pipeline
        The chosen model, fitted on the training split, and the same one recalibrated if that helped.
    """
    frozen = kind.freeze(model, settings) if kind.freeze else None
    if frozen is None:
        return candidate
    rows = split_columns(pd.concat(tables, ignore_index=True), task, PREDICT)
    again = fit(kind, rows, rows, task, seed, frozen)
    if not isinstance(candidate[-1], CalibratedClassifierCV):
        return again
    calibrator = candidate[-1]
    calibrator.estimator = calibrator.calibrated_classifiers_[0].estimator = again[-1]
    return make_pipeline(*again[:-1], calibrator)
