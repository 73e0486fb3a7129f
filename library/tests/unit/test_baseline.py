"""The trivial model, the baseline and each kind of model learn what is there to learn, and ONNX repeats them."""

import pandas as pd
import pytest
from samples import MODELS
from stagebook.model.baseline import check_label, fit_baseline, fit_trivial
from stagebook.model.folds import measure_loss
from stagebook.model.kinds import fit
from stagebook.model.onnx_format import check_parity, to_onnx_bytes
from stagebook.model.task import Task
from stagebook.project.errors import DataError

LATE = Task("binary", "late", ["on time", "late"])
TOY = pd.DataFrame({"hour": [float(n % 24) for n in range(240)], "carrier": ["AA", "UA", "B6"] * 80})
TOY = TOY.astype({"hour": "float32"})
TASKS = {
    "binary": (["morning", "evening"], (TOY["hour"] > 12).astype(int), 0.4),
    "multiclass": (["night", "morning", "evening"], (TOY["hour"] // 8).astype(int), 0.4),
    "regression": ([], TOY["hour"].astype(float) ** 2, 60),
}


def test_label_with_nothing_to_learn_is_named():
    check_label(pd.Series([0, 1, 0]), LATE, "three")
    with pytest.raises(DataError, match="column 'late' has no row of class 'on time'"):
        check_label(pd.Series([1, 1]), LATE, "train.parquet")
    with pytest.raises(DataError, match="'late' is 1 in all rows"):
        check_label(pd.Series([1, 1]), Task("regression", "late"), "train.parquet")


def test_trivial_model_is_the_shares_or_the_mean():
    assert fit_trivial(pd.Series([0, 0, 1]), LATE) == {"0": 0.666667, "1": 0.333333}
    assert fit_trivial(pd.Series([1.0, 2.0]), Task("regression", "y")) == {"mean": 1.5}


@pytest.mark.parametrize("kind", TASKS)
def test_each_model_learns_and_is_repeated_by_onnx(kind):
    classes, label, most = TASKS[kind]
    task, rows = Task(kind, "target", classes), (TOY, label)
    fitted = [fit(model, rows, rows, task, 0, {}) for model in MODELS.values()]
    for one in (fit_baseline(rows, task, ["hour"]), fit_baseline(rows, task, []), *fitted):
        assert measure_loss(one, TOY[one.feature_names_in_], label, task) < most
        assert check_parity(one, to_onnx_bytes(one, TOY[one.feature_names_in_], task), TOY, task, label.std()) < 1e-4
