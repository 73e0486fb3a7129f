"""Groups that are treated differently must be seen, with an interval off zero; equal ones must not."""

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from stagebook.evaluate.inspection.fairness import fairness_table
from stagebook.model.task import Task

BINARY, THREE, VALUE = Task("binary", "y", ["no", "yes"]), Task("multiclass", "y", list("abc")), Task("regression", "y")


def people(groups=2, count=2_000, seed=0):
    random = np.random.default_rng(seed)
    return random, pd.Series(random.integers(0, groups, count)).map("group {}".format)


def worst(table):
    return table.iloc[0][["figure", "difference", "low", "high"]]


def test_figures_are_those_of_fairlearn():
    random, group = people()
    label, probability = random.integers(0, 2, len(group)), random.random(len(group))
    table = fairness_table(BINARY, label, probability, group, threshold=0.3).set_index(["figure", "group"])["value"]
    known = {"selection rate": selection_rate, "true positive rate": true_positive_rate}
    known["false positive rate"] = false_positive_rate
    theirs = MetricFrame(metrics=known, y_true=label, y_pred=probability >= 0.3, sensitive_features=group).by_group
    for (figure, name), value in table.items():
        assert value == pytest.approx(theirs.loc[name.removeprefix("= "), figure])


def test_a_group_treated_differently_is_seen():
    random, group = people()
    label = random.integers(0, 2, len(group))
    probability = np.where(random.random(len(group)) < np.where(group == "group 0", 0.6, 0.4), 0.9, 0.1)
    figure, difference, low, high = worst(fairness_table(BINARY, label, probability, group))
    assert figure in ("selection rate", "true positive rate", "false positive rate")
    assert 0 < low < difference < high < 0.4


@pytest.mark.parametrize("groups", [2, 8])
def test_equal_groups_are_not_seen_as_different(groups):
    alarms = 0
    for seed in range(20):
        random, group = people(groups, 600, seed)
        label = random.integers(0, 3, len(group))
        table = fairness_table(THREE, label, random.dirichlet([1] * 3, len(group)), group, seed=seed)
        alarms += worst(table)["low"] > 0
    assert alarms <= 4  # one in twenty is what 95 % confidence allows; four or more happen once in sixty times


def test_accuracy_that_differs_between_groups_is_seen():
    random, group = people()
    label = random.integers(0, 3, len(group))
    said = np.where((group == "group 1") & (random.random(len(group)) < 0.3), (label + 1) % 3, label)
    figure, difference, low, _ = worst(fairness_table(THREE, label, np.eye(3)[said], group))
    assert figure == "accuracy" and low > 0 and difference == pytest.approx(0.3, abs=0.06)


def test_values_predicted_too_low_for_a_group_are_seen_in_standard_deviations():
    random, group = people()
    label = random.normal(100, 20, len(group))
    prediction = label + random.normal(0, 5, len(group)) - np.where(group == "group 1", 10, 0)
    figure, difference, low, high = worst(fairness_table(VALUE, label, prediction, group))
    assert figure == "mean residual" and difference == pytest.approx(0.5, abs=0.05) and 0 < low < high < 0.7
    scaled = worst(fairness_table(VALUE, label * 1e6, prediction * 1e6, group))
    assert scaled["difference"] == pytest.approx(difference)


def test_small_groups_are_left_out_and_a_single_group_has_no_difference():
    _, group = people(1, 100)
    group[:5] = "few"
    table = fairness_table(THREE, np.zeros(100, int), np.eye(3)[[0] * 100], group, min_rows=30)
    assert table["group"].tolist() == ["= group 0"] and table["difference"].isna().all()
    assert fairness_table(BINARY, np.zeros(10), np.zeros(10), group[:10], min_rows=30).empty


def test_few_positive_rows_say_nothing_about_the_true_positive_rate():
    _, group = people()
    label = np.zeros(len(group), int)
    label[:40] = 1
    table = fairness_table(BINARY, label, np.full(len(group), 0.9), group, min_rows=30)
    assert "true positive rate" not in set(table["figure"])


def test_the_same_seed_gives_the_same_interval():
    random, group = people(3)
    label, probability = random.integers(0, 2, len(group)), random.random(len(group))
    tables = [fairness_table(BINARY, label, probability, group, seed=seed) for seed in (1, 1, 2)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert (tables[0]["low"] != tables[2]["low"]).any()
