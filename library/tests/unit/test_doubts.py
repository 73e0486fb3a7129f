"""Doubtful labels: planted wrong labels are found, tables whose classes overlap or whose tails are heavy give none."""

import numpy as np
import pandas as pd
import pytest
from sklearn import datasets
from stagebook.evaluate.inspection.doubts import describe_doubts, find_doubts
from stagebook.model.task import Task

COLUMNS = ["row", "given", "likely", "doubt"]


def table(features, label, **columns):
    return (
        pd.DataFrame(np.asarray(features, dtype="float32")).rename(columns=lambda i: f"x{i}").assign(y=label, **columns)
    )


def plant(label, share, seed=0):
    """Labels of which a share is that of another class, and which rows these are."""
    random, wrong = np.random.default_rng(seed), np.zeros(len(label), dtype=bool)
    wrong[random.permutation(len(label))[: round(share * len(label))]] = True
    count = label.max() + 1
    return np.where(wrong, (label + random.integers(1, count, len(label))) % count, label).astype("int8"), wrong


def digits(share):
    features, label = datasets.load_digits(return_X_y=True)
    label, wrong = plant(label, share)
    return table(features, label), Task("multiclass", "y", [f"digit {i}" for i in range(10)]), wrong


def overlapping(rows, seed=0):
    """Clean labels, drawn from probabilities that are seldom near 0 or 1; an eighth of them is unlikely."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, 6))
    odds = 1.5 * (features[:, 0] + 0.7 * features[:, 1] + np.sin(2 * features[:, 2]))
    return table(features, (random.random(rows) < 1 / (1 + np.exp(-odds))).astype("int8"))


def values(noise, rows=1500, seed=0):
    features, label = datasets.make_friedman1(rows, 8, noise=0, random_state=seed)
    return table(features, noise(np.random.default_rng(seed), label))


def test_wrong_digits_are_shown_with_the_right_ones_largest_doubt_first():
    frame, task, wrong = digits(0.05)
    doubts, summary = find_doubts(frame, task, rows=20_000, seed=0)
    assert list(doubts) == COLUMNS and len(doubts) == 20
    assert doubts["doubt"].is_monotonic_decreasing and doubts["doubt"].min() > 0.9
    assert wrong[doubts["row"]].mean() >= 0.95
    truth = datasets.load_digits().target[doubts["row"]]
    assert (doubts["likely"] == [f"digit {i}" for i in truth]).mean() >= 0.9
    assert (doubts["given"] == [f"digit {i}" for i in frame["y"][doubts["row"]]]).all()
    assert 0.02 <= summary["share"] <= 0.06 and 75 <= summary["doubtful"] <= 100 and summary["rows"] == len(frame)
    assert describe_doubts(summary).startswith(f"{summary['doubtful']} doubtful labels among 1,797 rows")


def test_the_noisiest_table_is_not_silent():
    frame, task, wrong = digits(0.3)
    doubts, summary = find_doubts(frame, task, rows=20_000, seed=0)
    assert wrong[doubts["row"]].mean() >= 0.9 and summary["share"] > 0.15


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rows", [300, 3000])
def test_clean_classes_that_overlap_have_no_doubtful_labels(rows, seed):
    doubts, summary = find_doubts(overlapping(rows, seed), Task("binary", "y", ["no", "yes"]), rows=20_000, seed=0)
    assert list(doubts) == COLUMNS and doubts.empty
    assert summary == {"rows": rows, "share": 0.0, "doubtful": 0}
    assert describe_doubts(summary) == f"No doubtful labels among {rows:,} rows of the training split."


NOISE = {
    "normal": lambda random, label: label + random.normal(size=len(label)),
    "heavy tails": lambda random, label: label + random.standard_t(3, size=len(label)),
    "skewed": lambda random, label: label * np.exp(random.normal(0, 0.5, len(label))),
    "constant": lambda random, label: np.ones(len(label)),
    "none": lambda random, label: np.round(label),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("noise", NOISE)
def test_clean_values_have_no_doubtful_labels_whatever_their_noise(noise):
    doubts, summary = find_doubts(values(NOISE[noise]), Task("regression", "y"), rows=20_000, seed=0)
    assert doubts.empty and summary["doubtful"] == 0


def test_values_with_a_slipped_decimal_point_are_shown_with_their_prediction():
    frame, wrong = values(NOISE["normal"]), np.random.default_rng(1).permutation(1500)[:15]
    frame.loc[wrong, "y"] *= 10
    doubts, summary = find_doubts(frame, Task("regression", "y"), rows=20_000, seed=0)
    assert len(set(doubts["row"]) & set(wrong)) >= 12
    assert doubts["given"].tolist() == frame["y"][doubts["row"]].tolist()
    assert doubts["likely"].median() < 25 and summary["doubtful"] >= 12


def test_the_same_rows_give_the_same_doubts_and_keys_name_them_without_personal_data():
    frame, task, _ = digits(0.05)
    frame["order"] = [f"o{i}" for i in range(len(frame))]
    frame["mail"] = [f"ada{i}@example.org" for i in range(len(frame))]
    task = Task("multiclass", "y", task.classes, keys=["order", "mail"])
    doubts, summary = find_doubts(frame, task, rows=900, seed=1)
    assert summary["rows"] == 900
    assert doubts["order"].tolist() == [f"o{row}" for row in doubts["row"]]
    assert set(doubts["mail"]) == {"***"}
    again, _ = find_doubts(frame, task, rows=900, seed=1)
    pd.testing.assert_frame_equal(doubts, again)


def test_groups_are_apart_a_time_is_no_reason_to_leave_rows_out_and_one_group_alone_is_not_looked_at():
    frame = overlapping(300).assign(who=np.repeat(range(30), 10), day=pd.date_range("2026-01-01", periods=300))
    classes = ["no", "yes"]
    by_time = Task("binary", "y", classes, keys=["who", "day"], time="day")
    assert find_doubts(frame, by_time, rows=20_000, seed=0)[1]["rows"] == 300
    by_group = Task("binary", "y", classes, keys=["who", "day"], group="who")
    assert find_doubts(frame, by_group, rows=20_000, seed=0)[1]["rows"] == 300
    doubts, summary = find_doubts(frame.assign(y=0), by_time, rows=20_000, seed=0)
    assert doubts.empty and summary["rows"] == 0
