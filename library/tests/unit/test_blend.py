"""Own data: models are compared by cross-validation, blended by what they predict unseen, and fitted again on all rows."""

import numpy as np
import pandas as pd
import pytest
from samples import MODELS, write_project
from stagebook.model.blend import BLEND, blend_kinds, find_weights, prediction_loss
from stagebook.model.compare import cross_validate, refit_candidate
from stagebook.model.folds import measure_loss
from stagebook.model.kinds import LINEAR, ModelKind, expand_settings, fit
from stagebook.model.package import load_skops, write_package
from stagebook.model.task import Task, split_columns
from stagebook.model.train import calibrate_candidate, search_settings
from stagebook.project.errors import DataError

KINDS = MODELS | {BLEND: blend_kinds(MODELS)}
FAST = {
    "linear": {"C": 1.0},
    "hist_gradient_boosting": {"max_iter": 30, "max_leaf_nodes": 6},
    "random_forest": {"n_estimators": 10, "min_samples_leaf": 3},
}
HALVES = {name: {"weight": weight} | FAST[name] for name, weight in zip(FAST, (0.5, 0.3, 0.2), strict=True)}

each_kind = pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])


def table(kind, rows=300, seed=0):
    """A processed table whose label has a linear part and one that only trees see; numbers have gaps."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, 3)).astype("float32"), columns=["a", "b ü", "c"])
    frame["colour"] = pd.Series(random.choice(["red", "blue", ""], rows)).astype("str")
    value = frame["a"] + 2 * (frame["b ü"] * frame["c"] > 0) + (frame["colour"] == "red") + random.normal(size=rows)
    frame.loc[::9, "a"] = np.nan
    cuts = {"binary": [1.5], "multiclass": [1, 2], "regression": []}[kind]
    frame["y"] = np.digitize(value, cuts).astype("int8") if cuts else value.astype("float64")
    return frame, Task(kind, "y", ["low", "middle", "high"][: len(cuts) + 1] if cuts else [])


def splits(kind, rows=300):
    frame, task = table(kind, rows)
    return frame[: rows * 3 // 4], frame[rows * 3 // 4 :], task


def ask(model, features, task):
    return model.predict(features) if task.kind == "regression" else model.predict_proba(features)


@each_kind
def test_blend_is_the_weighted_mean_and_both_files_of_its_package_repeat_it(kind, tmp_path, capfd):
    train, validation, task = splits(kind)
    rows, unseen = split_columns(train, task, "f"), split_columns(validation, task, "f")
    blend = fit(KINDS[BLEND], rows, unseen, task, 0, HALVES)
    single = {name: ask(fit(KINDS[name], rows, unseen, task, 0, FAST[name]), unseen[0], task) for name in FAST}
    expected = sum(HALVES[name]["weight"] * single[name] for name in FAST)
    np.testing.assert_allclose(ask(blend, unseen[0], task), expected)
    package = write_package(tmp_path, blend, unseen[0], task, float(train["y"].std()))
    assert package["format"] == "onnx" and package["parity"] < 1e-5
    kept = load_skops(tmp_path / "model.skops", task)(unseen[0])
    np.testing.assert_allclose(kept, expected[:, 1] if kind == "binary" else expected)
    assert "Removing initializer" not in capfd.readouterr().err, "onnxruntime warns of constants that no node reads"


def test_weights_are_those_of_the_models_that_help():
    random = np.random.default_rng(0)
    label, noise = random.normal(size=500), random.normal(size=(3, 500))
    unseen = {"one": label + noise[0], "other": label + noise[1], "bad": noise[2] * 9}
    weights = find_weights(unseen, label, Task("regression", "y"))
    assert weights.keys() == {"one", "other"} and sum(weights.values()) == pytest.approx(1)
    assert all(0.4 <= weight <= 0.6 for weight in weights.values())
    assert find_weights({"sure": label, "bad": noise[2]}, label, Task("regression", "y")) == {"sure": 1.0}


def test_loss_of_predictions_is_that_of_the_model():
    for kind in ("binary", "multiclass", "regression"):
        train, validation, task = splits(kind)
        rows, unseen = split_columns(train, task, "f"), split_columns(validation, task, "f")
        model = fit(LINEAR, rows, unseen, task, 0, {})
        found = prediction_loss(unseen[1].to_numpy(), ask(model, unseen[0], task), task)
        assert found == pytest.approx(measure_loss(model, *unseen, task), abs=1e-4)


@each_kind
def test_blend_is_added_with_a_loss_below_each_of_its_models(kind):
    frame, task = table(kind, 400)
    settings, report = cross_validate(KINDS, FAST | {BLEND: {}}, frame, task, folds=3, seed=0)
    assert list(settings) == [*FAST, BLEND] and report.keys() == settings.keys()
    assert sum(member["weight"] for member in settings[BLEND].values()) == pytest.approx(1)
    assert report[BLEND]["loss"] < min(report[name]["loss"] for name in FAST)
    assert all(one["error"] > 0 and one["folds"] == 6 for one in report.values()), "below 1,000 rows it is done twice"


def test_large_tables_and_those_with_a_time_are_cross_validated_once():
    frame, task = table("regression", 1200)
    once = {"linear": {"C": 1.0}}
    assert cross_validate(KINDS, once, frame, task, folds=3, seed=0)[1]["linear"]["folds"] == 3
    frame = frame[:300].assign(time=pd.date_range("2020-01-01", periods=300))
    task = Task("regression", "y", keys=["time"], time="time")
    assert cross_validate(KINDS, once, frame, task, folds=3, seed=0)[1]["linear"]["folds"] == 3


def test_of_a_list_cross_validation_takes_the_best_and_the_first_if_there_is_no_fold():
    frame, task = table("regression")
    found, _ = cross_validate(KINDS, {"linear": {"C": [1e-6, 1.0]}}, frame, task, folds=3, seed=0)
    assert found == {"linear": {"C": 1.0}}
    one_day = frame.assign(time=pd.Timestamp("2020-01-01"))
    task = Task("regression", "y", keys=["time"], time="time")
    assert cross_validate(KINDS, {"linear": {"C": [1e-6, 1.0]}, BLEND: {}}, one_day, task, folds=3, seed=0) == (
        {"linear": {"C": 1e-6}},
        {},
    )


def test_lists_are_expanded_in_their_order_and_empty_ones_are_refused():
    assert expand_settings({"a": [1, 2], "b": 3, "monotonic_cst": [1, 0]}) == [
        {"a": 1, "b": 3, "monotonic_cst": [1, 0]},
        {"a": 2, "b": 3, "monotonic_cst": [1, 0]},
    ]
    with pytest.raises(DataError, match="the setting 'C' is an empty list"):
        expand_settings({"C": []})


def test_a_blend_of_nothing_is_refused():
    frame, task = table("binary")
    with pytest.raises(DataError, match=r"`train.model: blend` has no models to blend"):
        cross_validate(KINDS, {BLEND: {}}, frame, task, folds=3, seed=0)


def test_search_starts_from_the_first_values_and_leaves_the_blend_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("OPTUNA_STORAGE", f"sqlite:///{tmp_path}/optuna.db")
    frame, task = table("regression")
    write_project(tmp_path, **{"data/processed/train.parquet": ""})
    frame.to_parquet(tmp_path / "data/processed/train.parquet")
    monkeypatch.chdir(tmp_path)
    settings = {"linear": {"C": [1e-6, 1.0]}, BLEND: {}}
    limits = {"trials": 3, "minutes": 5, "folds": 3, "seed": 0}
    found, report = search_settings(KINDS, settings, frame, task, **limits)
    assert report.keys() == {"linear", "ended_by_minutes"} and found[BLEND] == {}
    assert report["linear"]["loss"] < report["linear"]["loss_before"] and found["linear"]["C"] > 1e-6


@each_kind
def test_candidate_learns_from_the_validation_rows_too(kind):
    train, validation, task = splits(kind)
    train, validation = train.replace({"colour": {"red": "blue"}}), validation.assign(colour="green")
    rows, unseen = split_columns(train, task, "f"), split_columns(validation, task, "f")
    for name, settings in {**FAST, BLEND: HALVES}.items():
        model = fit(KINDS[name], rows, unseen, task, 0, settings)
        again = refit_candidate(KINDS[name], model, model, settings, (train, validation), task, 0)
        gain = measure_loss(model, *unseen, task) - measure_loss(again, *unseen, task)
        assert gain > 0, f"{name} is not better on rows that it was fitted on"


def test_number_of_trees_stays_as_early_stopping_chose_it():
    train, validation, task = splits("regression", 800)
    rows, unseen = split_columns(train, task, "f"), split_columns(validation, task, "f")
    kind, settings = KINDS["hist_gradient_boosting"], {"max_iter": 500, "learning_rate": 0.3}
    model = fit(kind, rows, unseen, task, 0, settings)
    again = refit_candidate(kind, model, model, settings, (train, validation), task, 0)
    assert model[-1].n_iter_ < 200 and again[-1].n_iter_ == round(1.1 * model[-1].n_iter_)
    assert not again[-1].do_early_stopping_


def test_a_kind_that_needs_the_validation_split_is_not_fitted_again():
    train, validation, task = splits("binary")
    kind = ModelKind(LINEAR.fit, LINEAR.suggest, LINEAR.settings)
    model = fit(kind, *(split_columns(part, task, "f") for part in (train, validation)), task, 0, {})
    assert refit_candidate(kind, model, model, {}, (train, validation), task, 0) is model
    members = blend_kinds({"mine": kind, "linear": LINEAR})
    settings = {"mine": {"weight": 0.5}, "linear": {"weight": 0.5}}
    model = fit(members, *(split_columns(part, task, "f") for part in (train, validation)), task, 0, settings)
    assert refit_candidate(members, model, model, settings, (train, validation), task, 0) is model


def test_recalibration_stays_when_the_model_is_fitted_again(tmp_path):
    train, validation, task = splits("binary", 1200)
    rows, unseen = split_columns(train, task, "f"), split_columns(validation, task, "f")
    kind = KINDS["hist_gradient_boosting"]
    greedy = {"max_iter": 200, "learning_rate": 0.5, "min_samples_leaf": 2, "n_iter_no_change": 300}
    model = fit(kind, rows, unseen, task, 0, greedy)
    options = {"confidence": 0.9, "seed": 0}
    candidate, report = calibrate_candidate(kind, model, greedy, train, validation, task, **options)
    assert report["calibration"]["needed"]
    again = refit_candidate(kind, model, candidate, greedy, (train, validation), task, 0)
    assert again is not candidate and again[-1].estimator is not model[-1]
    assert write_package(tmp_path, again, unseen[0], task, 1.0)["format"] == "onnx"
    blend = fit(KINDS[BLEND], rows, unseen, task, 0, HALVES)
    same, report = calibrate_candidate(KINDS[BLEND], blend, HALVES, train, validation, task, **options)
    assert same is blend and not report["calibration"]["needed"]
