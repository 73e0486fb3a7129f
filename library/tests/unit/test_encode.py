"""Any column becomes float32 or text, and dates become parts; what cannot be is refused by name."""

import pandas as pd
import pytest
from stagebook.features.encode import choose_columns, drop_features, find_constant_parts, select_columns, to_features
from stagebook.project.errors import DataError

WHEN = pd.to_datetime(pd.Series(["2024-02-29 13:00", None]))
TWO = pd.DataFrame({"n ü": [1, None], "yes": [True, None], "t": ["A b", None], "long": ["The RED one!", "x y z"]})


def test_numbers_texts_and_dates():
    built = to_features(TWO.assign(yes=TWO["yes"].astype("boolean"), when=WHEN), ["long"], ["when"])
    assert built["t"].tolist() == ["A b", ""] and built["long"].tolist() == ["the red one", "x y z"]
    assert built.filter(like="when").iloc[0].tolist() == [2.0, 3.0, 29.0, 13.0, 19782.541015625]
    assert built["n ü"].dtype == built["yes"].dtype == "float32"


def test_the_time_of_a_row_gives_its_parts_only():
    table = TWO.assign(id=["a", "b"], y=[0, 1], when=WHEN, born=WHEN, __split__="train")
    columns, since = choose_columns(table, "y", ["id", "when"])
    assert (columns, since) == (["n ü", "yes", "t", "long", "when", "born"], ["born"])
    names = list(to_features(table[columns], ["long"], since))
    assert names == [
        *("n ü", "yes", "t", "long"),
        *(f"{date} ({part})" for date in ("when", "born") for part in ("month", "weekday", "day", "hour")),
        "born (days)",
    ]


def test_nothing_left_and_an_unknown_feature_are_refused():
    with pytest.raises(DataError, match="No feature is left"):
        choose_columns(pd.DataFrame({"id": ["a"], "y": [1]}), "y", ["id"])
    with pytest.raises(DataError, match=r"there is no \['z'\]; there is \['a'\]"):
        drop_features(pd.DataFrame({"a": [1.0]}), ["z"])
    assert list(drop_features(pd.DataFrame({"a": [1.0], "b": [2.0]}), ["a"])) == ["b"]


def test_chosen_columns_are_numbers_and_texts_or_refused_by_name():
    table = pd.DataFrame({"age": [1, None], "origin": ["JFK", None], "engine": ["", "jet"]})
    chosen = select_columns(table, ["age"], ["origin", "engine"])
    assert chosen["origin"].tolist() == ["JFK", "unknown"] and chosen["age"].dtype == "float32"
    assert chosen["engine"].tolist() == ["unknown", "jet"], "the feature store has an empty text for a missing one"
    with pytest.raises(DataError, match="there is no wings; there is age, origin"):
        select_columns(table, ["wings"], [])
    with pytest.raises(DataError, match="Feature 'origin': 'JFK' is not a number; make it `categorical`"):
        select_columns(table, ["origin"], [])


@pytest.mark.parametrize(
    ("dates", "constant"),
    [
        (pd.date_range("2024-01-01", periods=400), ["hour"]),
        (pd.date_range("2012-01-01", periods=40, freq="MS"), ["day", "hour"]),
        (pd.date_range("2012-01-01", periods=9, freq="YS"), ["month", "day", "hour"]),
        (pd.date_range("2024-01-01", periods=50, freq="W"), ["weekday", "hour"]),
        (pd.date_range("2024-01-01", periods=2000, freq="h"), []),
        ([pd.Timestamp("2024-01-01"), pd.NaT], ["weekday", "day", "hour", "days"]),
    ],
)
def test_parts_of_dates_that_never_change_are_found(dates, constant):
    frame = pd.DataFrame({"when": dates, "x (hour)": 1.0})
    found = find_constant_parts(frame, to_features(frame, [], ["when"]))
    assert found == [f"when ({part})" for part in constant]
