"""What a table says of itself: a wrong guess here is a wrong model, so each rule is tried on what it must and must not take."""

import time

import numpy as np
import pandas as pd
import pytest
from stagebook.data.conform import convert_column
from stagebook.data.infer import find_useless, infer_table, is_identifier
from stagebook.data.infer_types import infer_type
from stagebook.data.leakage import find_leaks
from stagebook.data.target import encode_target, find_task
from stagebook.project.errors import DataError

N = 200
draw = np.random.default_rng(0)
LABEL = pd.Series(draw.integers(0, 2, N))
NOISE = pd.Series(draw.normal(size=N))


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([0, 1] * 10, "binary"),
        (["yes", "no", None] * 5, "binary"),
        ([1.5, 2.5] * 9, "binary"),
        (["a", "b", "c"] * 5, "multiclass"),
        ([1, 2, 3, 4, 5] * 5, "multiclass"),
        (list(range(11)), "regression"),
        ([0.5, 1.0, 1.5] * 4, "regression"),
    ],
)
def test_task_follows_from_the_target(values, task):
    assert find_task(pd.Series(values), "t") == task


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([None, None], "has no values"),
        ([7, 7], "always"),
        ([f"t{n}" for n in range(60)], "60 different texts"),
        (pd.to_datetime(["2024-01-01", "2024-01-02"]), "has dates"),
    ],
)
def test_target_that_teaches_nothing_is_refused(values, words):
    with pytest.raises(DataError, match=words):
        find_task(pd.Series(values), "t")


def test_classes_are_numbered_in_order_and_keep_their_names():
    codes, classes = encode_target(pd.Series(["b", "a", "b"]), "binary", "t")
    assert (codes.tolist(), classes) == ([1, 0, 1], ["a", "b"])
    assert encode_target(pd.Series([2.0, 10.0, 3.0]), "multiclass", "t")[1] == ["2", "3", "10"]
    for values, task, words in (
        (["a", "b", "c"], "binary", "binary needs 2"),
        (["a", "1"], "regression", "'a' is not a number"),
        ([1, 2], "cluster", "`clean.task`"),
    ):
        with pytest.raises(DataError, match=words):
            encode_target(pd.Series(values), task, "t")


@pytest.mark.parametrize(
    ("name", "values", "type_", "expected"),
    [
        ("x", range(1, 51), "integer", True),  # row numbers
        ("customer_id", range(1000, 6000, 100), "integer", True),
        ("amount", range(1000, 6000, 100), "integer", False),
        ("year", range(1950, 2000), "integer", False),
        ("code", [f"K{n}" for n in range(50)], "category", True),
        ("name", ["a", "b"] * 25, "category", False),
        ("x", np.linspace(0, 1, 50), "number", False),
        ("review", [f"word {n} and more of it" for n in range(50)], "text", False),
    ],
)
def test_identifiers_are_told_from_measurements(name, values, type_, expected):
    assert is_identifier(name, pd.Series(values), type_) is expected


@pytest.mark.parametrize(
    ("column", "leaks"),
    [
        (LABEL, True),
        (LABEL.map({0: None, 1: "paid"}), True),
        (LABEL * 10 + NOISE / 10, True),
        (pd.to_datetime("2024-01-01") + pd.to_timedelta(LABEL * 90, unit="D"), True),
        (LABEL + NOISE, False),
        (NOISE, False),
        (pd.Series([f"c{n}" for n in range(N)]), False),
    ],
)
def test_only_what_tells_the_target_alone_is_a_suspect(column, leaks):
    assert bool(find_leaks(column.to_frame("x"), LABEL, "binary")) is leaks


def test_suspects_of_regression_and_of_many_classes():
    price = NOISE.abs() * 100
    assert list(
        find_leaks(pd.DataFrame({"with_tax": price * 1.19 + 0.01, "size": price + NOISE * 90}), price, "regression")
    ) == ["with_tax"]
    kind = pd.Series(draw.integers(0, 5, N))
    assert list(find_leaks(pd.DataFrame({"copy": kind.map(str), "near": kind + NOISE}), kind, "multiclass")) == ["copy"]


def test_a_suspect_stays_if_nothing_else_would_be_left():
    table = infer_table(pd.DataFrame({"x": LABEL * 2, "y": LABEL}), "y")
    assert table.columns["x"].role == "feature"
    assert "leakage suspect" in table.columns["x"].why


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "2", None], ("integer", [])),
        (["1,5", "2,25", "3,0"], ("number", [])),
        (["yes", "no", "yes"], ("boolean", [])),
        (["2024-01-31", "2024-02-01", None], ("date", [])),
        (["00123", "45678"], ("category", [])),
        (["1.5"] * 40 + ["broken", "-"], ("number", ["broken"])),
        (["the red one there", "a blue one here", "none of all these"], ("text", [])),
    ],
)
def test_type_follows_from_the_texts(texts, expected):
    assert infer_type(pd.Series(texts)) == expected


def test_columns_that_teach_nothing_are_named_with_the_reason():
    n = range(20)
    frame = pd.DataFrame(
        {"customer_id": [7 * i for i in n], "row": n, "x": [i % 3 for i in n], "y": [i % 3 for i in n]}
    )
    frame = frame.assign(constant="a", empty=None, name=[f"K{i}" for i in n], amount=[i**2 for i in n])
    useless = find_useless(frame, {name: infer_type(frame[name])[0] for name in frame})
    assert [name for name in useless if useless[name][0] == "identifier"] == ["customer_id", "row", "name"]
    assert [name for name in useless if useless[name][0] == "ignored"] == ["y", "constant", "empty"]
    assert useless["y"][1] == "it is the same as 'x'"


LATE = pd.Series([0, 1] * 50)
FEATURES = pd.DataFrame({"refund": LATE.map({0: None, 1: "paid"}), "hour": [i % 7 for i in range(100)]})


def test_what_was_written_down_after_the_fact_is_a_suspect():
    assert list(find_leaks(FEATURES, LATE, "binary")) == ["refund"]
    price = pd.Series(range(200)) * 3.5
    features = pd.DataFrame({"with_tax": price * 1.19, "size": price % 11})
    assert list(find_leaks(features, price, "regression")) == ["with_tax"]


def test_a_raw_table_becomes_a_schema():
    mail = [f"a{i}@b.org" for i in range(100)]
    raw = FEATURES.assign(late=LATE.map({0: "no", 1: "yes"}), id=range(100), mail=mail)
    table = infer_table(raw, "late")
    assert table.with_role("target") == ["late"] and table.with_role("feature") == ["hour"]
    assert "leakage suspect" in table.columns["refund"].why and table.columns["mail"].pii
    for arguments, words in ((("latte",), "no column 'latte'"), (("late", "hour"), "'hour' has no dates")):
        with pytest.raises(DataError, match=words):
            infer_table(raw, *arguments)


def test_error_about_a_missing_target_shows_how_the_source_was_read():
    raw = pd.DataFrame({"age;plan": ["31;a", "44;b"], "email": ["ada@example.org", "bob@example.org"]})
    source = {"kind": "csv", "separator": ",", "encoding": "utf-8", "header_row": 3}
    with pytest.raises(DataError) as caught:
        infer_table(raw, "age", source=source)
    said = str(caught.value)
    assert "there is no column 'age'; there is 'age;plan', 'email'." in said
    assert "kind 'csv', separator ',', encoding 'utf-8', header_row 3:\n  age;plan | email\n  31;a | ***" in said
    assert "`separator`, `encoding`" in said and "`header_row`, `skip_rows`, `names`" in said
    with pytest.raises(DataError, match=r"Did you mean `plan_`\?"):
        infer_table(raw.set_axis(["plan_", "b"], axis=1), "plan", source=source)


SIZES = [f"{100 + 7 * i % 800}.{i * 37 % 1000:03d}" for i in range(60)]  # 302.465: thousands or thousandths


@pytest.mark.parametrize(
    ("separator", "other", "decimal", "first", "noted"),
    [
        (";", "x", ",", 100000, True),
        (",", "x", ".", 100.0, True),
        (";", "2.5", ".", 100.0, False),
        (",", "2,5", ",", 100000, False),
    ],
)
def test_numbers_that_can_be_read_both_ways_follow_the_file(separator, other, decimal, first, noted):
    raw = pd.DataFrame({"size": SIZES, "other": [other] * 59 + ["3"], "y": ["a", "b"] * 30})
    table = infer_table(raw, "y", source={"separator": separator})
    column = table.columns["size"]
    assert (column.type, column.decimal) == ("integer" if decimal == "," else "number", decimal)
    assert convert_column(raw["size"], column).iloc[0] == first
    assert ("ambiguous: '100.000' is read as 100" in column.why) is noted


def test_dates_that_can_be_read_both_ways_are_noted():
    raw = pd.DataFrame({"day": [f"0{1 + i % 9}/0{1 + i % 7}/2024" for i in range(60)], "y": ["a", "b"] * 30})
    column = infer_table(raw, "y").columns["day"]
    assert (column.type, column.day_first) == ("date", False)
    assert column.why.startswith("ambiguous: '08/01/2024' is read as 1 August 2024. `day_first: true` here")


def test_units_in_cells_are_numbers_or_reported():
    n = range(60)
    raw = pd.DataFrame(
        {
            "weight": [f"{i % 13} kg" for i in n],
            "views": [f"{i % 7}.5k" for i in n],
            "mixed": [f"{i % 11} {'kg' if i % 3 else 'g'}" for i in n],
            "balance": [f"{i % 17}-" for i in n],
            "when": [f"20{10 + i % 9}Q{1 + i % 4}" for i in n],
            "seat": [f"{i % 9}{'AB'[i % 2]}" for i in n],
            "y": [str(i // 2 % 2) for i in n],
        }
    )
    table = infer_table(raw, "y")
    types = {name: column.type for name, column in table.columns.items()}
    assert types == {"weight": "integer", "views": "integer", "mixed": "category", "balance": "integer",
                     "when": "date", "seat": "category", "y": "integer"}  # fmt: skip
    assert (table.columns["weight"].unit, table.columns["weight"].suffixes) == ("kg", ["kg"])
    assert table.columns["mixed"].why == "numbers with several units: g, kg"
    assert convert_column(raw["views"], table.columns["views"]).max() == 6500
    assert convert_column(raw["balance"], table.columns["balance"]).min() == -16
    strange = convert_column(pd.Series(["5 lb"]), table.columns["weight"])
    assert strange.tolist() == ["5 lb"], "what is in another unit stays text, and breaks the check"


def test_values_are_shown_without_the_types_of_programs():
    frame = pd.DataFrame({"x": [1.0] * 20, "day": [pd.Timestamp("2024-01-31")] * 20, "year": [1987] * 20})
    useless = find_useless(frame, {"x": "number", "day": "date", "year": "integer"})
    assert [why for _, why in useless.values()] == [
        "it is always '1'",
        "it is always '2024-01-31'",
        "it is always '1987'",
    ]
    for values, words in (
        ([1.0] * 9, "always '1';"),
        (pd.Series([True] * 9), "always 'True';"),
        (["a"] * 9, "always 'a';"),
    ):
        with pytest.raises(DataError, match=words):
            find_task(pd.Series(values), "t")


def test_large_tables_are_inferred_within_seconds():
    n, draw = 500_000, np.random.default_rng(0)
    seconds = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(draw.integers(0, 10**8, n), unit="s"))
    raw = pd.DataFrame(
        {
            "amount": pd.Series(draw.integers(0, 10**7, n) / 100).astype("str"),
            "when": seconds.dt.strftime("%Y-%m-%d %H:%M:%S").astype("str"),
            "city": pd.Series(draw.choice(["a", "b", "c"], n), dtype="str"),
            "code": "K" + pd.Series(draw.permutation(n)).astype("str"),
            "y": pd.Series(draw.choice(["yes", "no"], n), dtype="str"),
        }
    )
    raw.loc[n - 1, "amount"] = "broken"  # none of the rows on which the type is decided
    start = time.process_time()
    table = infer_table(raw, "y")
    assert time.process_time() - start < 4  # 1.2 on the machine where it was written
    assert [column.type for column in table.columns.values()] == ["number", "date", "category", "category", "category"]
    assert table.columns["amount"].missing_values == ["broken"]
