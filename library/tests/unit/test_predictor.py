"""What MLflow serves says the same as the model file, in columns that no name of a class can collide with."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer
from stagebook.model import kinds
from stagebook.model.onnx_format import predict_onnx, to_onnx_bytes
from stagebook.model.predictor import Predictor
from stagebook.model.skops_format import TRUSTED
from stagebook.model.task import Task

CLASSES = {"binary": ["prediction", "late"], "multiclass": ["prediction", "probability", "c"], "regression": []}
TOLD = {"binary": {"threshold": "0.3"}, "multiclass": {}, "regression": {"interval_half_width": "2.5"}}
COLUMNS = {
    "binary": ["probability", "prediction"],
    "multiclass": ["probability_prediction", "probability_probability", "probability_c", "prediction"],
    "regression": ["prediction", "lower", "upper"],
}


def fit(kind):
    """Return rows with a gap and with text, and a model of them."""
    noise = np.random.default_rng(0)
    rows = pd.DataFrame({"x": noise.normal(size=300).astype("float32"), "text": noise.choice(["a", "b"], 300)})
    rows = rows.astype({"text": "str"})
    value = rows["x"] * 2 + (rows["text"] == "a")
    label = value if kind == "regression" else pd.Series(pd.qcut(value, len(CLASSES[kind]), labels=False))
    task = Task(kind, "y", CLASSES[kind])
    model = kinds.fit(kinds.HIST_GRADIENT_BOOSTING, (rows, label), (rows, label), task, 0, {"max_iter": 10})
    return rows.assign(x=rows["x"].where(rows.index > 2)), model


def answer(path, rows, config):
    """Return what the predictor says, loaded as MLflow does."""
    context, predictor = SimpleNamespace(artifacts={"model": str(path)}, model_config=config), Predictor()
    predictor.load_context(context)
    return predictor.predict(context, rows)


@pytest.mark.parametrize("suffix", ["onnx", "skops"])
@pytest.mark.parametrize("kind", CLASSES)
def test_answers_are_those_of_the_model(kind, suffix, tmp_path):
    (rows, model), path = fit(kind), tmp_path / f"model.{suffix}"
    told = {"task": kind, "classes": json.dumps(CLASSES[kind]), "trusted_types": json.dumps(TRUSTED), **TOLD[kind]}
    converted = to_onnx_bytes(model, rows, Task(kind, "y", CLASSES[kind]))
    if suffix == "skops":
        skops.io.dump(model, path)
    else:
        path.write_bytes(converted)
    said, expected = answer(path, rows, told), predict_onnx(converted, rows)
    assert list(said.columns) == COLUMNS[kind]
    values = said.filter(regex="^probability") if CLASSES[kind] else said[["prediction"]]
    np.testing.assert_allclose(values.to_numpy().reshape(expected.shape), expected, atol=1e-6)
    if kind == "binary":
        assert list(said["prediction"]) == ["late" if share >= 0.3 else "prediction" for share in said["probability"]]
    elif kind == "multiclass":
        assert list(said["prediction"]) == [CLASSES[kind][number] for number in expected.argmax(axis=1)]
    else:
        np.testing.assert_allclose(said["upper"] - said["lower"], 5, atol=1e-5)


@pytest.mark.parametrize(("kind", "column"), [("binary", "probability"), ("regression", "prediction")])
def test_without_threshold_or_interval_there_is_one_column(kind, column, tmp_path):
    rows, model = fit(kind)
    (tmp_path / "model.onnx").write_bytes(to_onnx_bytes(model, rows, Task(kind, "y", CLASSES[kind])))
    told = {"task": kind, "classes": json.dumps(CLASSES[kind])}
    assert list(answer(tmp_path / "model.onnx", rows, told).columns) == [column]


def test_a_skops_file_that_could_run_code_is_refused(tmp_path):
    skops.io.dump(FunctionTransformer(pd.eval), tmp_path / "model.skops")
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException, match="eval"):
        answer(tmp_path / "model.skops", pd.DataFrame(), {"trusted_types": json.dumps(TRUSTED)})
