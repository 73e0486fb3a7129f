"""The search: the future never judges the past, a killed search goes on to the same end, the budget holds."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from stagebook.model.folds import make_folds, thin_out
from stagebook.model.kinds import LINEAR, ModelKind
from stagebook.model.search import Budget, open_study, search, study_name
from stagebook.model.task import Task

BASE = {"C": 1.0}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with MLflow and optuna of its own."""
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with mlflow.start_run():
        yield tmp_path


def own_kind():
    """A kind of model that a project wrote; its module is this one."""
    return ModelKind(lambda *_: None, lambda trial: {}, [])


def judge(settings):
    """Yield the loss of three folds: lowest at C = 0.01."""
    for fold in range(3):
        yield round(abs(np.log10(settings["C"]) + 2) + fold / 100, 6)


def find(home, trials, judge=judge, minutes=5, seed=0, name="linear-test"):
    return search(open_study(name, home), "linear", LINEAR, BASE, judge, Budget(trials, minutes), seed, home)


def test_search_finds_better_settings_and_tells_mlflow(home):
    settings, figures = find(home, 12)
    assert figures["trials"] == 12
    assert figures["loss_before"] == pytest.approx(2.01)
    assert figures["loss"] < 1 and abs(np.log10(settings["C"]) + 2) < 1
    runs = mlflow.search_runs(filter_string="tags.`trial.state` LIKE '%'")
    assert set(runs["tags.mlflow.runName"]) == {f"linear trial {number}" for number in range(12)}
    assert runs["tags.mlflow.parentRunId"].nunique() == 1
    assert figures["pruned"] == (runs["tags.trial.state"] == "pruned").sum() > 0
    best = runs.loc[runs["metrics.loss"].idxmin()]
    assert float(best["params.C"]) == settings["C"]


def test_killed_search_goes_on_and_ends_as_if_nothing_had_been(home):
    calls = []

    def killed(settings):
        calls.append(settings)
        for fold, loss in enumerate(judge(settings)):
            if len(calls) == 4 and fold == 1:
                raise KeyboardInterrupt
            yield loss

    with pytest.raises(KeyboardInterrupt):
        find(home, 6, killed)
    undisturbed = find(home, 6, name="linear-other")
    calls.clear()
    assert find(home, 6, lambda settings: (calls.append(settings), *judge(settings))[1:]) == undisturbed
    assert len(calls) == 3, "the three finished trials are not run again"
    assert find(home, 2) == find(home, 2, name="linear-third"), "fewer trials than there are: the first ones count"


def test_budget_of_minutes_ends_the_search_but_not_before_it_began():
    budget = Budget(5, minutes=0)
    assert not budget.allows(5) and not budget.exhausted, "all trials are done: the time did not end it"
    assert not budget.allows(0) and budget.exhausted


def test_other_data_settings_or_seed_are_another_study(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text(file.name)
    names = {study_name("linear", LINEAR, [file], seed=seed) for file in files for seed in (0, 1)}
    assert len(names) == 4
    assert study_name("linear", own_kind(), files[:1], seed=0) not in names, "its code is other code"
    assert study_name("linear", LINEAR, files[:1], seed=0) in names


def test_folds_of_time_are_judged_by_what_came_later_and_keep_days_together():
    day = pd.Series(pd.date_range("2026-01-01", periods=20)).repeat(7).reset_index(drop=True)
    table = pd.DataFrame({"day": day, "late": np.resize([0, 1], 140)})
    folds = make_folds(table, Task("binary", "late", ["no", "yes"], ["day"], time="day"), 3, seed=0)
    assert len(folds) == 3
    for fit, judged in folds:
        assert day[fit].max() < day[judged].min()
    assert sorted(len(fit) for fit, _ in folds) == [35, 70, 105]


def test_folds_of_groups_share_no_group_and_classes_are_dealt_out_evenly():
    table = pd.DataFrame({"who": np.repeat(list("abcdef"), 10), "y": np.resize([0, 0, 1], 60)})
    binary = {"kind": "binary", "target": "y", "classes": ["no", "yes"]}
    for fit, judged in make_folds(table, Task(**binary, keys=["who"], group="who"), 3, seed=0):
        assert not set(table["who"][fit]) & set(table["who"][judged])
    for fit, judged in make_folds(table, Task(**binary), 4, seed=0):
        assert table["y"][fit].mean() == table["y"][judged].mean() == pytest.approx(1 / 3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("rare", "folds"), [(4, 4), (2, 2), (1, 4)])
def test_a_class_of_few_rows_warns_of_nothing_and_is_in_all_rows_to_fit_on(rare, folds):
    table = pd.DataFrame({"y": [0] * 30 + [1] * 20 + [2] * rare})
    found = make_folds(table, Task("multiclass", "y", ["a", "b", "c"]), 5, seed=0)
    assert len(found) == folds
    assert {table["y"][fit].nunique() for fit, _ in found} == {3}


def test_fold_in_which_there_is_nothing_to_learn_is_left_out():
    table = pd.DataFrame({"day": range(40), "late": [0] * 25 + [0, 1, 1] * 5})
    task = Task("binary", "late", ["no", "yes"], ["day"], time="day")
    assert [len(fit) for fit, _ in make_folds(table, task, 3, seed=0)] == [30]


def test_thinning_takes_rows_from_all_over():
    table = pd.DataFrame({"x": range(1000)})
    few = thin_out(table, 10)["x"]
    assert few.iloc[[0, -1]].tolist() == [0, 999] and few.diff().max() <= 112 and len(few) == 10
    assert thin_out(table, 5000).equals(table)
