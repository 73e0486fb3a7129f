"""What follows from window records: alarms, triggers, what holds a training back, and no false alarm on odd windows."""

from datetime import timedelta

import pytest
from records import record, settings, week, weeks
from stagebook.monitor.triggers import decide
from stagebook.monitor.windows import metric_of, same_version

SETTINGS = settings()
BAD = 0.2


def after(history, given=SETTINGS, **more):
    """Decide an hour after the last window."""
    return decide(history, given, week(len(history)) + timedelta(hours=1), **more)


def names(verdict):
    return [alarm.name for alarm in verdict.alarms]


def test_two_of_the_last_three_windows_and_the_newest_alarm_and_train_again():
    verdict = after(weeks(0, 0, BAD, 0, BAD))
    assert (verdict.state, verdict.retrain, verdict.fired) == ("act", True, ["decayed", "train_again"])
    [alarm] = verdict.alarms
    assert (alarm.name, alarm.windows, alarm.since) == ("worse", ["week 2", "week 4"], "week 4")
    assert (alarm.value, alarm.threshold) == (pytest.approx(0.19), 0.05)


@pytest.mark.parametrize(
    "drops",
    [
        (0, 0, 0, 0, BAD),  # one window only
        (0, 0, BAD, BAD, 0),  # it has recovered
        (BAD, BAD, 0, 0, BAD),  # too long ago
        (0, 0, 0.055, 0.055, 0.055),  # the interval reaches below the threshold
    ],
)
def test_less_than_that_is_no_alarm(drops):
    verdict = after(weeks(*drops))
    assert (verdict.state, verdict.alarms, verdict.fired) == ("ok", [], [])


def test_since_is_the_first_window_of_those_beyond_without_a_gap():
    assert after(weeks(0, BAD, BAD, BAD, BAD, BAD)).alarms[0].since == "week 1"


@pytest.mark.parametrize(
    ("history", "note"),
    [
        ([], "no window has been measured yet"),
        ([*weeks(BAD, BAD), record(2, BAD, rows=0, notes=["the window is empty"])], "the window is empty"),
        ([*weeks(BAD, BAD), record(2, BAD, rows=30)], "week 2 is not judged: too few rows"),
    ],
)
def test_without_a_window_that_tells_something_there_is_no_alarm(history, note):
    verdict = decide(history, SETTINGS, week(3))
    assert (verdict.state, verdict.retrain, verdict.alarms) == ("cannot tell", False, [])
    assert note in " ".join(verdict.notes)


def test_a_window_in_the_future_is_named_and_does_not_count():
    history = weeks(0, BAD, BAD)
    verdict = decide(history, SETTINGS, week(2))
    assert (verdict.state, verdict.alarms, verdict.window) == ("ok", [], "week 1")
    assert verdict.notes == ["window week 2 ends in the future: check the clocks"]
    only = decide(weeks(BAD), SETTINGS, week(0))
    assert (only.state, only.notes) == ("cannot tell", ["window week 0 ends in the future: check the clocks"])


def test_old_windows_tell_nothing_of_today():
    verdict = decide(weeks(BAD, BAD), SETTINGS, week(4))
    assert (verdict.state, verdict.alarms) == ("cannot tell", [])
    assert verdict.notes == ["window week 1 is the newest that was measured: later ones are missing"]


def test_windows_without_true_values_yet_neither_alarm_nor_clear_one():
    assert names(after(weeks(BAD, BAD, BAD, None))) == ["worse"]
    verdict = after(weeks(BAD, BAD, None, None, None))
    assert (verdict.state, verdict.alarms) == ("ok", [])
    assert verdict.notes == ["not known of the last windows: worse"]


def test_another_model_version_begins_from_the_start():
    new = [record(number, BAD, version="2") for number in (3,)]
    assert after([*weeks(BAD, BAD, BAD), *new]).alarms == []
    mixed = record(3, BAD, versions={"1": 400, "2": 600})
    assert after([*weeks(BAD, BAD, BAD), mixed]).alarms == []
    assert names(after([*weeks(BAD, BAD, BAD), *new, record(4, BAD, version="2")])) == ["worse"]
    empty = record(1, None, rows=0)
    assert len(same_version([record(0), empty, record(2)])) == 3, "an empty window is nobody's"


def test_a_window_that_is_there_twice_counts_once():
    assert after([record(0), record(1, BAD), record(1, BAD)]).alarms == []


def test_an_alarm_that_no_training_answers_is_for_people():
    history = [record(number, drift={"missing_rise": 0.5}) for number in range(3)]
    verdict = after(history)
    assert (verdict.state, verdict.retrain, names(verdict)) == ("act", False, ["missing"])


def test_cool_down_new_rows_and_budget_hold_a_training_back_and_say_why():
    history = weeks(0, 0, BAD, BAD)
    held = after(history, retrained=[week(3)])
    assert (held.state, held.retrain, names(held)) == ("ok", False, ["worse"])
    assert held.suppressed_by == ["cool-down until 2024-02-11 00:00: the last training was on 2024-01-22"]
    few = after(history, new_rows=99)
    assert few.suppressed_by == ["99 rows with a true value have arrived since the last training, 100 are needed"]
    spent = after(history, settings(retraining={"cool_down_days": 0}), retrained=[week(1), week(2)])
    assert spent.suppressed_by == ["2 trainings in the last 30 days, 2 are allowed"]
    later = decide([*history, record(4, BAD), record(5, BAD)], SETTINGS, week(6), retrained=[week(3)])
    assert later.retrain, "the cool-down is over"


def test_a_person_may_train_again_at_any_time():
    verdict = after(weeks(0), retrained=[week(1)], demanded=True)
    assert (verdict.state, verdict.retrain, verdict.fired) == ("act", True, ["asked", "train_again"])
    assert verdict.reasons == ["asked: a person asked for a training"]


def test_schedule_counts_from_the_last_training_and_before_it_from_the_first_window():
    history = weeks(*[0] * 53)
    assert after(history).fired == ["old", "arrived", "train_again"]
    assert after(history).reasons[0] == "old: 365 days since the last training"
    assert after(history[:40]).fired == ["arrived"]
    assert after(history[:40], new_rows=12_345).reasons == [
        "arrived: 12,345 rows with a true value since the last training"
    ]
    assert after(history, retrained=[week(20)]).fired == ["arrived"]


def test_new_data_counts_rows_with_a_true_value_since_the_last_training():
    given = settings(retraining={"when": "arrived"})
    assert after(weeks(*[0] * 6), given).retrain
    assert not after(weeks(*[0] * 6), given, retrained=[week(1)]).retrain
    assert not after(weeks(*[None] * 6), given).retrain


def test_all_conditions_of_a_hybrid_trigger_and_one_within_another():
    both = {"both": {"kind": "hybrid", "all": ["inner", "shifted"]}, "inner": {"kind": "hybrid", "any": ["decayed"]}}
    given = settings(triggers=both, retraining={"when": "both"})
    worse = after(weeks(0, BAD, BAD), given)
    assert (worse.state, names(worse)) == ("ok", ["worse"])
    assert worse.notes == ["trigger both waits for its other conditions"]
    assert after(weeks(0, BAD, BAD, share=0.5), given).retrain


def test_without_a_trigger_only_people_train_again():
    verdict = after(weeks(BAD, BAD), settings(retraining={"when": None}))
    assert (verdict.state, verdict.retrain) == ("act", False)


def test_the_verdict_does_not_depend_on_the_order_of_the_records():
    history = weeks(0, BAD, 0, BAD)
    assert after(history) == after(history[::-1])


@pytest.mark.parametrize(
    ("metric", "at_most", "value"),
    [
        ("performance_drop", True, 0.1),
        ("performance_drop", False, 0.3),
        ("performance_drop.value", True, 0.2),
        ("concept.changes", True, 2),
        ("segments.rise", True, 0.4),
        ("segments.rise", False, 0.1),
        ("system.latency_p99_ms", True, 7.5),
        ("enough", True, None),
        ("estimate_drop", True, None),
        ("value.saved", False, None),
    ],
)
def test_metrics_are_found_by_their_path(metric, at_most, value):
    found = {
        "performance_drop": {"value": 0.2, "low": 0.1, "high": 0.3},
        "concept": {"changes": [{}, {}]},
        "segments": [{"rise": 0.1}, {"rise": 0.4}, {}],
        "system": {"latency_p99_ms": 7.5},
        "enough": True,
        "value": {"saved": {"value": None}},
    }
    assert metric_of(found, metric, at_most) == value
