"""Personal data must not go further than the schema allows, and must not be lost where it is allowed."""

import pandas as pd
import pytest
from stagebook.data.privacy import drop_expired, mask_columns
from stagebook.data.schema import Column
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
