"""What the cleaning report says of columns."""

import pandas as pd
from stagebook.data.wrangling import describe_columns, describe_dropped_columns


def test_missing_values_and_outliers_are_counted():
    columns = describe_columns(
        pd.DataFrame({"x": [1.0, 2.0, 3.0, 100.0, None], "same": 1, "text": ["a", None, "b", "c", "d"]})
    )
    assert columns["missing"].tolist() == [0.2, 0.0, 0.2]
    assert columns["outliers"].tolist()[:1] == [0], "fences are far: the upper quartile is pulled along"
    assert columns["outliers"].isna().tolist() == [False, True, True]


def test_far_value_is_an_outlier():
    columns = describe_columns(pd.DataFrame({"x": [*range(100), 1000, -1000]}))
    assert columns.loc["x", "outliers"] == 2
    assert -1000 < columns.loc["x", "low"] < 0
    assert 99 < columns.loc["x", "high"] < 1000


def test_columns_left_out_have_a_reason():
    tables = {"flights": pd.DataFrame(columns=["x", "owner", "end"]), "planes": pd.DataFrame(columns=["x", "paint"])}
    dropped = describe_dropped_columns(tables, ["x"], {"personal": ["owner"], "late": ["end"]}, otherwise="not needed")
    assert dropped == {"personal": ["flights.owner"], "late": ["flights.end"], "not needed": ["planes.paint"]}
