"""Numbers, dates and truth values in text: a wrong reading is worse than none."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stagebook.data.parsing.dates import is_order_unknown, parse_dates
from stagebook.data.parsing.numbers import (
    drop_placeholders,
    find_mark,
    find_suffixes,
    looks_like_code,
    parse_booleans,
    parse_numbers,
)

X = None  # does not fit
unhurried = settings(deadline=None, max_examples=50)


def column(*values):
    return pd.Series(values, dtype="str", index=range(10, 10 + len(values)), name="c")


def plain(parsed):
    assert list(parsed.index) == list(range(10, 10 + len(parsed)))
    assert parsed.name == "c"
    return [X if pd.isna(value) else value for value in parsed]


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1.5", " 2 ", "-3", "+4", "1e3", ".5", "5.", "00123"], [1.5, 2, -3, 4, 1000, 0.5, 5, 123]),
        (["1.234,5", "1.000", "12"], [1234.5, 1000, 12]),
        (["1,234.5", "1,000", "12"], [1234.5, 1000, 12]),
        (["1 234", "2\u00a0345,6", "1'000"], [1234, 2345.6, 1000]),
        (["12 %", "3%"], [12, 3]),
        (["€ 3", "4,50 €", "-€5", "1.000 EUR"], [3, 4.5, -5, X]),
        (["$1,234", "(5)", "\u22126"], [1234, -5, -6]),
        (["1,234"], [1234]),
        (["1.234"], [1.234]),
        (["0,123"], [0.123]),
        (["3 EUR", "4 USD", "5 EUR", "6"], [3, X, 5, 6]),
        (["1,5", "2,5", "1.5"], [1.5, 2.5, X]),
        (["1,23,4", "12a", "0x1F", "1_000", "inf", "nan", "1e999", "5 kg", "--1", "1 2", "€", "%", "10.0.0.1"], [X] * 13),
        ([None, None], [X, X]),
    ],
)  # fmt: skip
def test_numbers(texts, numbers):
    assert plain(parse_numbers(column(*texts))) == numbers


@unhurried
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12), min_size=1))
def test_what_python_writes_is_read_as_it_was(numbers):
    assert parse_numbers(pd.Series([repr(number) for number in numbers], dtype="str")).tolist() == numbers


@unhurried
@given(st.lists(st.integers(-(10**14), 10**14).map(lambda cents: cents / 100), min_size=1))
def test_marks_of_thousands_are_told_apart_by_the_column(numbers):
    english = [f"{number:,.2f}" for number in numbers]
    european = [text.translate(str.maketrans(",.", ".,")) for text in english]
    for texts in (english, european):
        np.testing.assert_allclose(parse_numbers(pd.Series(texts, dtype="str")), numbers, rtol=1e-15)


@pytest.mark.parametrize(
    ("texts", "truths"),
    [
        (["true", "FALSE", "t", " f "], [True, False, True, False]),
        (["Yes", "no", "y", "N"], [True, False, True, False]),
        (["ja", "Nein"], [True, False]),
        (["oui", "non"], [True, False]),
        (["0", "1", None], [False, True, X]),
        (["t", "f", "n"], [True, False, X]),
        (["0", "1", "2"], [False, True, X]),
        (["yes", "no", "perhaps"], [True, False, X]),
        (["1.0", "maybe"], [X, X]),
    ],
)
def test_booleans(texts, truths):
    assert plain(parse_booleans(column(*texts))) == truths


NOON = "2024-02-01T12:30"


@pytest.mark.parametrize(
    ("texts", "dates"),
    [
        (["2024-02-01", "2024-2-1 12:30", "2024/02/01"], ["2024-02-01", NOON, "2024-02-01"]),
        (["2024-02-01T12:30:00Z", "2024-02-01T14:30+02:00", "2024-02-01 07:30:00.000-0500"], [NOON] * 3),
        (["31.12.2024", "1.2.2024 12:30"], ["2024-12-31", NOON]),
        (["12/31/2024", "2/1/2024 12:30 PM", "2/1/2024 12:00 am"], ["2024-12-31", NOON, "2024-02-01"]),
        (["31/12/2024", "1/2/2024"], ["2024-12-31", "2024-02-01"]),
        (["2/1/2024"], ["2024-02-01"]),
        (["1.2.2024", "1-2-2024"], ["2024-02-01"] * 2),
        (["31/12/68", "01/02/69"], ["2068-12-31", "1969-02-01"]),
        (["1 Feb 2024", "February 1st, 2024", "Thu, 01 Feb 2024 12:30:00 GMT", "01-FEB-24"], ["2024-02-01", "2024-02-01", NOON, "2024-02-01"]),
        (["2024-02", "02/2024", "Feb 2024", "20240201"], ["2024-02-01"] * 4),
        (["9999-12-31", "0001-01-01"], ["9999-12-31", "0001-01-01"]),
        (["2024-02-30", "2023-02-29", "2024-13-01", "0000-00-00", "2024-02-01 25:00", "2/1/2024 13:00 PM"], [X] * 6),
        (["12345", "1.1", "1/2", "2024", "1.2.3", "1700000000", "99999999", "12:30", "10.0.0.1", "555-12-2024"], [X] * 10),
        (["may", "march", "monday", "1 may", "v2024-01", "A-2024-01-01"], [X] * 6),
    ],
)  # fmt: skip
def test_dates(texts, dates):
    assert plain(parse_dates(column(*texts))) == [pd.Timestamp(date) if date else X for date in dates]


@unhurried
@given(st.lists(st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)), min_size=1))
def test_dates_are_read_as_they_were(times):
    times = [time.replace(microsecond=0) for time in times]
    for shape in ("%Y-%m-%dT%H:%M:%S", "%d %b %Y %H:%M:%S", "%B %d, %Y %I:%M:%S %p", "%d.%m.%Y %H:%M:%S"):
        one_past_12 = [datetime.datetime(2000, 1, 31), *times]
        texts = pd.Series([time.strftime(shape) for time in one_past_12], dtype="str")
        assert parse_dates(texts).tolist() == one_past_12


def test_placeholders_are_no_values():
    assert plain(drop_placeholders(column(" a ", "-", "None", "?", " NA ", None, "0"))) == ["a", X, X, X, X, X, "0"]


@pytest.mark.parametrize(
    ("texts", "code"),
    [(["00123", "5"], True), (["4111111111111111"], True), (["0", "0.5", "10", "-1"], False), (["a01"], False)],
)
def test_codes_are_told_from_amounts(texts, code):
    assert looks_like_code(column(*texts)) is code


@pytest.mark.parametrize(
    ("texts", "suffixes", "numbers"),
    [
        (["12 kg", "3.5kg", "1,200 kg", "7"], ["kg"], [12, 3.5, 1200, 7]),
        (["12k", "1.5M", "800", "-3k"], ["M", "k"], [12_000, 1_500_000, 800, -3000]),
        (["€110.5M", "€565K", "€0"], ["K", "M"], [110_500_000, 565_000, 0]),
        (["3 days", "1 day", "2 days"], ["day"], [3, 1, 2]),
        (["21 °C", "-3,5 °C"], ["°C"], [21, -3.5]),
        (["80 km/h", "100 km/h"], ["km/h"], [80, 100]),
        (["12 kg", "500 g"], [], [X, X]),
        (["12A", "12B", "13C"], [], [X, X, X]),
        (["0123A", "4567A"], [], [X, X]),
        (["5", "6", "7 kg"], [], [5, 6, X]),
    ],
)
def test_units_behind_numbers(texts, suffixes, numbers):
    assert find_suffixes(column(*texts)) == suffixes
    assert plain(parse_numbers(column(*texts), suffixes=suffixes)) == numbers


def test_a_unit_that_is_not_that_of_the_column_does_not_fit():
    assert plain(parse_numbers(column("5 lb", "6 kg", "7"), suffixes=["kg"])) == [X, 6, 7]


def test_a_minus_may_stand_behind():
    assert plain(parse_numbers(column("1234-", "1.5-", "-3-", "5"))) == [-1234, -1.5, X, 5]


@pytest.mark.parametrize(
    ("texts", "mark", "by_comma"),
    [
        (["302.465", "26.986"], "?", [302465, 26986]),
        (["302,465", "26,986"], "?", [302.465, 26.986]),
        (["302.465", "26.98"], ".", [302465, X]),
        (["2,5", "302.465"], ",", [2.5, 302465]),
        (["1.234.567", "26.986"], ",", [1234567, 26986]),
        (["0.123"], ".", [X]),
        (["12", "13"], "", [12, 13]),
    ],
)
def test_decimal_mark(texts, mark, by_comma):
    assert find_mark(column(*texts)) == mark
    assert plain(parse_numbers(column(*texts), ",")) == by_comma


@pytest.mark.parametrize(
    ("texts", "dates"),
    [
        (["2020Q3", "2020-Q1", "q4 2021"], ["2020-07-01", "2020-01-01", "2021-10-01"]),
        (["2020-W01", "2021W01", "2026-W53"], ["2019-12-30", "2021-01-04", "2026-12-28"]),
        (["2020Q5", "2020-W54", "Q3"], [X] * 3),
    ],
)
def test_quarters_and_weeks(texts, dates):
    assert plain(parse_dates(column(*texts))) == [pd.Timestamp(date) if date else X for date in dates]


def test_order_of_day_and_month_can_be_told():
    texts = column("03/04/2024", "05/06/2024")
    assert is_order_unknown(texts)
    assert not is_order_unknown(column("03/04/2024", "13/06/2024"))
    assert not is_order_unknown(column("2024-03-04", "05/05/2024"))
    assert plain(parse_dates(texts, day_first=True))[0] == pd.Timestamp("2024-04-03")
    assert plain(parse_dates(texts, day_first=False))[0] == pd.Timestamp("2024-03-04")
