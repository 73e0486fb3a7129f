"""Names and values of users are data: none may become a keyword of Python or of YAML on the way from file to check."""

import csv

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stagebook.data.infer import infer_table, write_first_schema
from stagebook.data.reading.sources import load_source
from stagebook.data.schema import read_schema
from stagebook.data.skew.baseline import describe_baseline
from stagebook.data.tables import read_table, set_columns, write_table
from stagebook.data.validate import check_table, describe_table, find_moves
from stagebook.features.encode import choose_columns, to_features

KEYWORDS = [
    "self",
    "func",
    "index",
    "columns",
    "data",
    "name",
    "axis",
    "dtype",
    "level_0",
    "key",
    "by",
    "class",
    "None",
]
ODD = ["a: b", "? x", "- y", "# z", "{c}", "[d]", "&e", "*f", "!g", "|", ">", "%h", "@i", "`j`", "'", '"', "yes", "1",
       "1.5", "null", "~", "2024-01-31", "12:00", "<img src=x onerror=alert(1)>", "$a_b$", "a,b", "ß", "名", "\\"]  # fmt: skip
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
NAME = st.one_of(st.sampled_from(KEYWORDS), st.sampled_from(ODD), TEXT).map(str.strip).filter(bool)
LIMITS = {"max_missing_rise": 0.05, "max_psi": 0.3, "max_mean_shift": 0.5, "max_share_shift": 0.1,
          "max_outlier_share": 0.01, "max_new_category_share": 0.01, "max_correlation_change": 0.5}  # fmt: skip
rarely = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def make_rows(value: str) -> list[list[str]]:
    """Return rows of a measurement, a category, a constant and a target."""
    return [[str(at * 7 % 11), "ab"[at % 2], value, "xy"[at // 2 % 2]] for at in range(24)]


@rarely
@given(st.lists(NAME, min_size=4, max_size=4, unique=True), st.one_of(NAME, TEXT))
def test_any_name_goes_from_file_to_check(tmp_path, names, value):
    with (tmp_path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([names, *make_rows(value)])
    raw, facts = load_source(str(tmp_path / "t.csv"), encoding="utf-8", separator=",", expect=[names[3]])
    assert list(raw)[3] == names[3]
    assert (len(raw), facts["header_row"]) == (24, 1)
    write_table(raw, tmp_path / "t.parquet")
    table = infer_table(read_table(tmp_path / "t.parquet"), names[3], source=facts)
    write_first_schema(table, tmp_path / "schema.yaml")
    back = read_schema(tmp_path / "schema.yaml")["table"]
    assert back.columns == table.columns
    assert back.with_role("target") == [names[3]]
    checked = check_table(raw, back, "t")
    assert list(checked) == list(raw)
    assert find_moves(checked, back, describe_table(checked, back), LIMITS) == []
    columns, since = choose_columns(checked, names[3], [])
    assert len(to_features(checked[columns], [], since)) == 24


@pytest.mark.parametrize("name", KEYWORDS)
def test_set_columns_takes_any_name(name):
    frame = pd.DataFrame({name: [1, 2], "other": [3, 4]})
    changed = set_columns(frame, {name: [5, 6]})
    assert changed[name].tolist() == [5, 6]
    assert frame[name].tolist() == [1, 2]
    assert describe_baseline(changed, {name: "number", "other": "number"}, "other")["rows"] == 2
