"""The parts of a training run, in their order: search, fit, compare, calibrate, package, describe."""

import shutil
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.pipeline import Pipeline

from ..project.errors import DataError
from ..project.files import replace_folder
from ..project.root import find_root, project_home
from ..track.tracking import connect_mlflow
from .baseline import check_label, fit_baseline, fit_trivial
from .blend import BLEND
from .calibrate import interval_half_width, recalibrate
from .folds import fold_losses, make_folds, measure_loss, thin_out
from .kinds import ModelKind, expand_settings, fit
from .package import write_package
from .search import Budget, open_study, search, study_name
from .task import Task, split_columns

__all__ = [
    "calibrate_candidate",
    "check_training",
    "describe_training",
    "fit_models",
    "measure_losses",
    "search_settings",
    "write_models",
]

TRAIN = "data/processed/train.parquet"
VALIDATION = "data/processed/validation.parquet"
MOST_ROWS = 5_000  # to compare the two files of a package on; the gate compares them on all of the hold-out


def check_training(train: pd.DataFrame, task: Task, baseline_features: list[str]) -> None:
    """Raise DataError if the training split has nothing to learn, or `baseline_features` names none of its features."""
    features, label = split_columns(train, task, TRAIN)
    check_label(label, task, TRAIN)
    if unknown := set(baseline_features) - set(features):
        raise DataError(f"`train.baseline_features` in params.yaml: there is no feature {', '.join(sorted(unknown))}.")


def search_settings(
    kinds: Mapping[str, ModelKind],
    settings: dict[str, dict],
    sample: pd.DataFrame,
    task: Task,
    *,
    trials: int,
    minutes: float,
    folds: int,
    seed: int,
) -> tuple[dict[str, dict], dict]:
    """Search for better settings of each model by cross-validation; each trial is an MLflow run. `trials` 0: no search.

    Parameters
    ----------
    kinds, settings : mapping
        By name of the model; the settings are where its search starts.
    sample : DataFrame of shape (n_rows, n_columns)
        Rows of the training split.
    trials, minutes : int, float
        Limits: trials of each model, and minutes of all together.

    Returns
    -------
    settings : dict of dict
        The best found.
    report : dict
        Trials and losses of each searched model, and `ended_by_minutes`.
    """
    budget, best, report = Budget(trials, minutes), dict(settings), {}
    connect_mlflow()
    with mlflow.start_run():
        home, parts = project_home(find_root()), make_folds(sample, task, folds, seed) if trials else []
        for name in [name for name in settings if trials and name != BLEND]:  # a blend has the settings of its models
            start = expand_settings(settings[name])[0]
            about = {"settings": start, "rows": len(sample), "folds": folds, "seed": seed, "task": task.kind}
            study = open_study(study_name(name, kinds[name], [find_root() / TRAIN], **about), home)
            losses = partial(fold_losses, kinds[name], sample, parts, task, seed)
            best[name], report[name] = search(study, name, kinds[name], about["settings"], losses, budget, seed, home)
    return best, report | {"ended_by_minutes": budget.exhausted}


def fit_models(
    kinds: Mapping[str, ModelKind],
    settings: dict[str, dict],
    baseline_features: list[str],
    train: pd.DataFrame,
    validation: pd.DataFrame,
    task: Task,
    seed: int,
) -> tuple[dict[str, Pipeline], dict[str, float]]:
    """Fit the baseline and each model of `settings` on the training split; return them, and the seconds each took.

    The validation split only tells models that stop early when to stop.
    """
    rows, stop = split_columns(train, task, TRAIN), split_columns(validation, task, VALIDATION)
    models, seconds = {"baseline": fit_baseline(rows, task, baseline_features)}, {}
    for name, chosen in settings.items():
        start = time.perf_counter()
        models[name] = fit(kinds[name], rows, stop, task, seed, chosen)
        seconds[name] = time.perf_counter() - start
    return models, seconds


def measure_losses(
    models: Mapping[str, Pipeline], sample: pd.DataFrame, validation: pd.DataFrame, task: Task
) -> dict[str, dict[str, float]]:
    """Return the loss of each model on a sample of the training split and on the validation split."""
    splits = {
        "train": split_columns(sample, task, TRAIN),
        "validation": split_columns(validation, task, VALIDATION),
    }
    return {
        name: {
            split: measure_loss(model, features[model.feature_names_in_], label, task)
            for split, (features, label) in splits.items()
        }
        for name, model in models.items()
    }


def calibrate_candidate(
    kind: ModelKind,
    model: Pipeline,
    settings: dict,
    sample: pd.DataFrame,
    validation: pd.DataFrame,
    task: Task,
    *,
    confidence: float,
    seed: int,
) -> tuple[Pipeline, dict]:
    """Return the model with its probabilities recalibrated if that helps, or the interval around its values.

    Probabilities are recalibrated only if the loss on the validation split falls by at least 1 %. How to recalibrate is
    learned within the training split, on rows that a copy of the model was not fitted on. A blend stays as it is: its
    weights were chosen by the loss on such rows.

    Returns
    -------
    candidate : Pipeline
    report : dict
        `calibration`, and for regression `interval_half_width`, in the unit of the target.
    """
    rows = split_columns(validation, task, VALIDATION)
    if task.kind == "regression":
        half_width = interval_half_width(rows[1].to_numpy(), model.predict(rows[0]), confidence)
        return model, {"calibration": {}, "interval_half_width": half_width}
    folds = make_folds(sample, task, 4, seed)
    if not folds or model.steps[0][0] == BLEND:
        return model, {"calibration": {"needed": False}}
    seen, unseen = (split_columns(sample.iloc[positions], task, "train") for positions in folds[-1])
    copy = fit(kind, seen, unseen, task, seed, settings)
    candidate, calibration = recalibrate(model, copy, unseen, rows, task)
    return candidate, {"calibration": calibration}


def write_models(
    folder: str | Path,
    models: Mapping[str, Pipeline],
    chosen: str,
    candidate: Pipeline,
    train: pd.DataFrame,
    validation: pd.DataFrame,
    task: Task,
    **facts: float,
) -> dict[str, dict]:
    """Write `baseline`, `tried/<name>` and `candidate` below the folder; return the format of each package.

    Parameters
    ----------
    **facts : float
        Written into the packages, such as `interval_half_width`.
    """
    folder = Path(folder)
    spread = float(train[task.target].std()) if task.kind == "regression" else 1.0
    shown, _ = split_columns(thin_out(validation, MOST_ROWS), task, VALIDATION)
    formats = {}
    with replace_folder(folder / "tried") as tried, replace_folder(folder / "baseline") as baseline:
        for name, model in models.items():
            place = baseline if name == "baseline" else tried / name
            formats[name] = write_package(place, model, shown[model.feature_names_in_], task, spread, **facts)
    with replace_folder(folder / "candidate") as new:
        if candidate is models[chosen]:  # not recalibrated: the same model
            shutil.copytree(folder / "tried" / chosen, new, dirs_exist_ok=True)
            formats["candidate"] = formats[chosen]
        else:
            formats["candidate"] = write_package(new, candidate, shown, task, spread, **facts)
    return formats


def describe_training(
    task: Task,
    train: pd.DataFrame,
    settings: dict[str, dict],
    losses: dict[str, dict],
    formats: dict[str, dict],
    chosen: str,
    sure: dict,
    searched: dict,
    crossed: dict[str, dict] | None = None,
) -> dict:
    """Return what reports/training.json holds; the arguments are what the other functions of this module return.

    `crossed` is the report of `cross_validate`, if the model was chosen by it.
    """
    return {
        "chosen": chosen,
        "tried": {name: {"settings": settings[name], "loss": losses[name], **formats[name]} for name in settings},
        "candidate": formats["candidate"],
        **sure,
        "trivial": fit_trivial(train[task.target], task),
        "baseline": {"loss": losses["baseline"], **formats["baseline"]},
        "search": searched,
        **({} if crossed is None else {"cross_validation": crossed}),
    }
