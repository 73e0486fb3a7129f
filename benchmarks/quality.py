"""Measure how good the models of own data are, against stock models on the same rows; write quality.md.

Each table is learned by the functions that 40_features and 50_train of own data call, with the parameters of the
template, in one process and without a bake. Run `python benchmarks/quality.py` in the template's environment.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import skrub
from quality_page import BUILD, HERE, HGB, OURS, SKRUB, STRAIGHT, result_file, write_page
from quality_tables import TABLES, Table, read_table
from ruamel.yaml import YAML
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from stagebook.features.encode import to_features
from stagebook.model.blend import blend_kinds, prediction_loss
from stagebook.model.columns import is_free_text
from stagebook.model.compare import cross_validate, refit_candidate
from stagebook.model.folds import thin_out
from stagebook.model.kinds import HIST_GRADIENT_BOOSTING, LINEAR, RANDOM_FOREST, choose_models
from stagebook.model.onnx_format import check_parity, predict_onnx, to_onnx_bytes
from stagebook.model.task import Task
from stagebook.model.train import calibrate_candidate, fit_models, measure_losses
from threadpoolctl import threadpool_limits

PARAMS = HERE.parent / "{{cookiecutter.project_slug}}" / "options" / "data" / "own" / "params.yaml"
MODELS = {"linear": LINEAR, "hist_gradient_boosting": HIST_GRADIENT_BOOSTING, "random_forest": RANDOM_FOREST}
MODELS["blend"] = blend_kinds(MODELS)
SMALL = 1_000  # rows; below, a hold-out is mostly chance
MOST = 5_000


def main() -> None:
    """Measure what is not measured yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=[table.name for table in TABLES])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="tables that are learned at the same time")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    folder = install_tables()
    wanted = [(table, seed) for seed in range(options.seeds) for table in TABLES if table.name in options.tables]
    (BUILD / "quality").mkdir(parents=True, exist_ok=True)
    missing = [one for one in wanted if not result_file(*one).exists()]
    with ProcessPoolExecutor(options.jobs) as pool:
        for done in pool.map(measure, *zip(*missing, strict=True), [folder] * len(missing)) if missing else ():
            print(done, flush=True)
    (HERE / "quality.md").write_text(write_page(options.seeds), encoding="utf-8")


def install_tables() -> Path:
    """Unpack the packages of quality.txt into the build folder, without what they depend on; return the folder."""
    folder, list_of_packages = BUILD / "tables", HERE / "quality.txt"
    ready = folder / "ready.txt"
    if not ready.exists() or ready.read_text() != list_of_packages.read_text():
        words = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", folder, "--requirements", list_of_packages]
        subprocess.run([sys.executable, "-m", *words], check=True)
        ready.write_text(list_of_packages.read_text())
    return folder


def measure(table: Table, seed: int, folder: Path) -> str:
    """Evaluate all models on one split, or on the folds of one cross-validation; keep the losses."""
    warnings.simplefilter("ignore")
    frame, task = read_table(table, folder, MOST)
    splits = make_splits(frame[task.target], task, seed)
    with threadpool_limits(1):
        parts = [evaluate(frame.iloc[learn], frame.iloc[test], task, seed) for learn, test in splits]
    found = {name: statistics.mean(part["loss"][name] for part in parts) for name in parts[0]["loss"]}
    about = {"rows": len(frame), "columns": frame.shape[1] - 1, "task": task.kind, "loss": found}
    about |= {"seconds": max(part["seconds"] for part in parts), "chosen": [part["chosen"] for part in parts]}
    about["formats"] = sorted({part["format"] for part in parts})
    result_file(table, seed).write_text(json.dumps(about, indent=1))
    return f"{table.name} {seed}: " + ", ".join(f"{name} {loss:.4g}" for name, loss in found.items())


def make_splits(label: pd.Series, task: Task, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return a hold-out of 20 %, or five folds below 1,000 rows; classes are spread evenly."""
    value = task.kind == "regression"
    if len(label) < SMALL:
        splitter = (KFold if value else StratifiedKFold)(5, shuffle=True, random_state=seed)
    else:
        splitter = (ShuffleSplit if value else StratifiedShuffleSplit)(1, test_size=0.2, random_state=seed)
    return list(splitter.split(label, label))


def evaluate(learn: pd.DataFrame, test: pd.DataFrame, task: Task, seed: int) -> dict:
    """Return the loss of each model on `test`, all fitted on the rows of `learn`; of ours also seconds, kind, format."""
    start = time.perf_counter()
    ours, about = learn_ours(learn, test, task, seed)
    about["seconds"] = time.perf_counter() - start
    label = test[task.target].to_numpy()
    found = {OURS: prediction_loss(label, ours, task)}
    features, more = (frame.drop(columns=task.target) for frame in (learn, test))
    for name, (model, encode) in stock_models(features, task).items():
        fitted = model.fit(encode(features), learn[task.target])
        ask = fitted.predict if task.kind == "regression" else fitted.predict_proba
        found[name] = prediction_loss(label, ask(encode(more)), task)
    return about | {"loss": found}


def stock_models(features: pd.DataFrame, task: Task) -> dict:
    """Return each model that ours is compared with, and what makes its columns of the table's."""
    value = task.kind == "regression"
    boosting = (HistGradientBoostingRegressor if value else HistGradientBoostingClassifier)(random_state=0)
    linear = RidgeCV(np.logspace(-3, 3, 13)) if value else LogisticRegression(max_iter=1000)
    encode, encoded = (lambda frame: build(frame, features)), build(features, features)
    texts = [name for name in encoded if not pd.api.types.is_numeric_dtype(encoded[name])]
    few = [name for name in texts if encoded[name].nunique() < 255]
    boosting.set_params(categorical_features=list(range(len(few))))
    columns = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), few),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), [n for n in texts if n not in few]),
        remainder="passthrough",
    )
    plain = skrub.tabular_pipeline("regressor" if value else "classifier")
    return {
        HGB: (make_pipeline(columns, boosting), encode),
        SKRUB: (plain, lambda frame: frame),
        STRAIGHT: (skrub.tabular_pipeline(linear), lambda frame: frame),
    }


def build(frame: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Return the features of a table as 40_features builds them; `like` decides what is free text."""
    texts = [name for name in like if pd.api.types.is_string_dtype(like[name]) and is_free_text(like[name].fillna(""))]
    return to_features(frame, texts, [name for name in like if pd.api.types.is_datetime64_any_dtype(like[name])])


def learn_ours(learn: pd.DataFrame, test: pd.DataFrame, task: Task, seed: int) -> tuple[np.ndarray, dict]:
    """Return what the candidate of 50_train predicts for `test`, its kind, and the format of its package."""
    params = YAML(typ="safe").load(PARAMS.read_text(encoding="utf-8").replace("{{ cookiecutter", "{#"))["train"]
    features = [frame.drop(columns=task.target) for frame in (learn, test)]
    rows = build(features[0], features[0]).assign(**{task.target: learn[task.target]})
    classes = None if task.kind == "regression" else rows[task.target]
    train, validation = train_test_split(rows, test_size=0.25, random_state=seed, stratify=classes)
    chosen, candidate = train_candidate(train, validation, task, params)
    example = build(features[1], features[0])
    try:
        model = to_onnx_bytes(candidate, example, task)
        check_parity(candidate, model, example, task, float(rows[task.target].std()))
        predicted, kept = predict_onnx(model, example), "onnx"
    except (ValueError, RuntimeError, NotImplementedError):
        predicted, kept = ask_pipeline(candidate, example, task), "skops"
    both = np.column_stack([1 - predicted, predicted]) if task.kind == "binary" else predicted
    return both, {"chosen": chosen, "format": kept}


def ask_pipeline(model: Pipeline, rows: pd.DataFrame, task: Task) -> np.ndarray:
    """Return predictions of the scikit-learn model in the form of `predict_onnx`."""
    if task.kind == "regression":
        return model.predict(rows)
    found = model.predict_proba(rows)
    return found[:, 1] if task.kind == "binary" else found


def train_candidate(train: pd.DataFrame, validation: pd.DataFrame, task: Task, params: dict) -> tuple[str, Pipeline]:
    """Return name and model of the candidate, by the calls of 50_train without its search, which is off."""
    settings = choose_models(MODELS, params["model"], params["candidates"], params)
    folds, seed = params["folds"], params["seed"]
    rows = thin_out(pd.concat([train, validation], ignore_index=True), params["search_rows"])
    settings, crossed = cross_validate(MODELS, settings, rows, task, folds=folds, seed=seed)
    models, _ = fit_models(MODELS, settings, [], train, validation, task, seed)
    sample = thin_out(train, params["search_rows"])
    loss = measure_losses(models, sample, validation, task)
    chosen = min(settings, key=lambda name: crossed[name]["loss"] if crossed else loss[name]["validation"])
    kind, plain, own = MODELS[chosen], models[chosen], settings[chosen]
    options = {"confidence": params["confidence"], "seed": seed}
    candidate, _ = calibrate_candidate(kind, plain, own, sample, validation, task, **options)
    return chosen, refit_candidate(kind, plain, candidate, own, (train, validation), task, seed)


if __name__ == "__main__":
    main()
