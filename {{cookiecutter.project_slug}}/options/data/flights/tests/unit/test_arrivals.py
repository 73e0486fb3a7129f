"""The checks of the label across midnight and time zones."""

import pandas as pd
import pytest
from stagebook.project.errors import DataError

from {{ cookiecutter.package_name }}.datasets.arrivals import (
    arrival_time,
    check_doubts,
    find_doubtful_labels,
    minutes_after_plan,
)

AIRPORTS = pd.DataFrame(
    {"faa": ["LAX", "PHX", "BOS"], "tzone": [f"America/{zone}" for zone in ("Los_Angeles", "Phoenix", "New_York")]}
)
FLIGHT = {"time_hour": "2013-01-01T23:00:00Z", "minute": 5, "dest": "LAX", "dep_time": 1815.0, "dep_delay": 10.0}
FLIGHT |= {"sched_arr_time": 2130, "arr_time": 2145.0, "arr_delay": 15.0, "air_time": 360.0}  # fmt: skip


def flights(*changes):
    return pd.DataFrame([FLIGHT | change for change in changes])


def test_arrival_after_midnight_is_late_not_early():
    late = flights(
        {}, {"sched_arr_time": 2350, "arr_time": 20.0}, {"sched_arr_time": 10, "arr_time": 2355.0}, {"arr_time": None}
    )
    assert minutes_after_plan(late).tolist()[:3] == [15, 30, -15]
    assert minutes_after_plan(late).isna().tolist() == [False, False, False, True]


def test_time_zone_of_the_destination_is_considered():
    summer = {"time_hour": "2013-07-01T22:00:00Z", "dest": "PHX"}  # 18:00 in New York, 15:00 in Phoenix
    planned, arrived = arrival_time(flights({}, summer | {"arr_time": 2015.0}, {"dest": "SJU"}), AIRPORTS)
    assert planned[0] == pd.Timestamp("2013-01-01 23:05", tz="UTC")
    assert arrived[0] == pd.Timestamp("2013-01-02 05:45", tz="UTC"), "21:45 in Los Angeles"
    assert arrived[1] == pd.Timestamp("2013-07-02 03:15", tz="UTC"), "20:15 in Phoenix"
    assert pd.isna(arrived[2])


def test_labels_that_do_not_fit_are_found_and_stop_the_step():
    doubts = find_doubtful_labels(
        flights({}, {"arr_delay": 15.0 + 1440}, {"arr_delay": 25.0}, {"air_time": 500.0}, {"dest": "SJU"}), AIRPORTS
    )
    assert doubts["clock"].tolist() == [False, False, True, False, False]
    assert doubts["air_time"].tolist()[:4] == [False, False, False, True]
    assert doubts["air_time"].isna().sum() == 1
    assert check_doubts(doubts, 0.25)["clock"]["doubtful"] == 1
    with pytest.raises(DataError, match=r"1 of 5 labels are doubtful: arr_delay is more than 5 .* \(first in row 2\)"):
        check_doubts(doubts, 0.1)
