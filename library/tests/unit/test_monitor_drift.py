"""Data drift: what moved is found, what did not is not, from 30 rows to a million."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from stagebook.data.skew.moves import stability_index
from stagebook.monitor.drift import adjust_holm, measure_drift, moved_features
from stagebook.monitor.effect import day_blocks, design_effects
from stagebook.monitor.multivariate import auc_interval, compare_domains

KINDS = {"temp": "number", "seats": "number", "carrier": "category"}


def make_table(rows, seed=0, *, shift=0.0, days=None, wild=1.0):
    """Temperature, seats (few values) and carrier; with `days`, the temperature of a day is alike."""
    random = np.random.default_rng(seed)
    day = np.zeros(rows) if days is None else random.normal(0, 9, days)[np.arange(rows) * days // rows]
    table = {
        "temp": (random.normal(20 + shift, 2, rows) + day) * wild,
        "seats": random.choice([50.0, 150.0, 300.0], rows),
        "carrier": random.choice(["UA", "B6", "EV"], rows, p=[0.5, 0.3, 0.2]),
    }
    return pd.DataFrame(table)


def drift(rows, *references, **settings):
    return measure_drift(rows, {str(at): one for at, one in enumerate(references)}, KINDS, **settings)


@pytest.mark.parametrize("rows", [30, 300, 30_000, 1_000_000])
def test_no_shift_is_not_found(rows):
    before, found = make_table(max(rows, 1000), seed=1), []
    for seed in range(2 if rows > 10_000 else 20):
        found += moved_features(drift(make_table(rows, seed=seed + 2), before))
    assert found == []


@pytest.mark.parametrize(("rows", "shift"), [(30, 3), (300, 1), (30_000, 1), (1_000_000, 1)])
def test_a_shift_of_a_number_is_found(rows, shift):
    table = drift(make_table(rows, shift=shift), make_table(max(rows, 1000), seed=1))
    assert moved_features(table) == ["temp"]
    assert table.set_index("feature")["distance"]["temp"] == pytest.approx(shift / 2, rel=0.2)


def test_a_shift_too_small_to_matter_is_no_drift_in_many_rows():
    table = drift(make_table(30_000, shift=0.1), make_table(30_000, seed=1)).set_index("feature")
    assert table["p_adjusted"]["temp"] < 0.01
    assert not table["moved"]["temp"]


@pytest.mark.parametrize("column", ["seats", "carrier"])
def test_a_shift_of_classes_is_found(column):
    rows = make_table(1000)
    rows.loc[:399, column] = rows[column].mode()[0]
    table = drift(rows, make_table(2000, seed=1)).set_index("feature")
    assert moved_features(table.reset_index()) == [column]
    assert table["test"][column] == "chi-square"


def test_new_categories_are_named_and_counted():
    rows = make_table(1000)
    rows.loc[:49, "carrier"] = "ZZ"
    line = drift(rows, make_table(2000, seed=1)).set_index("feature").loc["carrier"]
    assert (line["new_share"], line["new_names"], line["moved"]) == (0.05, ["ZZ"], True)


def test_a_category_of_the_reference_that_is_not_in_its_sample_is_not_new():
    before = make_table(50_000, seed=1)
    before.loc[0, "carrier"] = "ZZ"
    rows = make_table(1000)
    rows.loc[:9, "carrier"] = "ZZ"
    assert drift(rows, before, most_rows=1000).set_index("feature")["new_share"]["carrier"] == 0


@pytest.mark.parametrize("column", ["temp", "carrier"])
@pytest.mark.parametrize("gone", [0.1, 1.0])
def test_missing_values_that_come_and_go_are_drift(column, gone):
    whole, holes = make_table(1000), make_table(1000, seed=1)
    holes.loc[: int(1000 * gone) - 1, column] = np.nan if column == "temp" else ""
    for rows, before in ((holes, whole), (whole, holes)):
        table = drift(rows, before)
        line = table.set_index("feature").loc[column]
        assert moved_features(table) == [column]
        assert abs(line["missing"] - line["missing_before"]) == pytest.approx(gone)
        assert line["test"] == "missing"


def test_constant_and_all_missing_features_are_no_drift():
    rows, before = make_table(200), make_table(500, seed=1)
    for table in (rows, before):
        table["temp"], table["seats"], table["carrier"] = np.nan, 7.0, "UA"
    table = drift(rows, before)
    assert len(table) == 3
    assert moved_features(table) == []
    assert (table["psi"] == 0).all()
    assert moved_features(drift(rows.assign(seats=8.0), before)) == ["seats"]


def test_infinite_and_wild_values_are_no_error():
    rows = make_table(1000)
    rows.loc[:2, "temp"] = [np.inf, -np.inf, 1e300]
    line = drift(rows, make_table(1000, seed=1)).set_index("feature").loc["temp"]
    assert line["missing"] == pytest.approx(0.002)
    assert line["distance"] < 0.2
    assert not line["moved"]


def test_an_empty_window_or_reference_compares_nothing():
    assert drift(make_table(0), make_table(10)).empty
    assert drift(make_table(10), make_table(0)).empty
    assert moved_features(drift(make_table(0), make_table(10))) == []


def test_what_one_reference_explains_is_no_drift():
    rows, summer, winter = make_table(1000), make_table(1000, seed=1), make_table(1000, seed=2, shift=-8)
    assert moved_features(drift(rows, winter)) == ["temp"]
    assert moved_features(drift(rows, winter, summer)) == []


def test_of_many_features_none_moves_by_chance_and_the_one_that_did_is_found():
    random = np.random.default_rng(0)
    before, rows = (pd.DataFrame(random.normal(size=(400, 300))).add_prefix("f") for _ in range(2))
    kinds = dict.fromkeys(rows, "number")
    table = measure_drift(rows, {"x": before}, kinds)
    assert (table["p"] < 0.01).any()  # without the correction it would be found
    assert moved_features(table) == []
    assert moved_features(measure_drift(rows.assign(f7=rows["f7"] + 1), {"x": before}, kinds)) == ["f7"]


def test_holm_is_that_of_the_definition():
    assert adjust_holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_days_that_are_alike_do_not_move_by_chance():
    false, missed = {True: 0, False: 0}, 0
    for seed in range(20):
        rows, before = make_table(3000, seed=seed, days=30), make_table(30_000, seed=100 + seed, days=300)
        days = (np.arange(3000) // 100, np.arange(30_000) // 100)
        for known in (True, False):
            how = {"blocks": days[0], "reference_blocks": {"0": days[1]}} if known else {}
            false[known] += "temp" in moved_features(drift(rows, before, **how))
        moved = drift(rows.assign(temp=rows["temp"] + 20), before, blocks=days[0], reference_blocks={"0": days[1]})
        missed += "temp" not in moved_features(moved)
    assert false[True] <= 1
    assert false[False] >= 10  # so much for rows that are taken as independent
    assert missed == 0


@pytest.mark.parametrize("days", [1, 3])
def test_a_window_of_few_days_counts_as_few_rows(days):
    rows, before = make_table(100 * days, seed=5, days=days), make_table(30_000, seed=6, days=300)
    blocks = (np.arange(100 * days) // 100, np.arange(30_000) // 100)
    table = drift(rows, before, blocks=blocks[0], reference_blocks={"0": blocks[1]})
    assert moved_features(table) == []


def test_the_design_effect_is_the_number_of_rows_if_a_day_is_one_value():
    codes = np.repeat(np.random.default_rng(0).integers(0, 2, 200), 50)
    effects = design_effects([codes, codes], (np.arange(10_000) // 50, np.arange(10_000)), 2)
    assert effects[0] == pytest.approx(50, rel=0.05)
    assert effects[1] == 1.0


def test_days_of_unknown_times_are_none():
    assert day_blocks(pd.Series([pd.Timestamp("2013-01-01", tz="UTC"), pd.NaT])) is None
    times = pd.Series(pd.to_datetime(["2013-01-01 01:00", "2013-01-01 23:00", "2013-01-02 00:00"], utc=True))
    assert len(set(day_blocks(times))) == 2


@pytest.mark.parametrize("rows", [300, 3000])
@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
def test_figures_agree_with_scipy(rows, shift):
    one, other = make_table(rows, shift=shift), make_table(rows, seed=1)
    one["carrier"] = one["carrier"].where(np.arange(rows) > shift * rows / 4, "EV")
    table = drift(one, other).set_index("feature")
    expected = {
        "temp": stats.ks_2samp(one["temp"], other["temp"]).pvalue,
        "carrier": stats.chi2_contingency(
            pd.crosstab(np.repeat([0, 1], rows), [*one["carrier"], *other["carrier"]]), correction=False
        ).pvalue,
    }
    assert table["p"]["temp"] == pytest.approx(expected["temp"], rel=0.5, abs=1e-12)
    assert table["p"]["carrier"] == pytest.approx(min(1, 2 * expected["carrier"]), rel=0.01, abs=1e-12)
    clipped = stats.wasserstein_distance(one["temp"], other["temp"]) / other["temp"].std(ddof=0)
    assert table["distance"]["temp"] == pytest.approx(clipped, rel=0.05, abs=0.01)


def test_psi_is_that_of_the_definition_and_0_for_equal_shares():
    assert stability_index(np.array([500, 500]), np.array([50, 50])) == pytest.approx(0, abs=1e-12)
    share, now = np.array([0.5, 0.5]), np.array([0.8, 0.2])
    assert stability_index(share * 1e6, now * 1e6) == pytest.approx(
        ((now - share) * np.log(now / share)).sum(), rel=1e-4
    )


def test_the_domain_classifier_finds_what_no_single_feature_shows():
    random = np.random.default_rng(0)
    one = pd.DataFrame(random.multivariate_normal([0, 0, 0], np.eye(3), 2000), columns=list("abc"))
    other = pd.DataFrame(
        random.multivariate_normal([0, 0, 0], [[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]], 2000), columns=list("abc")
    )
    kinds = dict.fromkeys("abc", "number")
    assert moved_features(measure_drift(one, {"x": other}, kinds)) == []
    found = compare_domains(one, other, kinds)
    assert found["low"] > 0.6
    assert set(found["features"][:2]) == {"a", "b"}


def test_the_domain_classifier_raises_no_false_alarm():
    lows = [compare_domains(make_table(300, seed), make_table(900, 50 + seed), KINDS)["low"] for seed in range(20)]
    assert sum(low > 0.5 for low in lows) <= 1


def test_the_domain_classifier_needs_rows_and_days():
    assert compare_domains(make_table(29), make_table(500), KINDS) is None
    rows, before = make_table(2000, days=20), make_table(2000, seed=1, days=20)
    days = np.arange(2000) // 100
    assert compare_domains(rows, before, KINDS, blocks=(days, days // 5)) is None
    assert compare_domains(rows, before, KINDS)["low"] > 0.6  # single days are told apart
    assert compare_domains(rows, before, KINDS, blocks=(days, days))["low"] < 0.5


def test_delong_is_the_auc_with_an_interval_that_covers():
    covered = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        label = random.integers(0, 2, 150)
        _, low, high = auc_interval(label, random.normal(label, 1), 0.95)
        covered += low <= stats.norm.cdf(1 / 2**0.5) <= high
    assert 180 <= covered <= 199
