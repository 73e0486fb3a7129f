"""data/schema.yaml is edited by people: what is wrong in it must be named, and what it says must arrive at the checks."""

import numpy as np
import pandas as pd
import pytest
from stagebook.data.conform import convert_column
from stagebook.data.profile import write_profile
from stagebook.data.schema import Column, Table, read_schema, write_schema
from stagebook.data.validate import check_table
from stagebook.project.errors import DataError

HARD = ["plain", "a: b", "größe (€)", 'it\'s "x"', "# no comment", "yes", "12", "- a", "{b}", " blank ", "line\nbreak"]


def table_of(**columns):
    return Table("table", {name: Column(name, **keys) for name, keys in columns.items()})


def test_hard_names_and_all_keys_come_back_as_they_were(tmp_path):
    columns = {name: Column(name, "category", missing_values=["?", "'n/a'"], why=name, unit="°C") for name in HARD}
    columns["n"] = Column("n", "number", role="target", missing=False, min=-1.5, max=3, pii=True, mask="hash")
    table = Table("table", columns, "what: it is", "owner", key=["n", "plain"], retention_days=30)
    write_schema({"table": table}, {"interim/table": {"owner": "x"}}, tmp_path / "schema.yaml", "# For people\n")
    assert read_schema(tmp_path / "schema.yaml") == {"table": table}
    said = (tmp_path / "schema.yaml").read_text(encoding="utf-8")
    assert said.startswith("# yaml-language-server: $schema=../vendor/") and said.splitlines()[1] == "# For people"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tables: {t: {columns: {a: {type: int}}}}", "column 'a': `type` is 'int'; it must be one of integer"),
        (
            "tables: {t: {columns: {a: {type: text, rolle: target}}}}",
            "`rolle` is not known; there is day_first, decimal, description",
        ),
        ("tables: {t: {columns: {a: {type: text, mask: blur}}}}", "`mask` is 'blur'"),
        ("tables: {t: {colums: {}}}", "columns"),
        (
            "tables: {t: {columns: {a: {type: number, min: low}}}}",
            "column 'a': `min` is 'low'; it must be a number, or a date",
        ),
        (
            "tables: {t: {columns: {a: {type: date, max: 9}}}}",
            "column 'a': `max` is 9; for a column of type date it must be a date",
        ),
        (
            "tables: {t: {columns: {a: {type: number, max: 2024-01-31}}}}",
            "for a column of type number it must be a number",
        ),
        (
            "tables: {t: {columns: {a: {type: text, missing: 'no'}}}}",
            "column 'a': `missing` is 'no'; it must be true or false",
        ),
        (
            "tables: {t: {columns: {a: {type: text, unit: 5}}}}",
            "column 'a': `unit` is 5; it must be text. Put it in quotes.",
        ),
        ("tables: {t: {columns: {a: {}}}}", "table 't', column 'a' has no `type`. Write it: integer, number,"),
        (
            "tables: {t: {joins: {o: [b]}, columns: {a: {type: text}}}}",
            "table 't': `joins.o`: 'b' is a key but not a column",
        ),
        (
            "tables: {t: {columns: {a: {type: text}}}}\ndatasets: {'p/*': {unit: x}}",
            "line 2: datasets.p/*: `unit` is not known",
        ),
        ("tables: {t: {key: [b], columns: {a: {type: text}}}}", "'b' is a key but not a column"),
        ("tables: {t: {columns: {12: {type: text}}}}", "column 12: write the name in quotes"),
        ("tables: {t: {columns: {a: {type: text}", "schema.yaml is not YAML: line "),
        ("[]", "schema.yaml, line 1: the file is []; write `key: value` lines below it."),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, words):
    (tmp_path / "schema.yaml").write_text(text)
    with pytest.raises(DataError) as error:
        read_schema(tmp_path / "schema.yaml")
    assert words in str(error.value)
    assert "schema.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("type_", "values", "expected"),
    [
        ("number", ["1,5", "2,25", None, "-"], [1.5, 2.25, None, None]),
        ("integer", ["1.000", "20.000"], [1.0, 20.0]),
        ("boolean", ["ja", "nein", ""], [True, False, None]),
        ("date", ["31.12.2024", "01.02.2024"], [pd.Timestamp(2024, 12, 31), pd.Timestamp(2024, 2, 1)]),
        ("category", [1.0, 2.0, None], ["1", "2", None]),
        ("text", ["a", None], ["a", None]),
        ("number", [True, False], [1.0, 0.0]),
    ],
)
def test_values_get_their_type(type_, values, expected):
    found = convert_column(pd.Series(values), Column("x", type_))
    assert [None if pd.isna(value) else value for value in found] == expected


def test_what_does_not_fit_is_kept_for_the_message():
    table = table_of(x={"type": "integer", "missing_values": ["unknown"]}, day={"type": "date"})
    good = pd.DataFrame({"x": ["1", "unknown", "3"], "day": ["2024-01-01", "2024-01-02", None]})
    assert check_table(good, table, "t.parquet")["x"].tolist()[::2] == [1.0, 3.0]
    for broken, words in (
        ({"x": ["1", "far", "3"]}, "'far' in row 1"),
        ({"day": ["2024-01-01", "soon", ""]}, "'soon'"),
    ):
        with pytest.raises(DataError, match=words):
            check_table(good.assign(**broken), table, "t.parquet")


def test_missing_range_pattern_and_key_are_checked():
    table = table_of(
        x={"type": "number", "missing": False, "min": 0, "max": 9}, y={"type": "text", "pattern": "^[A-Z]$"}
    )
    good = pd.DataFrame({"x": [1.0, 2.0], "y": ["A", None]})
    check_table(good, table, "t")
    for broken in ({"x": [None, 1.0]}, {"x": [-1.0, 1.0]}, {"x": [10.0, 1.0]}, {"y": ["A", "b"]}):
        with pytest.raises(DataError, match=f"column '{next(iter(broken))}'"):
            check_table(good.assign(**broken), table, "t")
    with pytest.raises(DataError, match="uniqueness"):
        check_table(good.assign(y="A"), Table("t", table.columns, key=["y"]), "t")


@pytest.mark.parametrize("limit", ["2024-01-02", "2024-01-02 00:00:00", "'2024-01-02'"])
def test_dates_have_limits_too(tmp_path, limit):
    (tmp_path / "schema.yaml").write_text(
        f"tables:\n  t:\n    columns:\n      day:\n        type: date\n        min: {limit}\n"
    )
    table = read_schema(tmp_path / "schema.yaml")["t"]
    write_schema({"t": table}, {}, tmp_path / "schema.yaml", "")
    assert read_schema(tmp_path / "schema.yaml") == {"t": table}
    check_table(pd.DataFrame({"day": ["2024-01-02", "2024-01-03"]}), table, "t")
    with pytest.raises(DataError, match="column 'day'"):
        check_table(pd.DataFrame({"day": ["2024-01-01", "2024-01-03"]}), table, "t")


def test_profile_has_the_values_and_equal_bytes(tmp_path):
    frame = pd.DataFrame({"20130101": np.arange(50), "größe": ["a", "b"] * 25, "when": pd.Timestamp(2024, 1, 1)})
    for name in ("one", "two"):
        write_profile(frame, tmp_path / name, "My table")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    page = (tmp_path / "one").read_text(encoding="utf-8")
    assert "My table" in page and "20130101" in page and "größe" in page
    write_profile(frame, tmp_path / "part", "Large", max_rows=10)
    assert "10 of 50 rows" in (tmp_path / "part").read_text(encoding="utf-8")
