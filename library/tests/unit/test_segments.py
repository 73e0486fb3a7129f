"""Weak segments: one that was planted must be found and named, and what is weak by chance must not."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import partial_dependence as reference
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss
from stagebook.evaluate.inspection.bins import bin_column, most_telling
from stagebook.evaluate.inspection.importance import measure_importance, partial_dependence
from stagebook.evaluate.inspection.plots import draw_inspection
from stagebook.evaluate.inspection.segments import compare_segments, named_segments, row_loss
from stagebook.evaluate.inspection.slices import found_segments
from stagebook.model.task import Task
from stagebook.project.errors import DataError

BINARY, THREE, VALUE = Task("binary", "y", ["no", "yes"]), Task("multiclass", "y", list("abc")), Task("regression", "y")


def rows(count=4_000, seed=0):
    """Rows with a loss that is the same everywhere but for chance."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "carrier": random.choice(["EV", "UA", "DL", ""], count),
            "origin": random.choice(["EWR", "JFK"], count),
            "distance": random.normal(1_000, 300, count).astype("float32"),
            "rain": np.where(random.random(count) < 0.9, 0, random.random(count)).astype("float32"),
        }
    )
    return frame, random.exponential(1.0, count)


def test_row_loss_adds_up_to_the_loss_of_the_evaluation():
    random = np.random.default_rng(0)
    label, probability = random.integers(0, 2, 50), random.random(50)
    assert row_loss(BINARY, label, probability).mean() == pytest.approx(log_loss(label, probability))
    label, probabilities = random.integers(0, 3, 50), random.dirichlet([1, 1, 1], 50)
    assert row_loss(THREE, label, probabilities).mean() == pytest.approx(log_loss(label, probabilities))
    assert row_loss(VALUE, np.array([1.0, 2.0]), np.array([3.0, 2.0])).tolist() == [4, 0]
    assert np.isfinite(row_loss(BINARY, np.array([1, 0]), np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        (["a", "", None, "a"], ["= a", "is empty", "is missing", "= a"]),
        (np.arange(100.0), {"up to 24", "from 24 to 49", "from 49 to 74", "above 74"}),
        (np.r_[np.zeros(90), np.arange(1.0, 21.0)], {"= 0", "above 0"}),
        (np.r_[np.full(90, 50.0), np.arange(1.0, 21.0)], {"below 50", "= 50"}),
        (1e9 + np.arange(100.0), {"up to 1,000,000,024"}),
        (np.arange(1950.0, 2050.0), {"up to 1974", "from 1974 to 1999", "above 2024"}),
        ([True, False, True], ["= True", "= False", "= True"]),
        (np.float32([1, 2, np.nan]), ["= 1", "= 2", "is missing"]),
        (pd.date_range("2013-11-01", periods=40), {"up to 2013-11-10", "above 2013-11-30"}),
        ([f"v{number:02}" for number in range(30)], {"= v00", "= v11", "is another"}),
        ([], []),
    ],
)
def test_any_column_is_sorted_into_readable_groups(values, groups):
    found = bin_column(pd.Series(values))
    assert set(groups) <= set(found) if isinstance(groups, set) else found.tolist() == groups


def test_named_segments_come_worst_first_and_only_with_enough_rows():
    frame, loss = rows()
    frame.loc[:9, "carrier"] = "rare"
    loss[:10] += 100
    loss[frame["carrier"] == "EV"] *= 2
    table = named_segments(frame, loss, ["carrier", "distance"], min_rows=30)
    assert table["segment"][0] == "carrier = EV" and "carrier = rare" not in set(table["segment"])
    part = frame["carrier"] == "EV"
    assert table["ratio"][0] == pytest.approx(loss[part].mean() / loss.mean()) and table["rows"][0] == part.sum()
    assert table["ratio"].is_monotonic_decreasing and table["segment"].str.startswith("distance ").sum() == 4
    assert named_segments(frame, loss, [], 30).empty
    assert set(named_segments(frame, loss * 0, ["origin"], 30)["ratio"]) == {1.0}
    with pytest.raises(DataError, match="segment 'airline' is no column of the hold-out; it has carrier"):
        named_segments(frame, loss, ["airline"], 30)


def test_a_planted_weak_segment_is_found_and_named():
    frame, loss = rows()
    weak = (frame["carrier"] == "EV") & (frame["origin"] == "EWR")
    loss[weak] *= 3
    table = found_segments(frame, loss, min_rows=100)
    assert table["segment"][0] == "carrier = EV and origin = EWR"
    assert table["rows"][0] == weak.sum() and table["ratio"][0] == pytest.approx(loss[weak].mean() / loss.mean())
    pd.testing.assert_frame_equal(table, found_segments(frame, loss, min_rows=100))


def test_one_condition_is_not_padded_with_a_second_one():
    frame, loss = rows()
    loss[frame["rain"] > 0] *= 3
    assert found_segments(frame, loss, min_rows=50)["segment"].tolist() == ["rain above 0"]


@pytest.mark.parametrize("seed", range(3))
def test_where_nothing_is_weak_nothing_is_found(seed):
    assert found_segments(*rows(seed=seed), min_rows=30).empty
    assert found_segments(*rows(20, seed), min_rows=30).empty
    frame, loss = rows(seed=seed)
    assert found_segments(frame, loss * 0, min_rows=30).empty


def test_of_wide_tables_the_telling_columns_are_kept():
    frame, loss = rows()
    wide = pd.DataFrame(np.random.default_rng(1).normal(size=(len(frame), 300)).astype("float32")).add_prefix("x")
    loss[frame["carrier"] == "EV"] *= 2
    table = pd.concat([wide, frame], axis=1)
    assert "carrier" in most_telling(table, loss, 5)
    assert most_telling(table, np.column_stack([np.zeros(len(loss)), loss]), 5) == most_telling(table, loss, 5)
    assert found_segments(table, loss, 100)["segment"][0] == "carrier = EV"


def test_the_segment_that_got_worse_is_named():
    frame, loss = rows()
    worse = np.where(frame["origin"] == "JFK", loss * 1.5, loss * 0.5)
    tables = [named_segments(frame, each, ["origin"], 30) for each in (worse, loss)]
    assert compare_segments(*tables) == ("origin = JFK", 0.5)
    assert compare_segments(tables[1], tables[1])[1] == 0
    assert compare_segments(tables[0], tables[1].head(0)) == (None, None)


def test_the_column_that_the_model_uses_is_the_important_one():
    frame, _ = rows()
    label = frame["distance"].to_numpy(dtype=float) / 100
    predict = lambda table: table["distance"].to_numpy(dtype=float) / 100 + 1
    table = measure_importance(VALUE, frame, label, predict, list(frame), rows=500)
    assert table.index[0] == "distance" and table["rise"].iloc[0] > 1 and (table["rise"].iloc[1:] == 0).all()


def test_partial_dependence_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(200, 2)), columns=["a", "b"])
    model = LinearRegression().fit(frame, frame["a"] * 2 + frame["b"])
    ours = partial_dependence(frame, model.predict, "a", points=5)
    theirs = reference(model, frame, ["a"], custom_values={"a": ours.index.to_numpy()}, method="brute")
    np.testing.assert_allclose(ours[0], theirs["average"][0])
    assert len(partial_dependence(rows()[0], lambda table: np.zeros(len(table)), "rain")) == 20


@pytest.mark.parametrize("task", [BINARY, THREE, VALUE], ids=lambda task: task.kind)
def test_pictures_are_drawn_for_any_task_and_any_name(task, tmp_path):
    frame, loss = rows(30)
    frame = frame.rename(columns={"carrier": "$x_{1", "distance": "Länge " * 20})
    outputs = 3 if task.kind == "multiclass" else 1
    predict = lambda table: np.random.default_rng(0).dirichlet([1] * 3, len(table))[:, :outputs].squeeze()
    importance = pd.DataFrame({"rise": 0.1, "spread": 0.0}, index=list(frame))
    dependence = {name: partial_dependence(frame, predict, name) for name in frame}
    groups = ["figure", "group", "rows", "value", "difference", "low", "high"]
    fairness = {"s": pd.DataFrame([["accuracy", "= a", 9, 0.5, 0.1, -0.1, 0.3]], columns=groups)}
    named = named_segments(frame, loss, list(frame), 5)
    drawn = draw_inspection(task, named, named.head(0), fairness, importance, dependence)
    assert set(drawn) == {"segments", "fairness_1", "importance", "dependence"}
    assert "segments" not in draw_inspection(task, named.head(0), named.head(0), {}, importance, dependence)
    for name, figure in drawn.items():
        figure.savefig(tmp_path / f"{name}.png")
    plt.close("all")
