"""Any task, any table: models are fitted, judged and drawn, and what cannot work is said before training."""

import json
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from samples import MODELS
from sklearn import datasets
from stagebook.automate import summary
from stagebook.evaluate.metrics import PRIMARY, predict_trivial, score
from stagebook.evaluate.plots import draw_plots, make_tables
from stagebook.model.baseline import check_label, fit_baseline, fit_trivial
from stagebook.model.columns import is_free_text, sort_columns
from stagebook.model.kinds import fit
from stagebook.model.onnx_format import check_parity, predict_onnx, to_onnx_bytes
from stagebook.model.task import Task, read_task, split_columns
from stagebook.project.errors import DataError
from stagebook.project.files import replace_folder

CLASSES = {"binary": ["malignant", "costs $5"], "multiclass": ["$x_{1", "größer", "C " * 30], "regression": []}
LOADERS = {"binary": "load_breast_cancer", "multiclass": "load_wine", "regression": "load_diabetes"}
FAST = {"hist_gradient_boosting": {"max_iter": 30, "min_samples_leaf": 50}, "random_forest": {"n_estimators": 20}}

each_kind = pytest.mark.parametrize("kind", LOADERS)


def tables(kind, rows=None):
    """A task and its three processed tables, shuffled."""
    data = getattr(datasets, LOADERS[kind])(as_frame=True)
    frame = data.data.astype("float32").rename(columns=lambda name: f"{name} (é)")
    frame = frame.assign(label=np.where(frame.iloc[:, 0] > frame.iloc[:, 0].median(), "high", ""), key=frame.index)
    frame["the target"] = data.target.astype("float64" if kind == "regression" else "int8")
    frame = frame.sample(n=rows or len(frame), random_state=1, ignore_index=True).astype({"label": "str"})
    ends = [int(len(frame) * share) for share in (0.6, 0.8)]
    splits = frame.iloc[: ends[0]], frame.iloc[ends[0] : ends[1]], frame.iloc[ends[1] :]
    return Task(kind, "the target", CLASSES[kind], ["key"]), dict(
        zip(["train", "validation", "holdout"], splits, strict=True)
    )


@cache
def judge(kind, rows=None):
    """Return the task, the hold-out's label and what each model says of it."""
    task, parts = tables(kind, rows)
    train, validation, holdout = (split_columns(parts[name], task, name) for name in parts)
    check_label(train[1], task, "train")
    predictions = {"trivial": predict_trivial(fit_trivial(train[1], task), task, len(holdout[1]))}
    models = {name: fit(MODELS[name], train, validation, task, 0, FAST.get(name, {})) for name in MODELS}
    models["candidate"] = models.pop("hist_gradient_boosting")
    for name, model in (("baseline", fit_baseline(train, task, [])), *models.items()):
        onnx = to_onnx_bytes(model, train[0], task)
        check_parity(model, onnx, holdout[0], task, spread=1 if task.classes else train[1].std())
        predictions[name] = predict_onnx(onnx, parts["holdout"])
    return task, holdout[1].to_numpy(), predictions


@each_kind
def test_models_beat_guessing(kind):
    task, label, predictions = judge(kind)
    name, sign = PRIMARY[kind]
    figures = {model: score(task, label, prediction) for model, prediction in predictions.items()}
    assert next(iter(figures["candidate"])) == name
    trivial = figures.pop("trivial")[name]
    assert min(sign * found[name] for found in figures.values()) > sign * trivial


@each_kind
@pytest.mark.parametrize("rows", [None, 30])
def test_tables_and_pictures_are_made(kind, rows, tmp_path):
    task, label, predictions = judge(kind, rows)
    made = make_tables(task, label, predictions, groups=10)
    expected = {
        "binary": {"roc", "calibration"},
        "multiclass": {"confusion"},
        "regression": {"calibration", "residuals"},
    }
    assert set(made) == expected[kind]
    for name, figure in draw_plots(task, label, predictions, made).items():
        figure.savefig(tmp_path / f"{name}.png")
        plt.close(figure)
    totals = {"binary": "calibration", "regression": "calibration", "multiclass": "confusion"}
    table = made[totals[kind]]
    assert (table if kind == "multiclass" else table["rows"]).to_numpy().sum() == len(label)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_a_class_that_validation_or_holdout_lacks_is_no_error(kind):
    task, parts = tables(kind)
    train, validation, holdout = (split_columns(parts[name], task, name) for name in parts)
    zeros = [(features[label == 0], label[label == 0]) for features, label in (validation, holdout)]
    model = fit(MODELS["hist_gradient_boosting"], train, zeros[0], task, 0, {"max_iter": 5})
    onnx, label = to_onnx_bytes(model, train[0], task), zeros[1][1].to_numpy()
    prediction = predict_onnx(onnx, zeros[1][0])
    figures = score(task, label, prediction)
    assert ("roc_auc" in figures, "roc_auc_ovr" in figures) == (False, False)
    assert np.isfinite(list(figures.values())).all()
    predictions = {"candidate": prediction}
    for figure in draw_plots(task, label, predictions, make_tables(task, label, predictions, 5)).values():
        plt.close(figure)


def test_columns_are_sorted_by_type_and_number_of_values():
    many = [f"value {number}" for number in range(40)]
    frame = pd.DataFrame(
        {
            "number": np.arange(40.0),
            "few": ["a", "b"] * 20,
            "gone": np.full(40, np.nan),
            "many": many,
            "text": [f"this is {name}" for name in many],
            "repeated": ["one of two", "two of two"] * 20,
            "empty": "",
        }
    )
    assert sort_columns(frame, few=30) == {"number": [0], "few": [1, 5, 6], "many": [3], "text": [4]}
    assert not is_free_text(pd.Series([""]))


def test_what_cannot_be_learned_is_named_with_file_column_and_value():
    task = Task("binary", "late", ["on time", "late"], ["date"])
    table = pd.DataFrame({"date": "d", "x": np.float32([1, 2]), "late": [0, 1]})
    for broken, words in (
        (table.drop(columns="late"), "f: column 'late' of data/interim/task.json is missing"),
        (table.head(0), "f has no rows"),
        (table.drop(columns="x"), "f has no features"),
        (table.assign(late=[0, 2]), "f: label 'late' is 2 in some row; it must be one of 0 to 1"),
        (table.assign(late=[0, None]), "label 'late' is nan"),
        (table.assign(x=[1, np.inf]), "f: feature 'x' has an infinite value"),
        (table.assign(x=["a", None]), "f: feature 'x' has missing text"),
        (table.assign(x=pd.Timestamp("2020-01-01")), "f: feature 'x' is datetime64"),
    ):
        with pytest.raises(DataError) as error:
            split_columns(broken, task, "f")
        assert words in str(error.value)
    with pytest.raises(DataError, match="f: column 'late' has no row of class 'late'; a model needs all of"):
        check_label(pd.Series([0, 0]), task, "f")
    with pytest.raises(DataError, match=r"f: column 'price' is 3.0 in all rows; there is nothing to learn."):
        check_label(pd.Series([3.0, 3.0]), Task("regression", "price"), "f")
    with pytest.raises(DataError, match="all values of a, b are missing"):
        fit_baseline((pd.DataFrame({"a": [np.nan] * 3, "b": np.nan}), pd.Series([0, 1, 0])), task, [])


@pytest.mark.parametrize(
    ("values", "words"),
    [({"task": "ranking"}, "task is 'ranking'"), ({"task": "multiclass"}, "multiclass task cannot have the 2 classes")],
)
def test_unusable_task_is_named(tmp_path, values, words):
    file = tmp_path / "task.json"
    file.write_text(json.dumps({"task": "binary", "target": "y", "classes": ["a", "b"], "keys": []} | values))
    with pytest.raises(DataError, match=rf"task\.json: .*{words}"):
        read_task(file)
    with pytest.raises(DataError, match=r"none\.json is missing"):
        read_task(tmp_path / "none.json")


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "evaluation"
    for name in ("old", "new"):
        with replace_folder(folder) as temporary:
            (temporary / name).write_text(name)
    assert [file.name for file in folder.iterdir()] == ["new"]
    with pytest.raises(RuntimeError), replace_folder(folder) as temporary:
        (temporary / "half").write_text("")
        raise RuntimeError
    assert [file.name for file in tmp_path.rglob("*")] == ["evaluation", "new"]


@each_kind
def test_summary_says_what_was_judged(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(summary, "_missing", lambda root: ([], []))
    task, label, predictions = judge(kind)
    figures = {model: score(task, label, prediction) for model, prediction in predictions.items()}
    about = {"mean": 152.1, "sd": 77.0} if kind == "regression" else {"share": {"0": 0.25, "1": 0.75}}
    if kind == "multiclass":
        about = {"share": {"0": 0.2, "1": 0.3, "2": 0.5}}
    files = {
        "reports/metrics.json": {"holdout": {"rows": 1234, **about}, **figures},
        "reports/registration.json": {
            "model": "m",
            "version": 1,
            "alias": "challenger",
            "refused": ["too bad"],
            "points": [],
        },
        "reports/validation.json": {"findings": [{"message": "price: mean 9 against 5"}] * 3},
        "data/interim/task.json": {"task": kind, "target": "price", "classes": task.classes},
    }
    for name, values in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(values))
    said = summary.summarise(tmp_path)
    words = {
        "binary": "1,234 rows; costs $5 75.0%",
        "multiclass": "1,234 rows; " + "C " * 30 + " 50.0%, größer 30.0%",
        "regression": "1,234 rows; price 152.1000 on average, standard deviation 77.0000",
    }
    assert words[kind] in said
    assert "3 moves since data/baseline.json; first, price: mean 9 against 5" in said
    assert PRIMARY[kind][0] in said and "m version 1 is challenger. The gate refused it" in said
