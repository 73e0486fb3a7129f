"""What a feature view says was known at a time must not depend on what happened after it."""

import numpy as np
import pandas as pd
import pytest
from stagebook.features.store import compute_history

from {{ cookiecutter.package_name }}.features.registry import VIEWS, arrival_time, departure_time

AIRPORTS = pd.DataFrame({"faa": ["LAX", "BOS"], "tzone": ["America/Los_Angeles", "America/New_York"]})
DELAYS = [view for view in VIEWS if view.name in ("carrier_recent", "destination_recent", "airport_recent")]


def some_flights(size=400):
    """A week of flights to places with and without a known time zone; every tenth was cancelled."""
    random = np.random.default_rng(0)
    planned = pd.Timestamp("2013-03-08", tz="UTC") + pd.to_timedelta(random.integers(0, 7 * 24 * 60, size), unit="min")
    delay = np.where(random.random(size) < 0.1, np.nan, random.integers(-10, 120, size))
    dest, hours = random.choice(["LAX", "BOS", "SJU"], size), random.integers(1, 6, size)
    zones = {"LAX": "America/Los_Angeles", "BOS": "America/New_York", "SJU": "America/Puerto_Rico"}
    landed = planned + pd.to_timedelta(np.nan_to_num(delay), unit="min") + pd.to_timedelta(hours, unit="h")
    local = [time.tz_convert(zones[place]) for time, place in zip(landed, dest, strict=True)]
    flights = pd.DataFrame({"time_hour": planned.floor("h").strftime("%Y-%m-%dT%H:%M:%SZ"), "minute": planned.minute})
    flights = flights.assign(dep_delay=delay, arr_delay=delay + 3, dest=dest, landed=landed)
    flights["arr_time"] = [time.hour * 100 + time.minute for time in local]
    return flights.assign(carrier=random.choice(["AA", "UA"], size), origin=random.choice(["JFK", "LGA"], size))


def test_arrival_is_never_too_early_and_exact_where_the_zone_is_known():
    flights = some_flights()
    flew = flights["dep_delay"].notna()
    arrival = arrival_time(flights, AIRPORTS)
    assert arrival.notna().eq(flew).all()
    known = flew & flights["dest"].isin(AIRPORTS["faa"])
    assert (arrival[known] == flights["landed"][known]).all()
    assert (arrival[flew] >= flights["landed"][flew]).all()


@pytest.mark.parametrize("view", DELAYS, ids=lambda view: view.name)
@pytest.mark.parametrize("day", ["2013-03-10", "2013-03-12"])
def test_a_view_does_not_know_the_delay_of_a_flight_that_is_still_to_come(view, day):
    flights, now = some_flights(), pd.Timestamp(day, tz="UTC")
    history = compute_history(view, {"flights": flights, "airports": AIRPORTS})
    later = flights.copy()
    in_the_air = ~(arrival_time(flights, AIRPORTS) <= now)
    at_the_gate = ~(departure_time(flights) <= now)
    later.loc[in_the_air, "arr_delay"] += 500
    later.loc[at_the_gate, "dep_delay"] += 500
    changed = compute_history(view, {"flights": later, "airports": AIRPORTS})
    known = history[history["known_at"] <= now]
    assert len(known) > 10
    pd.testing.assert_frame_equal(
        changed[changed["known_at"] <= now].reset_index(drop=True), known.reset_index(drop=True)
    )
    assert not changed.equals(history)
