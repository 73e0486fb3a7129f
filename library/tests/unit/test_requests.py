"""Requests: raw rows read as training read the table, and the replay that proves it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from stagebook.data.schema import Column, Table
from stagebook.features.few import look_up_few
from stagebook.features.online import connect_store, look_up, materialise
from stagebook.features.store import Feature, FeatureView
from stagebook.model.task import Task
from stagebook.project.errors import DataError
from stagebook.request.contract import describe_requests, read_contract, write_contract
from stagebook.request.prepare import check_replay, prepare_rows
from stagebook.request.rows import RequestError, mask_rows, read_keys, to_table

RAW = pd.DataFrame(
    {
        "id": ["a1", "a2", "a3"],
        "when": ["03/04/2024", "04/04/2024", "25/04/2024"],
        "price": ["1.234,5", "12,25", "26.986"],
        "mail": ["x@example.org", "y@example.org", "z@example.org"],
        "kind": ["new", "old", None],
        "self": ["1", "0", "1"],
        "paid": ["yes", "no", "yes"],
    }
)
COLUMNS = {
    "id": Column("id", "category", role="identifier"),
    "when": Column("when", "date", role="time", missing=False),
    "price": Column("price", "number", min=0, max=100_000),
    "mail": Column("mail", "category", pii=True),
    "kind": Column("kind", "category"),
    "self": Column("self", "boolean"),
    "paid": Column("paid", "category", role="target"),
}
TASK = Task("binary", "paid", ["no", "yes"], ["id"])
FIELDS = [name for name in COLUMNS if name != "paid"]


def prepare(rows, contract, join):
    price = rows["price"].astype("float32")
    return pd.DataFrame({"price": price, "kind": rows["kind"].astype("str").where(rows["kind"].notna(), "")})


@pytest.fixture
def contract():
    processed = pd.DataFrame({"id": ["a"], "price": np.float32([1]), "kind": ["new"], "paid": [0]})
    return describe_requests(RAW, Table("table", COLUMNS), FIELDS, TASK, processed)


def read_one(contract, **values):
    return to_table([{"when": "03/04/2024", **values}], contract).iloc[0]


def test_one_value_is_read_in_the_format_that_the_whole_column_decided(contract):
    assert read_one(contract, price="26.986")["price"] == 26986
    assert read_one(contract, price="1,5")["price"] == 1.5
    assert read_one(contract, price=1.5)["price"] == 1.5
    assert read_one(contract)["when"] == pd.Timestamp("2024-04-03"), "the day comes first: 25/04 is in the column"


def test_what_is_left_out_is_missing_and_a_new_category_stays(contract):
    row = read_one(contract, kind="never seen")
    assert row["kind"] == "never seen" and pd.isna(row["price"]) and pd.isna(row["self"])


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"price": "x"}, "price", "'x' must be a number"),
        ({"price": -1}, "price", "-1 must be 0 to 100000"),
        ({"when": "31/31/2024"}, "when", "must be a date"),
        ({"when": None}, "when", "None must have a value"),
        ({"self": "perhaps"}, "self", "must be yes or no"),
    ],
)
def test_an_error_names_row_field_value_and_what_is_allowed(contract, values, field, words):
    with pytest.raises(RequestError, match=f"row 1, field '{field}'") as error:
        to_table([{"when": "03/04/2024"}, {"when": "03/04/2024", **values}], contract)
    assert words in str(error.value)


def test_a_personal_value_is_in_no_error_and_in_no_log(contract):
    table = to_table([{"when": "03/04/2024", "mail": "me@example.org", "id": "a9"}], contract)
    assert "mail" not in mask_rows(table, contract)
    assert read_keys(table, contract) == [{"id": "a9"}]
    contract.table.columns["mail"] = replace(contract.table.columns["mail"], pattern="^[0-9]+$")
    with pytest.raises(RequestError) as error:
        to_table([{"when": "03/04/2024", "mail": "me@example.org"}], contract)
    assert "example.org" not in str(error.value) and "a personal value" in str(error.value)


def test_a_contract_survives_its_file(contract, tmp_path):
    write_contract(contract, tmp_path / "request.json")
    assert read_contract(tmp_path / "request.json") == contract
    (tmp_path / "request.json").write_text(json.dumps({"table": {}}))
    with pytest.raises(DataError, match=r"request\.json is no contract"):
        read_contract(tmp_path / "request.json")


def test_the_replay_finds_each_row_and_gives_an_example_without_personal_fields(contract):
    expected = prepare_rows(
        to_table(RAW[FIELDS].where(RAW[FIELDS].notna(), None).to_dict("records"), contract), contract, prepare, None
    )
    described, replayed = check_replay(RAW, expected.iloc[1:], contract, prepare, None)
    assert replayed == {"requests": 3, "rows": 2}
    assert described.example == {"id": "a2", "when": "04/04/2024", "price": "12,25", "kind": "old", "self": "0"}


def test_the_replay_stops_at_a_feature_that_serving_computes_differently(contract):
    expected = pd.DataFrame({"price": np.float32([1234.5, 13]), "kind": ["new", "old"]})
    with pytest.raises(DataError, match=r"of 2 rows, only 1 come out .* Feature 'price': training has .*13.0.*12.25"):
        check_replay(RAW, expected, contract, prepare, None)


def test_prepare_may_not_lose_rows_or_change_types(contract):
    table = to_table([{"when": "03/04/2024"}] * 2, contract)
    with pytest.raises(RequestError, match="1 rows are no requests"):
        prepare_rows(table, contract, lambda rows, *rest: prepare(rows, *rest).head(1), None)
    with pytest.raises(DataError, match="makes no 'kind'"):
        prepare_rows(table, contract, lambda rows, *rest: prepare(rows, *rest)[["price"]], None)
    with pytest.raises(DataError, match="'price' as str; the model needs a number"):
        prepare_rows(table, contract, lambda rows, *rest: prepare(rows, *rest).astype("str"), None)


def test_a_look_up_of_a_few_rows_is_that_of_many(tmp_path, monkeypatch):
    monkeypatch.setenv("FEATURE_STORE_URL", f"sqlite:///{tmp_path / 'features.db'}")
    start = pd.Timestamp("2024-01-01", tz="UTC")
    events = pd.DataFrame({"shop": [7, 8, 9], "known_at": start, "sales": [1.5, None, 3.0], "kind": ["a", None, "c"]})
    features = {"sales": Feature("number", ""), "kind": Feature("text", ""), "age": Feature("number", "")}
    view = FeatureView("shop", ("shop",), ("t",), "me", "", pd.Timedelta(hours=2), features, lambda t: t, "age")
    engine = connect_store(tmp_path)
    materialise(view, {"t": events}, engine, start)
    rows = pd.DataFrame({"shop": [7.0, 7.0, 7.0, 8.0, 9.0, 5.0, None]})
    hours = [1, 3, -1, 0, 2, 1, 1]
    times = pd.Series([start + pd.Timedelta(hours=hour) for hour in hours])
    few = pd.DataFrame(look_up_few([view], rows, engine, times.dt.tz_localize(None).tolist()))
    many = look_up(view, rows, engine, times)
    pd.testing.assert_frame_equal(
        few.astype({"sales": "float32", "age": "float32"}), many.astype({"kind": object}), check_dtype=False
    )
    assert few["age"].tolist()[:1] == [1.0] and few["kind"].tolist()[1] == ""
