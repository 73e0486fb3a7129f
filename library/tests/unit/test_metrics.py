"""Metrics: known predictions have known figures, what cannot be computed is left out, a project's own come along."""

import numpy as np
import pytest
from stagebook.evaluate.metrics import predict_trivial, score
from stagebook.model.task import Task

BINARY, THREE = Task("binary", "y", ["no", "yes"]), Task("multiclass", "y", ["a", "b", "c"])
VALUES = Task("regression", "y")
LABEL = np.array([0, 0, 1, 1])


def test_binary():
    assert score(BINARY, LABEL, np.array([0.1, 0.2, 0.8, 0.9]))["roc_auc"] == 1.0
    half = {"roc_auc": 0.5, "average_precision": 0.5, "brier": 0.25, "log_loss": 0.6931}
    assert score(BINARY, LABEL, np.full(4, 0.5)) == half
    assert list(score(BINARY, np.ones(4), np.full(4, 0.5))) == ["brier", "log_loss"]


def test_multiclass():
    perfect = score(THREE, np.array([0, 1, 2]), np.eye(3))
    assert perfect == {
        "log_loss": 0.0,
        "accuracy": 1.0,
        "balanced_accuracy": 1.0,
        "f1_macro": 1.0,
        "roc_auc_ovr": 1.0,
    }
    assert "roc_auc_ovr" not in score(THREE, LABEL, np.full((4, 3), 1 / 3))


def test_regression():
    assert score(VALUES, LABEL, np.full(4, 0.5))["r2"] == 0.0
    assert "r2" not in score(VALUES, np.ones(4), np.full(4, 0.5))


def test_trivial_model_predicts_the_shares():
    assert predict_trivial({"0": 0.7, "1": 0.3}, BINARY, 2).tolist() == [0.3, 0.3]
    assert predict_trivial({"0": 0.5, "1": 0.3, "2": 0.2}, THREE, 1).tolist() == [[0.5, 0.3, 0.2]]
    assert predict_trivial({"mean": 4.5}, VALUES, 3).tolist() == [4.5, 4.5, 4.5]


@pytest.mark.parametrize(
    ("task", "label", "prediction"),
    [
        (BINARY, LABEL, np.array([0.1, 0.6, 0.8, 0.4])),
        (THREE, np.array([0, 1, 2, 2]), np.eye(3)[[0, 1, 2, 0]]),
        (VALUES, LABEL, np.array([0.5, 0.25, 1.0, 2.0])),
    ],
    ids=["binary", "multiclass", "regression"],
)
def test_own_metrics_come_after_those_of_the_library(task, label, prediction):
    seen = []

    def own(given, said):
        seen.append((given, said))
        return 1 / 3

    plain = score(task, label, prediction)
    with_own = score(task, label, prediction, {"a third": own, "rows": lambda given, said: np.int64(len(said))})
    assert with_own == plain | {"a third": 0.33333, "rows": 4.0}
    assert next(iter(with_own)) == next(iter(plain)), "the figure that decides stays the first"
    assert [type(value) for value in with_own.values()] == [float] * len(with_own)
    assert seen[0][0] is label and seen[0][1] is prediction
