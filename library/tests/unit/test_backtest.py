"""The backtest knows no more than was known then, and what it cannot judge it names."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from stagebook.evaluate.backtest.learning_curve import describe_growth, evaluate_growth, evaluate_sizes
from stagebook.evaluate.backtest.periods import Period, cut_periods, order_rows, split_past
from stagebook.evaluate.backtest.plots import draw_curve, draw_periods
from stagebook.evaluate.backtest.scores import describe_worst, evaluate_period, find_worst
from stagebook.model.kinds import HIST_GRADIENT_BOOSTING, LINEAR, fit
from stagebook.model.task import Task

BINARY = Task("binary", "late", ["on time", "$x_{1"], ["day"], time="day")
CHANCE = Task("binary", "late", ["on time", "late"], ["day"])
GROUPS = Task("binary", "late", ["on time", "late"], ["day"], group="day")
VALUES = Task("regression", "late", [], ["day"], time="day")
THREE = Task("multiclass", "late", ["a", "b", "c"], ["day"])


def rows(number=900, days=180, seed=0):
    """So many rows from January on, in any order; the label depends a little on x."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": random.normal(size=number).astype("float32")})
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(days, size=number), unit="D")
    return frame.assign(late=(frame["x"] + 2 * random.normal(size=number) > 0).astype(int))


def learner(task):
    return partial(fit, HIST_GRADIENT_BOOSTING, task=task, seed=0, settings={"max_iter": 15})


def judge(table, task, most=500, min_rows=20, periods=12, learn=None):
    table = order_rows([table], task)
    cut = cut_periods(table, task, periods, min_rows, seed=0)
    return [evaluate_period(one, table, learn or learner(task), task, most, min_rows) for one in cut]


@pytest.mark.parametrize("days", [180, 40])  # calendar months, and equal periods
def test_the_past_ends_before_the_period_begins(days):
    table = order_rows([rows(days=days)], BINARY)
    cut = cut_periods(table, BINARY, 12, 20, seed=0)
    assert len(cut) == (5 if days == 180 else 12)
    for period in cut:
        assert table["day"].iloc[period.past].max() < table["day"].iloc[period.rows].min()
        fit_on, stop = split_past(table.iloc[period.past], BINARY)
        assert fit_on["day"].max() <= stop["day"].min() and len(fit_on) + len(stop) == len(period.past)


def test_a_model_learns_only_from_rows_before_the_period():
    seen = []

    def learn(*parts):
        seen.append(max(features["row"].max() for features, _ in parts))
        return learner(BINARY)(*parts)

    table = order_rows([rows()], BINARY).assign(row=np.arange(900, dtype="float32"))
    cut = cut_periods(table, BINARY, 12, 20, seed=0)
    judge(table, BINARY, learn=learn)
    assert len(seen) == len(cut) and all(newest < one.rows.min() for newest, one in zip(seen, cut, strict=True))


def test_what_a_feature_tells_from_april_on_is_no_help_before_may():
    table = rows(3000)
    noise = np.random.default_rng(1).integers(2, size=len(table))
    table["told"] = np.where(table["day"] >= "2024-04-01", table["late"], noise).astype("float32")
    both = (judge(frame, BINARY, most=3000) for frame in (table, table.drop(columns="told")))
    gain = {one["name"]: one["candidate"] - other["candidate"] for one, other in zip(*both, strict=True)}
    assert abs(gain["April 2024"]) < 0.05  # it tells all of April, but until then it told nothing
    assert gain["June 2024"] > 0.1


def test_months_are_whole_and_the_newest_are_judged():
    found = judge(rows(), BINARY, periods=2)
    assert [one["name"] for one in found] == ["May 2024", "June 2024"]
    assert (found[0]["from"], found[0]["to"]) == ("2024-05-01", "2024-05-31")


def test_few_rows_in_a_month_make_equal_periods():
    found = judge(rows(200, days=3000), BINARY, min_rows=20)
    assert " to " in found[0]["name"] and min(one["rows"] for one in found) >= 19


def test_without_a_time_each_group_is_in_one_fold_and_each_row_judged():
    table = rows()
    folds = cut_periods(table, GROUPS, 12, 20, seed=0)
    assert len(folds) == 12 and sorted(np.concatenate([one.rows for one in folds])) == list(range(900))
    for fold in folds:
        assert not set(table["day"].iloc[fold.past]) & set(table["day"].iloc[fold.rows])
    assert [one["fold"] for one in judge(table, CHANCE)] == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("task", [BINARY, VALUES, CHANCE, GROUPS, THREE], ids=lambda task: task.kind)
@pytest.mark.parametrize("number", [3, 30, 60, 200])
def test_few_rows_are_named_and_never_a_crash(task, number, tmp_path):
    table = rows(number, days=60).assign(late=lambda frame: np.arange(len(frame)) % 3 % max(2, len(task.classes)))
    found = judge(table, task)
    judged = [one for one in found if "reason" not in one]
    points, losses = evaluate_sizes(table, table, learner(task), task, [0.1], 20, 0)
    growth = evaluate_growth(losses)
    assert bool(judged) == (number >= 60) and ("gain" in growth) == (number == 200)
    assert all({"candidate", "reason"} & set(one) for one in found)
    curve = [one for one in points if "loss" in one]
    titles = describe_worst(judged, task), describe_growth(points, growth, task)
    for picture in (draw_periods(judged, task, titles[0]), draw_curve(curve, task, titles[1])):
        picture.savefig(tmp_path / "picture.png")
        plt.close(picture)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: (frame["day"] >= "2024-04-01") * 1, "no row of class '$x_{1' to learn from"),
        (
            lambda frame: frame["late"].where(frame["day"] < "2024-03-01", 1),
            "'late' is '$x_{1' in all rows to evaluate on",
        ),
    ],
)
def test_a_class_that_a_month_or_its_past_lacks_is_named(change, words):
    table = rows()
    found = judge(table.assign(late=change(table)), BINARY)
    assert any(words in one.get("reason", "") for one in found) and len(found) == 5


def test_what_a_model_cannot_learn_from_is_named():
    table = rows().assign(x=np.float32(np.nan))
    assert "all values of x are missing" in judge(table, BINARY)[0]["reason"]


@pytest.mark.parametrize("task", [BINARY, VALUES, CHANCE, GROUPS], ids=lambda task: task.kind)
@pytest.mark.parametrize("number", [2, 8])
def test_a_handful_of_rows_is_no_crash_even_if_it_is_allowed(task, number):
    table = rows(number).assign(late=lambda frame: np.arange(len(frame)) % 2)
    assert all({"candidate", "reason"} & set(one) for one in judge(table, task, min_rows=1))


def test_a_model_that_is_no_better_is_counted():
    figures = [{"name": name, "candidate": figure, "trivial": 0.5} for name, figure in (("May", 0.4), ("June", 0.6))]
    assert find_worst(figures, BINARY) == (figures[0], 1)
    assert describe_worst([], BINARY) == "No period could be evaluated"


def test_the_curve_grows_to_all_rows_by_older_ones():
    seen = []

    def learn(known, stop):
        seen.append(set(known[0]["row"]))
        return learner(BINARY)(known, stop)

    train = order_rows([rows()], BINARY).assign(row=np.arange(900, dtype="float32"))
    points, losses = evaluate_sizes(train.iloc[::-1], train, learn, BINARY, [0.1, 0.5], 20, 0)
    assert [one["rows"] for one in points] == [90, 450, 900] and len(losses) == 3
    assert seen[0] < seen[1] < seen[2]
    assert train["day"].iloc[[int(row) for row in seen[0]]].min() == train["day"].iloc[810]


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (lambda loss, noise: 0.9 * loss + 0.01 * noise, "more rows would help"),
        (lambda loss, noise: loss + 0.001 * noise, "hardly help"),
        (lambda loss, noise: loss - 0.02 + 2 * noise, "too few rows to tell"),
        (lambda loss, noise: 1.1 * loss, "did harm"),
    ],
)
def test_growth_is_told_from_chance(after, says):
    random = np.random.default_rng(0)
    loss, noise = random.uniform(0.5, 1.5, 400), random.normal(size=400)
    growth = evaluate_growth([loss, after(loss, noise)])
    assert says in growth["says"]
    assert says in describe_growth([{"rows": 1000, "loss": 1}, {"rows": 2000, "loss": 1}], growth, BINARY).lower()


def test_the_same_seed_gives_the_same_figures():
    assert judge(rows(), CHANCE) == judge(rows(), CHANCE)


def test_a_period_has_the_figures_of_model_and_trivial_model_or_the_reason_why_not():
    numbers = np.random.default_rng(0).integers(5, size=400)
    table = pd.DataFrame({"month": np.arange(400) // 100, "x": np.float32(numbers)})
    table["late"] = (table["x"] > 3).astype(int)
    task = Task("binary", "late", ["on time", "late"], ["month"], time="month")
    learn = partial(fit, LINEAR, task=task, seed=0, settings={})
    march = Period("March", np.arange(200), np.arange(200, 300), "1", "31")
    judged = evaluate_period(march, table, learn, task, most=100, min_rows=20)
    assert judged["rows"] == 100 and judged["candidate"] == 1.0 and judged["trivial"] == 0.5
    reason = evaluate_period(march, table, learn, task, most=100, min_rows=101)["reason"]
    assert reason.startswith("100 rows to evaluate on")


def test_worst_period_is_the_one_with_the_worst_figure():
    task = Task("binary", "late", ["on time", "late"], ["month"], time="month")
    three = [
        {"name": name, "candidate": figure, "trivial": 0.5}
        for name, figure in (("May", 0.7), ("June", 0.5), ("July", 0.6))
    ]
    assert find_worst(three, task) == (three[1], 1)
    assert (
        describe_worst(three, task) == "Worst in June: roc_auc 0.5, median 0.6. Better than the trivial model in 2 of 3"
    )
    assert find_worst(three, Task("multiclass", "y")) == (three[0], 3)
    assert find_worst([], task) == (None, 0)
    assert describe_worst([], task) == "No period could be evaluated"
    folds = [one | {"fold": number} for number, one in enumerate(three)]
    said = describe_worst(folds, task)
    assert said == "roc_auc from 0.5 to 0.7, median 0.6. Better than the trivial model in 2 of 3"
