"""The replay: drift, trigger, retraining, gate, promotion; a champion that is kept; kills; and what the page says."""

import json
import os
import signal

import pandas as pd
import pytest
from replayed import TASK, make_replay, make_table, measure
from stagebook.model.task import Task
from stagebook.project.errors import DataError
from stagebook.replay.calendar import arrival_times, cut_windows
from stagebook.replay.plan import POLICIES
from stagebook.replay.plots import plot_replay
from stagebook.replay.run import replay
from stagebook.replay.summary import event_table, metric_table, policy_table, summarise


def summary_of(given, months):
    return summarise(months, given.task, given.requirements, given.not_measured)


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A replay in which the concept changes in the fifth month, done once."""
    given = make_replay(tmp_path_factory.mktemp("changed"), make_table(4, "flipped"))
    return given, replay(given)


def test_a_changed_concept_fires_the_trigger_and_a_retrained_model_passes_the_gate_and_is_promoted(changed):
    _, months = changed
    assert [month["window"] for month in months] == [f"2026-0{month}" for month in range(3, 9)]
    before, *after = [month for month in months if month["window"] >= "2026-04"]
    assert before["verdict"]["state"] == "ok" and before["gate"] is None and before["next"]["loop"] == "first"
    fired = next(month for month in after if month["gate"] and month["gate"]["promoted"])
    assert fired["verdict"]["fired"] == ["performance"]
    assert fired["gate"]["candidate"] > fired["gate"]["champion"] + 0.01
    assert fired["next"]["loop"] == fired["window"]
    last = months[-1]["metrics"]
    assert last["loop"]["roc_auc"] > 0.8 and last["frozen"]["roc_auc"] < 0.5


def test_the_loop_retrains_less_often_than_every_window(changed):
    given, months = changed
    summary = summary_of(given, months)
    policies = summary["policies"]
    assert 0 < policies["loop"]["retrained"] < policies["every window"]["retrained"] == len(months) - 1
    assert policies["frozen"]["retrained"] == policies["frozen"]["promoted"] == 0
    assert policies["loop"]["metric"] > policies["frozen"]["metric"]


def test_a_candidate_that_is_no_better_is_refused_and_the_champion_is_kept(tmp_path):
    given = make_replay(tmp_path, make_table(4, "noise"))
    months = replay(given)
    asked = [month for month in months if month["gate"]]
    assert asked and not any(month["gate"]["promoted"] for month in asked)
    assert {month["next"]["loop"] for month in months} == {"first"}
    assert any("gain over the champion" in reason for reason in asked[-1]["gate"]["refused"])
    events = event_table(summary_of(given, months), {})
    assert events["gate"].str.startswith("kept the champion (").sum() == len(asked)


def test_only_gates_that_a_replay_can_measure_decide_and_the_others_are_named(changed):
    given, months = changed
    gate = next(month["gate"] for month in months if month["gate"])
    assert {point["gate"] for point in gate["points"]} == {"trivial", "baseline", "champion"}
    assert given.not_measured == ["fast", "card"]


def test_true_values_that_have_not_arrived_are_not_known_to_monitor_or_training(tmp_path):
    seen = []

    def look(observed, references, *rest):
        seen.append((observed, references["training"]))
        return measure(observed, references, *rest)

    given = make_replay(tmp_path, make_table(9, "flipped"), measure=look)
    given.windows = given.windows[:2]
    replay(given)
    first, again, second = (observed for observed, _ in seen)
    assert first.window == again.window != second.window
    assert 0 < first.known_at.isna().sum() > again.known_at.isna().sum()  # late ones arrived meanwhile
    assert first.known_at.max() <= first.window.until < again.known_at.max()
    now = given.windows[0].until
    assert given.known(now)["day"].max() < now.tz_localize(None)
    assert len(given.known(now)) < (given.asked < now).sum()
    training = seen[0][1]
    assert training.asked_at.max() < given.first.until


def test_a_replay_that_is_killed_goes_on_where_it_was_and_gives_the_same_bytes(changed, tmp_path):
    whole_given, whole = changed
    given, done = make_replay(tmp_path, make_table(4, "flipped")), []

    def kill_at_third(number, total, what):
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    if (child := os.fork()) == 0:
        replay(given, kill_at_third)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(list((given.folder / "windows").glob("*.json"))) == 2
    months = replay(given, lambda number, total, what: done.append(number))
    assert done[0] == 2
    texts = [json.dumps(summary_of(*one)) for one in ((whole_given, whole), (given, months))]
    assert texts[0] == texts[1]


def test_other_data_or_settings_start_the_replay_anew(changed, tmp_path):
    given = make_replay(tmp_path, make_table(4, "flipped"))
    given.windows = given.windows[:1]
    replay(given)
    told = []
    replay(given, lambda number, total, what: told.append(what))
    assert told == ["done"]
    other = make_replay(tmp_path, make_table(4, "noise"))
    other.windows = other.windows[:1]
    replay(other, lambda number, total, what: told.append(what))
    assert told[1:] == ["the first model", other.windows[0].name, "done"]


def test_a_window_without_rows_and_one_of_a_single_class_end_no_replay(tmp_path):
    table = make_table(9, "flipped")
    table = table[~table["day"].between("2026-04-01", "2026-04-30 23:59:59")].reset_index(drop=True)
    table.loc[table["day"].between("2026-05-01", "2026-05-31"), "late"] = 0

    def quiet(observed, references, *rest):
        named = {name: str(getattr(observed.window, name)) for name in ("name", "since", "until")}
        return {"window": named, "performance_drop": {"value": 0.0}}

    given = make_replay(tmp_path, table, measure=quiet)
    months = replay(given)
    assert months[1]["rows"] == 0 and months[1]["candidate"] is None
    summary = summary_of(given, months)
    assert summary["holds"] is not None
    assert plot_replay(summary).axes[0].get_ylabel().startswith("roc_auc")


@pytest.mark.parametrize(
    ("loop", "every", "retrained", "expected"),
    [(0.80, 0.801, 2, True), (0.80, 0.83, 2, False), (0.83, 0.80, 8, False)],
)
def test_the_claim_holds_only_with_fewer_retrainings_and_no_worse_metric(changed, loop, every, retrained, expected):
    given, months = changed
    months = json.loads(json.dumps(months))
    for number, month in enumerate(months):
        month["metrics"] = {"frozen": {"roc_auc": 0.7}, "loop": {"roc_auc": loop}, "every window": {"roc_auc": every}}
        month["gate"] = {"promoted": True, "refused": []} if number < retrained else None
        month["candidate"] = {"seconds": 1} if number < 5 else None
    summary = summary_of(given, months)
    assert summary["holds"] is expected
    assert summary["claim"].startswith("The loop holds:" if expected else "The loop does not hold:")
    assert f"with {min(retrained, len(months))} retrainings instead of 5" in summary["claim"]


def test_the_tables_name_each_window_and_the_picture_each_retraining(changed):
    given, months = changed
    summary, minutes = summary_of(given, months), {month["window"]: 0.5 for month in months[:-1]}
    events = event_table(summary, minutes)
    assert list(events.index) == list(metric_table(summary).index) == [month["window"] for month in months]
    fired = events[events["fired"] == "performance"]
    assert (
        set(fired["minutes"]) == {"0.5"}
        and fired["why"].str.contains(r"worse: performance_drop .*, above 0.1 since").all()
    )
    policies = policy_table(summary, minutes)
    assert list(policies.index) == list(POLICIES) and policies["minutes of training"]["every window"] == "2.5"
    texts = [text.get_text() for text in plot_replay(summary).axes[0].texts]
    assert len(texts) == len(fired) and "performance: promoted" in texts


def test_a_year_is_cut_into_months_and_a_shorter_time_into_equal_parts():
    year = pd.DataFrame({"day": pd.date_range("2013-01-01", "2013-12-31 23:00", periods=2_000)})
    first, windows = cut_windows(year, TASK)
    assert (first.since, first.until) == (pd.Timestamp("2013-01-01", tz="UTC"), pd.Timestamp("2013-04-01", tz="UTC"))
    assert [window.name for window in windows] == [f"2013-{month:02}" for month in range(4, 13)]
    days = pd.DataFrame({"day": pd.date_range("2026-01-01", "2026-02-10", periods=2_000)})
    first, windows = cut_windows(days, TASK)
    assert len(windows) == 9 and windows[0].since == first.until and windows[0].name.startswith("2026-01-11 to ")
    assert windows[-1].until > days["day"].max().tz_localize("UTC")


def test_rows_without_a_time_and_too_few_rows_are_refused_with_the_fix():
    with pytest.raises(DataError, match=r"`schema.time_column` in params.yaml"):
        cut_windows(pd.DataFrame({"x": [1.0]}), Task("regression", "y"))
    few = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=99)})
    with pytest.raises(DataError, match="at least 200 rows at different times; there are 99"):
        cut_windows(few, TASK)


def test_true_values_arrive_late_and_some_never():
    table = pd.DataFrame({"day": pd.date_range("2013-01-01", "2013-12-31", periods=20_000)})
    _, windows = cut_windows(table, TASK)
    arrives = arrival_times(table, TASK, windows, days=7, missing=0.1, seed=0)
    delay = (arrives - table["day"].dt.tz_localize("UTC")).dropna()
    assert 0.09 < arrives.isna().mean() < 0.11 and 7 < delay.dt.total_seconds().mean() / 86_400 < 8
    assert delay.min() >= pd.Timedelta(0)
