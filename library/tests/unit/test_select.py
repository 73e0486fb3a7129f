"""Rows and columns that do not go on are counted and explained."""

import pandas as pd
from stagebook.data.schema import Column, Table
from stagebook.data.select import drop_columns, drop_rows


def test_what_is_dropped_is_counted_and_explained():
    columns = {
        "id": {"role": "identifier"},
        "y": {"role": "target"},
        "x": {},
        "mail": {"pii": True},
        "z": {"role": "ignored"},
    }
    table = Table("table", {name: Column(name, "category", **keys) for name, keys in columns.items()})
    four = pd.DataFrame({"id": list("aabc"), "y": ["n", "n", None, "y"], "x": list("ppqr"), "mail": "a@b", "z": "1"})
    rows, counts = drop_rows(four, table)
    assert rows["id"].tolist() == ["a", "c"] and counts == {"without target": 1, "there twice": 1}
    kept, gone = drop_columns(rows, table)
    assert list(kept) == ["id", "y", "x"] and gone["mail"] == "personal data, masked: drop"
