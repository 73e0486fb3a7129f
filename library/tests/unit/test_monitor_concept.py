"""Concept drift: four patterns with known change points are found soon, and streams without a change raise no alarm."""

import numpy as np
import pandas as pd
import pytest
from stagebook.monitor.concept import detect_changes, excess_loss

ROWS, AT, UNTIL = 10_000, 5_000, 7_000


def stream(pattern, seed, low=0.1, high=0.25):
    """Return right (0) and wrong (1) of each row: the share of wrong ones goes from `low` to `high`."""
    random, at = np.random.default_rng(seed), np.arange(ROWS)
    ramp = np.clip((at - AT) / (UNTIL - AT), 0, 1)
    share = {
        "none": np.full(ROWS, low),
        "sudden": np.where(at >= AT, high, low),
        "gradual": np.where(random.random(ROWS) < ramp, high, low),  # rows of the old and the new concept in turn
        "incremental": low + (high - low) * ramp,
        "recurring": np.where((at >= AT) & (at < UNTIL), high, low),
    }[pattern]
    return (random.random(ROWS) < share).astype(float)


# Rows from the start of the change to the alarm, at most.
DELAYS = {"sudden": 400, "gradual": 1600, "incremental": 1600, "recurring": 400}


@pytest.mark.parametrize("pattern", DELAYS)
@pytest.mark.parametrize("seed", range(5))
def test_each_pattern_is_found_soon_and_not_before(pattern, seed):
    first, *more = detect_changes(stream(pattern, seed))
    assert AT <= first.found <= AT + DELAYS[pattern]
    assert first.after > first.before + 0.05
    if pattern == "sudden":
        assert abs(first.row - AT) <= 150
        assert more == []
    if pattern == "recurring":
        assert UNTIL <= more[-1].found <= UNTIL + 800
        assert more[-1].after < more[-1].before
        assert len(more) == 1


@pytest.mark.parametrize("low", [0.03, 0.1, 0.5])
def test_streams_without_a_change_raise_hardly_any_alarm(low):
    assert sum(len(detect_changes(stream("none", seed, low))) for seed in range(40)) <= 2


def test_days_that_are_alike_raise_no_alarm_when_they_are_known():
    alarms = {True: 0, False: 0}
    for seed in range(10):
        random = np.random.default_rng(seed)
        share, days = np.repeat(random.beta(4, 16, 40), 250), np.arange(ROWS) // 250
        wrong = (random.random(ROWS) < share).astype(float)
        alarms[True] += len(detect_changes(wrong, blocks=days))
        alarms[False] += len(detect_changes(wrong))
    assert alarms[True] == 0
    assert alarms[False] > 10
    changed = detect_changes(np.append(wrong, stream("none", 1, 0.6)), blocks=np.arange(2 * ROWS) // 250)
    assert [abs(one.row - ROWS) <= 1000 for one in changed] == [True]


def test_a_change_between_reference_and_window_is_at_the_first_row():
    before, same = stream("none", 1), stream("none", 2)
    times = pd.Series(pd.date_range("2013-01-01", periods=ROWS, freq="min", tz="UTC"))
    assert detect_changes(same, times, before=before) == []
    (change,) = detect_changes(stream("none", 3, 0.25), times, before=before)
    assert change.row <= 50
    assert change.at == times[change.row]
    assert change.before == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("loss", [np.zeros(0), np.zeros(30), np.ones(500), np.arange(5.0)])
def test_few_and_constant_losses_are_no_change(loss):
    assert detect_changes(loss) == []
    assert detect_changes(loss, before=loss) == []
    assert detect_changes(loss, blocks=np.zeros(len(loss))) == []


def test_harder_rows_are_no_concept_drift_and_another_meaning_is():
    random = np.random.default_rng(0)
    probability = np.append(random.beta(1, 9, 3000), random.beta(5, 5, 3000))  # later rows are harder to tell
    label = (random.random(6000) < probability).astype(int)
    loss = (label - probability) ** 2
    assert len(detect_changes(loss)) >= 1
    assert detect_changes(excess_loss(probability, label)) == []
    other = label.copy()
    other[4500:] = 1 - other[4500:]
    probability[4500:] = random.beta(1, 9, 1500)
    found = detect_changes(excess_loss(probability, other))
    assert [abs(one.row - 4500) < 200 for one in found] == [True]


def test_the_excess_of_many_classes_is_0_if_probabilities_are_right():
    random = np.random.default_rng(0)
    probability = random.dirichlet(np.ones(3), 20_000)
    label = (random.random((20_000, 1)) > probability.cumsum(axis=1)[:, :-1]).sum(axis=1)
    assert excess_loss(probability, label).mean() == pytest.approx(0, abs=0.01)
    assert excess_loss(probability, (label + 1) % 3).mean() > 0.2
