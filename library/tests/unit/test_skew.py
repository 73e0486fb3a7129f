"""Value skew: what moved must be told by its family, what did not move must never be."""

import datetime
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stagebook.data.skew.baseline import describe_baseline, take_batch
from stagebook.data.skew.find import find_skew

KINDS = {"temp": "number", "dew": "number", "carrier": "category", "big": "boolean", "note": "text", "when": "date"}
KINDS |= {"late": "boolean"}
NO_LIMITS = {
    "max_missing_rise": 0,
    "max_psi": 0,
    "max_mean_shift": 0,
    "max_share_shift": 0,
    "max_outlier_share": 0,
    "max_new_category_share": 0,
    "max_correlation_change": 0,
}


def make_table(rows, seed=0):
    random = np.random.default_rng(seed)
    temp = random.normal(25, 7, rows)
    return pd.DataFrame(
        {
            "temp": temp,
            "dew": temp + random.normal(0, 4, rows),
            "carrier": random.choice(["UA", "B6", "EV"], rows, p=[0.5, 0.3, 0.2]),
            "big": random.random(rows) < 0.1,
            "note": ["x" * length for length in random.geometric(0.2, rows)],
            "when": pd.Timestamp("2013-01-01") + pd.to_timedelta(np.arange(rows), "h"),
            "late": temp + random.normal(0, 7, rows) > 25,
        }
    ).mask(random.random((rows, 7)) < 0.02)


def find(table, baseline, **limits):
    """Judge by a baseline that was written and read."""
    return find_skew(table, json.loads(json.dumps(baseline, allow_nan=False)), KINDS, **limits)


@pytest.fixture(scope="module")
def baseline():
    return describe_baseline(make_table(3000), KINDS, target="late")


def shuffle(table, column):
    return table[column].sample(frac=1, random_state=0).to_numpy()


DRIFTS = {
    "missing_rise": lambda t: t.assign(temp=t["temp"].where(t.index % 4 > 0)),
    "mean_shift": lambda t: t.assign(temp=t["temp"] + 5),
    "psi": lambda t: t.assign(temp=25 + (t["temp"] - 25) * 2),
    "share_shift": lambda t: t.assign(carrier=t["carrier"].where(t.index % 3 > 0, "EV")),
    "outlier_share": lambda t: t.assign(temp=t["temp"].where(t.index % 20 > 0, 1e9)),
    "new_category_share": lambda t: t.assign(carrier=t["carrier"].where(t.index % 10 > 0, "ZZ")),
    "correlation_change": lambda t: t.assign(dew=shuffle(t, "dew")),
}
FAMILIES = {
    "missing_rise": "basic",
    "outlier_share": "out_of_distribution",
    "new_category_share": "out_of_distribution",
    "correlation_change": "correlation",
}


@pytest.mark.parametrize("statistic", DRIFTS)
def test_drift_is_told_by_its_family_only(baseline, statistic):
    findings = find(DRIFTS[statistic](make_table(3000, seed=1)), baseline)
    family = FAMILIES.get(statistic, "distribution")
    assert {finding["family"] for finding in findings} == {family}
    assert statistic in {finding["statistic"] for finding in findings}
    for finding in findings:
        assert finding["value"] > finding["limit"] and finding["message"].startswith(finding["column"] + ": ")


def test_message_says_what_moved_from_where_to_where(baseline):
    [message] = [
        f["message"] for f in find(make_table(3000).assign(temp=38), baseline) if f["statistic"] == "mean_shift"
    ]
    assert message == "temp: mean 38 against 24.77 in the baseline (1.9 sd; allowed 0.5 sd)"


def test_flipped_label_changes_its_correlations(baseline):
    findings = find(make_table(3000).assign(late=lambda t: t["late"].map({True: False, False: True})), baseline)
    assert "temp, late = True" in {finding["column"] for finding in findings if finding["family"] == "correlation"}


def test_longer_text_is_skew(baseline):
    [finding] = find(make_table(3000).assign(note=lambda t: t["note"] * 3), baseline)
    assert finding["message"].startswith("note: mean length 1")


def test_limit_decides(baseline):
    colder = make_table(3000).assign(temp=lambda t: t["temp"] - 5)
    assert {f["statistic"] for f in find(colder, baseline, max_mean_shift=0.6, max_psi=9)} == {"mean_shift"}
    assert find(colder, baseline, max_mean_shift=0.8, max_psi=9) == []


@pytest.mark.parametrize(("before", "after"), [(30, 30), (300, 30), (300, 300), (20_000, 30), (20_000, 20_000)])
def test_chance_is_no_skew(before, after):
    """Even with every limit at zero: what is left must be beyond sampling noise."""
    for seed in range(2 if before == 20_000 else 10):
        known = describe_baseline(make_table(before, seed), KINDS, target="late", time="when")
        assert find(make_table(after, seed + 100), known, **NO_LIMITS) == []


@pytest.mark.parametrize("rows", [30, 300])
def test_chance_is_no_skew_in_many_awkward_columns(rows):
    random = np.random.default_rng(rows)
    shape = (rows * 2, 30)
    columns = {
        "normal": random.normal(size=shape),
        "wild": random.standard_t(2, shape),
        "skewed": random.lognormal(0, 2, shape),
        "rare": random.random(shape) < 0.03,
        "mostly zero": np.where(random.random(shape) < 0.05, random.random(shape), 0),
        "few values": random.poisson(1, shape),
        "many classes": random.zipf(1.5, shape),
    }
    table = pd.concat([pd.DataFrame(values).add_prefix(f"{name} ") for name, values in columns.items()], axis=1)
    kinds = {name: "category" if name.startswith("many") else "number" for name in table}
    known = describe_baseline(table[:rows], kinds, target="normal 0")
    assert find_skew(table[rows:], known, kinds) == []


@given(st.integers(1, 60), st.integers(0, 9))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_rows_give_none(rows, seed):
    table = make_table(rows, seed)
    assert find(table, describe_baseline(table, KINDS, target="late", time="when"), **NO_LIMITS) == []


ODD = [1, -1, 0.5, float("nan"), float("inf"), 1.7e308, -1.7e308, 2**70, None, "x", "", True, datetime.date(2013, 1, 1)]


@given(
    st.sampled_from(["number", "category", "text", "boolean"]),
    st.lists(st.sampled_from(ODD), min_size=1, max_size=12),
    st.lists(st.sampled_from(ODD), max_size=12),
)
@settings(max_examples=50, deadline=None)
def test_odd_values_break_nothing(kind, before, after):
    kinds = {"größe 'x', {0}": kind, "y": "category"}
    old, new = (pd.DataFrame({name: pd.Series(values, dtype=object) for name in kinds}) for values in (before, after))
    known = json.loads(json.dumps(describe_baseline(old, kinds, target="y"), allow_nan=False))
    assert find_skew(old, known, kinds) == []
    assert isinstance(find_skew(new, known, kinds, **NO_LIMITS), list)


def test_constant_and_empty_columns():
    kinds = {"constant": "number", "empty": "number", "nothing": "category", "never": "date"}
    table = pd.DataFrame({"constant": 123456789, "empty": np.nan, "nothing": None, "never": pd.NaT}, index=range(300))
    known = describe_baseline(table, kinds)
    assert find_skew(table, known, kinds, **NO_LIMITS) == []
    filled = table.assign(constant=123456790, empty=1.0, nothing="a")
    assert {f["statistic"] for f in find_skew(filled, known, kinds)} == {"outlier_share", "psi"}


def test_numbers_that_are_not_finite_are_missing(baseline):
    findings = find(make_table(3000).assign(temp=np.inf), baseline)
    assert [finding["statistic"] for finding in findings] == ["missing_rise"]


def test_whole_numbers_are_the_same_class_with_and_without_missing_ones():
    known = describe_baseline(pd.DataFrame({"code": [1, 2, 3] * 100}), {"code": "category"})
    table = pd.DataFrame({"code": [1.0, 2.0, 3.0, np.nan] * 100})
    assert [finding["statistic"] for finding in find_skew(table, known, {"code": "category"})] == ["missing_rise"]


def test_same_table_same_baseline(baseline):
    assert json.dumps(describe_baseline(make_table(3000), KINDS, target="late")) == json.dumps(baseline)


def test_columns_of_another_kind_or_table_are_left_to_the_schema(baseline):
    table = make_table(300).drop(columns="dew").assign(new=1)
    assert find_skew(table, baseline, KINDS | {"temp": "category", "new": "number"}) == []


def test_what_counts_with_time_is_no_skew():
    table = make_table(2000).assign(when=pd.date_range("2013-01-01", periods=2000, freq="h"), id=range(2000))
    kinds = KINDS | {"id": "number"}
    known = describe_baseline(table[:1000], kinds, time="when")
    assert known["columns"]["id"]["follows"] == "when"
    assert find_skew(table[1000:], known, kinds) == []


@pytest.mark.parametrize("name", ["text", "utc", "local", "number", "date"])
def test_batch_is_what_came_after_the_baseline(name):
    days = pd.Series(pd.date_range("2013-01-01", periods=20))
    times = {"text": days.astype(str), "utc": days.dt.tz_localize("UTC"), "local": days}
    times |= {"number": pd.Series(range(20)), "date": days.dt.date}
    table = pd.DataFrame({"when": times[name]})
    known = json.loads(json.dumps(describe_baseline(table[:15], {}, time="when")))
    assert take_batch(table, known, "when").index.tolist() == [15, 16, 17, 18, 19]
    assert len(take_batch(table[:15], known, "when")) == len(take_batch(table[:15], known)) == 15
