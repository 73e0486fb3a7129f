"""Label shift, estimated and true performance, the control arm: right where their assumption holds, and where it fails."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from stagebook.evaluate.costs import Costs
from stagebook.model.task import Task
from stagebook.monitor.estimate import estimate_performance
from stagebook.monitor.feedback import control_weights, evaluate_control
from stagebook.monitor.label_shift import measure_label_shift
from stagebook.monitor.performance import (
    compare_drop,
    draw_metrics,
    measure_calibration,
    measure_segment_change,
    measure_value,
    score_weighted,
)

BINARY = Task("binary", "late", ["no", "yes"])
THREE = Task("multiclass", "kind", ["a", "b", "c"])
VALUE = Task("regression", "delay")
KINDS = {"x": "number", "z": "number"}
COSTS = Costs(matrix={"no": {"yes": 1.0}, "yes": {"no": 4.0}})


def make_rows(rows, seed=0, *, shift=0.0, noise=0.0, flip=False):
    """Return features, calibrated probability and label; `shift` moves x, `flip` reverses what z means."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"x": random.normal(shift, 1, rows), "z": random.normal(0, 1, rows)})
    probability = expit(1.5 * table["x"] + 1.5 * table["z"] - 1).to_numpy()
    true = expit(1.5 * table["x"] - 1.5 * table["z"] - 1).to_numpy() if flip else probability
    label = (random.random(rows) < true).astype(float)
    return table, np.clip(probability + random.normal(0, noise, rows), 0.001, 0.999), label


def estimate(now, before, task=BINARY, costs=COSTS, **settings):
    return estimate_performance(task, now[0], now[1], before, costs, kinds=KINDS, **settings)[0]


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_label_shift_is_told_without_labels(share):
    random = np.random.default_rng(0)

    def draw(rows, share, seed):
        label = (np.random.default_rng(seed).random(rows) < share).astype(float)
        return expit(3 * (random.normal(label, 0.7) - 0.5)), label

    (before, label), (now, true) = draw(20_000, 0.2, 1), draw(20_000, share, 2)
    found = measure_label_shift(BINARY, now, before, label)
    assert found["classes"]["yes"]["now"] == pytest.approx(true.mean(), abs=0.04)
    assert found["classes"]["yes"]["low"] <= true.mean() <= found["classes"]["yes"]["high"]
    assert (found["largest"]["low"] > 0) == (share != 0.2)


def test_label_shift_of_many_classes_and_numbers():
    random = np.random.default_rng(0)

    def draw(rows, shares):
        label = random.choice(3, rows, p=shares)
        scores = np.exp(2.5 * np.eye(3)[label] + random.normal(0, 1, (rows, 3)))
        return scores / scores.sum(axis=1, keepdims=True), label.astype(float)

    (before, label), (now, _) = draw(3000, [0.6, 0.3, 0.1]), draw(2000, [0.3, 0.3, 0.4])
    found = measure_label_shift(THREE, now, before, label)
    assert [found["classes"][name]["now"] for name in "abc"] == pytest.approx([0.3, 0.3, 0.4], abs=0.05)
    assert found["largest"]["low"] > 0.15
    values = random.normal(10, 2, 2000)
    found = measure_label_shift(VALUE, values[:1000] + 2, values[1000:], values[1000:])
    assert found["largest"]["low"] < 1 < found["largest"]["high"]


def test_label_shift_is_not_told_by_a_model_that_tells_nothing_apart():
    random = np.random.default_rng(0)
    found = measure_label_shift(
        BINARY, random.uniform(0.4, 0.6, 100), random.uniform(0.4, 0.6, 100), random.integers(0, 2, 100)
    )
    assert list(found) == ["note"]
    assert "no row of 'yes'" in measure_label_shift(BINARY, np.full(30, 0.2), np.full(30, 0.2), np.zeros(30))["note"]


def test_the_estimate_covers_what_is_measured_later():
    covered = {"roc_auc": 0, "brier": 0, "cost": 0}
    before = make_rows(2000, 999, noise=0.05)
    for seed in range(20):
        now = make_rows(800, seed, shift=0.7, noise=0.05)  # other rows, the same concept
        found = estimate(now, before, draws=40, seed=seed)
        true = score_weighted(BINARY, now[2], now[1], np.ones(800))
        value = measure_value(BINARY, now[2], now[1], now[1], COSTS, None, draws=2, confidence=0.9, seed=0)
        true["cost"] = value["cost"]["value"]
        for name in covered:
            covered[name] += found[name]["low"] <= true[name] <= found[name]["high"]
    assert all(16 <= times <= 20 for times in covered.values()), covered


def test_the_estimate_misses_concept_drift():
    before, now = make_rows(4000, 1), make_rows(4000, 2, flip=True)
    true = roc_auc_score(now[2], now[1])
    assert true < 0.65
    assert estimate(now, before)["roc_auc"]["low"] > 0.8


def test_the_estimate_corrects_probabilities_that_are_too_high():
    before, now = make_rows(4000, 1), make_rows(4000, 2)
    wrong = lambda rows: (rows[0], rows[1] ** 0.3, rows[2])
    found = estimate(wrong(now), wrong(before))["log_loss"]
    assert found["low"] < score_weighted(BINARY, now[2], now[1] ** 0.3, np.ones(4000))["log_loss"] < found["high"]


def test_the_estimate_of_many_classes():
    random = np.random.default_rng(0)
    scores = np.exp(random.normal(0, 1.5, (6000, 3)))
    probability = scores / scores.sum(axis=1, keepdims=True)
    label = (random.random((6000, 1)) > probability.cumsum(axis=1)[:, :-1]).sum(axis=1).astype(float)
    table = pd.DataFrame({"x": probability[:, 0], "z": 0.0})
    now, before = [(table[rows], probability[rows], label[rows]) for rows in (slice(0, 3000), slice(3000, None))]
    found = estimate(now, before, THREE, Costs())
    true = score_weighted(THREE, now[2], now[1], np.ones(3000))
    assert all(found[name]["low"] <= true[name] <= found[name]["high"] for name in ("log_loss", "accuracy"))


def test_the_estimate_of_numbers_follows_the_rows():
    random = np.random.default_rng(0)

    def draw(rows, shift):
        table = pd.DataFrame({"x": random.uniform(0, 3, rows) + shift, "z": random.normal(0, 1, rows)})
        return table, 5 * table["x"].to_numpy(), 5 * table["x"].to_numpy() + random.normal(0, table["x"] + 0.2)

    before, easy, hard = draw(6000, 0), draw(1500, 0), draw(6000, 0)
    hard = tuple(part[hard[0]["x"].to_numpy() > 2] for part in hard)  # the errors grow with x
    for now in (easy, hard):
        found, true = estimate(now, before, VALUE, Costs()), score_weighted(VALUE, now[2], now[1], np.ones(len(now[2])))
        for name in ("mae", "rmse"):
            assert found[name]["value"] == pytest.approx(true[name], rel=0.1)
            assert found[name]["low"] * 0.97 <= true[name] <= found[name]["high"] * 1.05
        assert found["r2"]["value"] == pytest.approx(true["r2"], abs=0.05)


def test_a_drop_is_relative_and_its_interval_tells_chance_from_change():
    def measure(rows):
        return draw_metrics(BINARY, rows[2], rows[1], None, draws=100, seed=0)

    before = measure(make_rows(2000, 1))
    for seed in range(10):
        drop = compare_drop(BINARY, *measure(make_rows(500, 10 + seed)), *before, 0.99)
        assert drop["low"] < 0 < drop["high"]
    worse = measure(make_rows(500, 2, flip=True))
    drop = compare_drop(BINARY, *worse, *before, 0.99)
    assert drop["value"] == pytest.approx((before[0]["roc_auc"] - worse[0]["roc_auc"]) / before[0]["roc_auc"], rel=0.01)
    assert drop["low"] > 0.1


def test_one_class_has_no_ranking_and_no_drop():
    table, probability, _ = make_rows(100)
    metrics, drawn = draw_metrics(BINARY, np.zeros(100), probability, None, draws=5, seed=0)
    assert set(metrics) == {"brier", "log_loss"}
    assert compare_drop(BINARY, metrics, drawn, {"roc_auc": 0.8}, pd.DataFrame({"roc_auc": [0.8]}), 0.9) is None
    assert score_weighted(BINARY, np.zeros(100), probability, np.ones(100)).keys() == {"brier", "log_loss"}
    assert len(table) == 100


def test_weights_are_as_many_copies_of_a_row():
    _, probability, label = make_rows(200)
    weight = np.random.default_rng(0).integers(0, 4, 200)
    found = score_weighted(BINARY, label, probability, weight.astype(float))
    again = score_weighted(BINARY, label.repeat(weight), probability.repeat(weight), np.ones(weight.sum()))
    assert found == pytest.approx(again)


def test_calibration_tells_chance_from_error():
    _, probability, label = make_rows(2000)
    for off in (0.0, 0.15):
        found = measure_calibration(BINARY, label, np.clip(probability + off, 0, 1), groups=10, seed=0)
        assert (found["ece"] > found["ece_by_chance"]) == bool(off)


def test_value_is_what_the_model_saved_against_no_model():
    _, probability, label = make_rows(1000)
    trivial = np.full(1000, label.mean())
    found = measure_value(BINARY, label, probability, trivial, COSTS, None, draws=50, confidence=0.9, seed=0)
    assert found["saved"]["value"] == pytest.approx(found["no_model"] - found["cost"]["value"])
    assert found["saved_total"] == pytest.approx(1000 * found["saved"]["value"])
    assert 0 < found["saved"]["low"] < found["saved"]["high"]


def test_segments_of_numbers_have_the_same_edges_before_and_now():
    now, before = pd.DataFrame({"x": np.arange(100.0)}), pd.DataFrame({"x": np.arange(100.0) / 2})
    lines = measure_segment_change(now, np.where(now["x"] > 60, 2.0, 1.0), before, np.ones(100), ["x"], 5)
    worst = lines[0]
    assert worst["segment"].startswith("x above")
    assert "rise" not in worst  # there were no such rows
    assert {line["rise"] for line in lines[2:]} == {0.0}


def feedback(control_share, seed=0, rows=100_000):
    """Return a year of decisions: who is flagged by z, which means nothing, gets the label 1 more often by that."""
    random = np.random.default_rng(seed)
    x, z = random.normal(0, 1, rows), random.normal(0, 1, rows)
    untouched = expit(1.2 * x - 1)
    share = np.where(x > 0, control_share, control_share / 5)  # fewer trials where the stakes are low
    control = random.random(rows) < share
    flagged = (z > 0.5) & ~control
    label = (random.random(rows) < np.where(flagged, expit(1.2 * x + 1.5), untouched)).astype(int)
    return np.column_stack([x, z]), label, control, share, (random.random(rows) < untouched).astype(int)


def test_a_self_fulfilling_label_misleads_without_control_and_does_not_with_it():
    features, label, control, share, untouched = feedback(0.1)
    misled = LogisticRegression().fit(features, label)
    right = LogisticRegression().fit(features, label, sample_weight=control_weights(control, share))
    assert misled.coef_[0, 1] > 0.5  # z seems to matter, because the model acted on it
    assert abs(right.coef_[0, 1]) < 0.15
    auc = [roc_auc_score(untouched, model.predict_proba(features)[:, 1]) for model in (misled, right)]
    assert auc[1] - auc[0] > 0.04


def test_the_control_arm_tells_the_true_performance_and_all_rows_do_not():
    features, label, control, share, untouched = feedback(0.1)
    model = LogisticRegression().fit(features, label)  # believes in z
    prediction = model.predict_proba(features)[:, 1]
    found = evaluate_control(BINARY, label, prediction, control, share, min_rows=30)
    true, all_rows = roc_auc_score(untouched, prediction), roc_auc_score(label, prediction)
    assert all_rows - true > 0.05  # its own actions make it look good
    assert found["performance"]["roc_auc"] == pytest.approx(true, abs=0.03)
    assert found["acted_on"]["roc_auc"] > found["performance"]["roc_auc"] + 0.05
    unweighted = score_weighted(BINARY, label, prediction, control.astype(float))
    whole = score_weighted(BINARY, untouched, prediction, np.ones(len(label)))
    assert abs(found["performance"]["brier"] - whole["brier"]) < abs(unweighted["brier"] - whole["brier"])


def test_rows_that_cannot_be_weighted_count_nothing():
    weight = control_weights(np.array([True, True, True, False]), np.array([0.5, 0.0, np.nan, 0.5]))
    assert weight.tolist() == [4, 0, 0, 0]
    assert control_weights(np.zeros(3, dtype=bool), np.full(3, 0.1)).tolist() == [0, 0, 0]
    none = np.zeros(3, dtype=bool)
    assert evaluate_control(BINARY, np.ones(3), np.ones(3), none, np.zeros(3), min_rows=1) is None
    few = evaluate_control(BINARY, np.ones(3), np.ones(3), ~none, np.ones(3), min_rows=30)
    assert few == {"rows": 3, "share": 1.0, "effective_rows": 3.0}
