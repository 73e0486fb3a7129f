"""Splits by time: an empty split or one that overlaps in time makes every later figure worthless."""

import pandas as pd
import pytest
from stagebook.data.split import SPLITS, check_split, split_by_time, split_rows
from stagebook.project.errors import DataError

YEAR = pd.Series(pd.date_range("2013-01-01", "2013-12-31"))


def test_days_counted_back_are_the_same_as_dates():
    by_date = split_by_time(YEAR, "2013-09-01", "2013-11-01")
    pd.testing.assert_series_equal(split_by_time(YEAR, "-122 days", "-61 days"), by_date)
    assert (by_date == "holdout").sum() == 61


def test_days_counted_back_follow_the_data_as_it_arrives():
    for months in (2, 3, 12):
        split = split_by_time(YEAR[YEAR.dt.month <= months], "-20 days", "-1 day")
        assert split.value_counts()[list(SPLITS)[1:]].tolist() == [19, 1]


def test_order_of_rows_does_not_matter():
    shuffled = YEAR.sample(frac=1, random_state=0)
    split = split_by_time(shuffled, "2013-09-01", "2013-11-01")
    pd.testing.assert_series_equal(split.sort_index(), split_by_time(YEAR, "2013-09-01", "2013-11-01"))


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (("2013-09-01", "2014-01-01"), "No rows in split holdout: they go from 2013-01-01 to 2013-12-31"),
        (("2014-01-01", "2014-01-01"), "No rows in split validation, holdout"),
        (("-30 days", "-60 days"), "No rows in split validation"),
        (("soon", "2013-11-01"), "'soon' is not a day like 2013-09-01"),
        (("-30", "2013-11-01"), "'-30' is not a day"),
        (("2013-09-01", ""), "'' is not a day"),
    ],
)
def test_dates_that_cannot_work_are_named(dates, words):
    with pytest.raises(DataError, match=words):
        split_by_time(YEAR, *dates)


def test_rows_are_split_by_time_by_group_or_evenly():
    label = pd.Series([0, 1] * 10)
    split = split_rows(label, None, None, (0.2, 0.2), 0)
    assert split.groupby(label).value_counts().tolist() == [6, 2, 2] * 2
    by_time = split_rows(label, pd.Series(range(20)), None, (0.2, 0.2), 0)
    assert by_time.tolist() == ["train"] * 12 + ["validation"] * 4 + ["holdout"] * 4
    groups = pd.Series(list("aabbccddeeffgghhiijj"))
    assert split_rows(label, None, groups, (0.2, 0.2), 0).groupby(groups).nunique().max() == 1
    check_split(split, label, ["no", "yes"])
    with pytest.raises(DataError, match=r"'holdout'.*'yes'"):
        check_split(by_time, pd.Series([0, 1] * 8 + [1] * 4), ["no", "yes"])
    with pytest.raises(DataError, match="No rows in the split 'validation'"):
        check_split(split.replace("validation", "train"), label, ["no", "yes"])
    with pytest.raises(DataError, match=r"'train'.* have the target '1987'"):
        check_split(split, pd.Series(1987.0, index=split.index), [])
