"""Personal data must not go further than the schema allows, and must not be lost where it is allowed."""

from dataclasses import replace

import pandas as pd
import pytest
from stagebook.data.infer import infer_table, write_first_schema
from stagebook.data.privacy import drop_expired, hide_personal, mask_columns
from stagebook.data.profile import write_profiles
from stagebook.data.schema import Column, read_schema
from stagebook.data.validate import check_table, compare_with_baseline
from stagebook.project.errors import DataError

KEY = "not a secret, but long enough"


def columns(**rules):
    """Columns of the schema: by name, what it says beside the type."""
    return {name: Column(name, "text", **rule) for name, rule in rules.items()}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("PII_KEY", KEY)


def test_personal_data_is_dropped_unless_the_schema_says_otherwise():
    frame = pd.DataFrame({"mail": ["a@b.c", None], "x": [1, 2]})
    masked, done = mask_columns(frame, columns(mail={"pii": True}, x={}, absent={"pii": True}))
    assert list(masked.columns) == ["x"]
    assert done == {"mail": {"mask": "drop", "values": 1}}
    assert list(frame.columns) == ["mail", "x"], "the caller's frame was changed"


def test_hash_is_the_same_for_the_same_value_in_any_table_and_type():
    rule = columns(id={"pii": True, "mask": "hash"})
    one, _ = mask_columns(pd.DataFrame({"id": [7, 8, 7]}), rule)
    other, _ = mask_columns(pd.DataFrame({"id": [8.0, None, 7.0]}, index=[5, 5, 6]), rule)
    text, _ = mask_columns(pd.DataFrame({"id": ["7", "", None]}).astype("category"), rule)
    assert one["id"].str.fullmatch(r"[0-9a-f]{16}").all()
    assert one["id"][0] == one["id"][2] == other["id"].iloc[2] == text["id"][0] != one["id"][1]
    assert list(other["id"].isna()) == [False, True, False]
    assert text["id"][1] == "" and pd.isna(text["id"][2])
    assert len(one.merge(other, on="id")) == 3


def test_hash_depends_on_the_key(monkeypatch):
    rule, frame = columns(id={"pii": True, "mask": "hash"}), pd.DataFrame({"id": ["Zoë"]})
    before, _ = mask_columns(frame, rule)
    monkeypatch.setenv("PII_KEY", KEY[::-1])
    after, _ = mask_columns(frame, rule)
    assert before["id"][0] != after["id"][0]


@pytest.mark.parametrize(
    ("key", "words"), [("", "PII_KEY is not set"), ("short", "PII_KEY has fewer than 16 characters")]
)
def test_hash_without_a_key_is_refused(monkeypatch, key, words):
    monkeypatch.setenv("PII_KEY", key)
    with pytest.raises(DataError, match=rf"column 'id'.*{words}[\s\S]*export PII_KEY="):
        mask_columns(pd.DataFrame({"id": ["a"]}), columns(id={"pii": True, "mask": "hash"}))


def test_keep_needs_a_reason():
    frame = pd.DataFrame({"mail": ["a@b.c"]})
    with pytest.raises(DataError, match="column 'mail' is personal data and kept without a reason"):
        mask_columns(frame, columns(mail={"pii": True, "mask": "keep"}))
    kept, done = mask_columns(frame, columns(mail={"pii": True, "mask": "keep", "why": "the model answers mail"}))
    assert kept.equals(frame)
    assert done == {"mail": {"mask": "keep", "values": 1}}


def test_rows_older_than_the_retention_go():
    frame = pd.DataFrame({"time": ["2013-01-01", "2013-01-30T23:00:00Z", None, "2013-01-31"], "x": range(4)})
    kept, gone = drop_expired(frame, "time", 1)
    assert (list(kept["x"]), gone) == ([1, 2, 3], 1)
    assert drop_expired(frame, "time", 30)[1] == 0
    assert drop_expired(frame, "time", 30, today="2013-02-05")[1] == 1
    assert drop_expired(frame.assign(time=pd.to_datetime("2013-01-01")), "time", 1)[1] == 0
    assert drop_expired(frame.head(0), "time", 1)[1] == 0


@pytest.mark.parametrize(
    ("times", "days", "today", "words"),
    [
        (["2013-01-01", "soon"], 5, None, "column 'time': 'soon' in row 1 is not a time"),
        ([1, 2], 5, None, "column 'time' holds numbers"),
        (["2013-01-01"], 0, None, "`retention_days` is 0"),
        (["2013-01-01"], 30, "2020-01-01", "all 1 rows are older than 30 days on 2020-01-01"),
    ],
)
def test_retention_that_cannot_be_applied_is_refused(times, days, today, words):
    with pytest.raises(DataError, match=words):
        drop_expired(pd.DataFrame({"time": times}), "time", days, today)


PERSONS = [
    f"{first} {last}" for first in ("Ada", "Alan", "Grace") for last in ("Lovelace", "Turing", "Hopper", "Noether")
]


def persons(rows=240):
    """A table of customers as text, as ingested: persons, contacts, phones and social security numbers, then features."""
    return pd.DataFrame(
        {
            "name": [PERSONS[row % 12] for row in range(rows)],
            "Kontakt": ["Mr. B. Example"] * rows,
            "a": [f"202-555-{row:04}" for row in range(rows)],
            "b": [f"536-90-{4000 + row}" for row in range(rows)],
            "mail": [f"person{row % 9}@example.com" for row in range(rows)],
            "age": [str(18 + row * 7 % 60) for row in range(rows)],
            "churned": [str(row * 5 % 3 % 2) for row in range(rows)],
        }
    )


RAW = ("Lovelace", "Turing", "Example", "202-555-", "536-90-", "@example")
PERSONAL = ["name", "Kontakt", "a", "b", "mail"]


def test_no_raw_value_of_a_personal_column_is_in_anything_that_is_written(tmp_path):
    raw = persons()
    write_first_schema(infer_table(raw, "churned"), tmp_path / "schema.yaml")
    schema = read_schema(tmp_path / "schema.yaml")
    table = schema["table"]
    assert [name for name, column in table.columns.items() if column.pii] == PERSONAL
    frame = check_table(raw, table, "t")
    compare_with_baseline({"table": frame}, schema, tmp_path / "baseline.json", {})
    write_profiles({"table": frame}, schema, tmp_path)
    (tmp_path / "head.html").write_text(hide_personal(raw.head(10), raw).to_html())
    mask_columns(frame, table.columns)[0].to_csv(tmp_path / "interim.csv")
    written = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()}
    assert {"schema.yaml", "baseline.json", "table.html", "head.html", "interim.csv"} == set(written)
    assert {name: word for name, text in written.items() for word in RAW if word in text} == {}
    assert "18" in written["head.html"] and "***" in written["head.html"]


def test_values_of_a_column_marked_as_personal_later_leave_the_baseline(tmp_path):
    raw = persons()[["name", "age", "churned"]].assign(
        churned=lambda frame: frame["name"].str.startswith("Ada").astype(str)
    )
    plain = {
        "name": Column("name", "category"),
        "age": Column("age", "integer"),
        "churned": Column("churned", "category", role="target"),
    }
    write_first_schema(infer_table(raw, "churned"), tmp_path / "schema.yaml")
    file, table = tmp_path / "baseline.json", read_schema(tmp_path / "schema.yaml")["table"]
    for personal in (False, True):
        table = replace(table, columns=plain | {"name": Column("name", "category", pii=personal)})
        compare_with_baseline({"table": check_table(raw, table, "t")}, {"table": table}, file, {})
        assert ("Ada Lovelace" in file.read_text()) != personal
        assert ("name = Ada Lovelace" in file.read_text()) != personal
        assert '"age"' in file.read_text()


def test_message_about_a_broken_check_shows_no_personal_value(tmp_path):
    rules = {"mail": Column("mail", "text", pii=True, pattern="x+"), "city": Column("city", "text", pattern="x+")}
    write_first_schema(infer_table(persons(), "churned"), tmp_path / "schema.yaml")
    table = replace(read_schema(tmp_path / "schema.yaml")["table"], columns=rules, key=[])
    with pytest.raises(DataError) as caught:
        check_table(pd.DataFrame({"mail": ["ada@example.com"], "city": ["Rome"]}), table, "t")
    assert "column 'mail': a personal value in row 0 breaks" in str(caught.value)
    assert "'Rome'" in str(caught.value) and "ada@" not in str(caught.value)


def test_preview_keeps_all_else_and_duplicate_names():
    frame = pd.DataFrame([["ada@example.com", 1, 2], [None, 3, 4]], columns=["mail", "x", "x"])
    shown = hide_personal(frame)
    assert list(shown.columns) == ["mail", "x", "x"]
    assert shown.iloc[0].tolist() == ["***", 1, 2] and pd.isna(shown.iloc[1, 0])
    assert hide_personal(frame[[]]).shape == (2, 0)
