"""What happens after the time of a prediction must not change the inputs of the model for that flight.

Two weeks of real flights, with the blizzard of 8 February 2013. Reference data (planes, airports) is known at all times.
"""

import numpy as np
import pandas as pd
import pytest
import yaml
from stagebook.features.store import join_point_in_time

from {{ cookiecutter.package_name }}.datasets import arrivals
from {{ cookiecutter.package_name }}.datasets.clean import KNOWN_AFTERWARDS, attach_label, separate_unlabelled
from {{ cookiecutter.package_name }}.datasets.ingest import find_tables
from {{ cookiecutter.package_name }}.features.build import asked_at, build_features, select_features
from {{ cookiecutter.package_name }}.features.registry import AFTER_MASKING, BEFORE_MASKING

KEY = ["time_hour", "carrier", "flight", "origin"]
DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def raw():
    tables = {name: pd.read_csv(file) for name, file in find_tables().items()}
    for name in ("flights", "weather"):
        table = tables[name]
        tables[name] = table[(table["month"] == 2) & table["day"].between(1, 14)].reset_index(drop=True)
    return tables


@pytest.fixture(scope="module")
def inputs(root):
    """Return a function from raw tables to what the model sees of each flight, as 30_clean and 40_features make it."""
    chosen = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["features"]

    def inputs(raw):
        known = separate_unlabelled(raw["flights"])["labelled"]
        flights = attach_label(known, known["arr_delay"] >= 15)
        flights = flights.assign(date=pd.to_datetime(flights[["year", "month", "day"]]))
        flights = join_point_in_time(flights, "date", BEFORE_MASKING, raw)
        flights = build_features(flights).assign(asked_at=asked_at(flights, chosen["asked_minutes_before"]))
        flights = join_point_in_time(flights, "asked_at", AFTER_MASKING, raw)
        features = select_features(flights, chosen["numeric"], chosen["categorical"])
        return features.set_index([flights["asked_at"], *(flights[name].rename(f"key {name}") for name in KEY)])

    return inputs


def hours(table):
    return pd.to_datetime(table["time_hour"], utc=True)


def change_flights(raw, now, random):
    """Cancel, divert or delay each flight that has not left or landed by `now`; drop some of those of other days."""
    flights = raw["flights"]
    planned = hours(flights) + pd.to_timedelta(flights["minute"], unit="min")
    left = planned + pd.to_timedelta(flights["dep_delay"], unit="min")
    earliest = left + pd.to_timedelta(flights["air_time"], unit="min")  # where the time zone is not known
    landed = arrivals.arrival_time(flights, raw["airports"])[1].fillna(earliest)
    at_the_gate, under_way, fate = ~(left <= now), ~(landed <= now), random.random(len(flights))
    later = pd.Series(random.integers(1, 300, len(flights)), flights.index).astype("float64")
    waited = ((now - planned) / pd.Timedelta(minutes=1)).clip(lower=0)
    added = later.mask(at_the_gate, waited + later - flights["dep_delay"].fillna(0))
    clock = flights["arr_time"] // 100 * 60 + flights["arr_time"] % 100 + added
    changed = flights.assign(
        dep_delay=flights["dep_delay"].mask(at_the_gate, waited + later),
        dep_time=flights["dep_time"].mask(at_the_gate, flights["sched_dep_time"]),
        arr_delay=flights["arr_delay"].mask(under_way, flights["arr_delay"] + added),
        arr_time=flights["arr_time"].mask(under_way, clock % 1440 // 60 * 100 + clock % 60),
    )
    changed.loc[under_way & (fate < 0.2), ["arr_time", "arr_delay", "air_time"]] = np.nan
    changed.loc[at_the_gate & (fate < 0.5), list(KNOWN_AFTERWARDS)] = np.nan
    return changed[~((hours(flights) - DAY > now) & (fate > 0.8))]


def change_weather(weather, now, random):
    """Change each observation whose hour is not over by `now`, and drop some."""
    later = hours(weather) + pd.Timedelta(hours=1) > now
    numbers = [name for name in weather.select_dtypes("number") if name not in ("year", "month", "day", "hour")]
    changed = weather.astype(dict.fromkeys(numbers, "float64"))
    changed.loc[later, numbers] += 50
    return changed[~(later & (random.random(len(weather)) < 0.3))]


@pytest.mark.parametrize("seed", range(10))
def test_what_happens_after_the_question_changes_no_input(raw, inputs, seed):
    random, before = np.random.default_rng(seed), inputs(raw)
    asked = before.index.get_level_values("asked_at")
    start, end = asked.min() + 2 * DAY, asked.max() - 2 * DAY
    now = random.choice(asked[(asked > start) & (asked < end)])  # the time of one flight's question
    flights, weather = change_flights(raw, now, random), change_weather(raw["weather"], now, random)
    after = inputs(raw | {"flights": flights, "weather": weather})
    before = before.loc[before.index.isin(after.index)].sort_index()
    after = after.loc[after.index.isin(before.index)].sort_index()
    asked = before.index.get_level_values("asked_at")
    assert ((asked > now - DAY / 2) & (asked <= now)).sum() > 20
    assert [name for name in before if not after[name][asked <= now].equals(before[name][asked <= now])] == []
    differ = (after[asked > now] != before[asked > now]).sum()
    changed = {"departures", "temp", "carrier_late_7d", "destination_delay_6h", "airport_late_3h"}
    assert changed & set(before) <= set(differ[differ > 9].index), "else this test would change too little"
