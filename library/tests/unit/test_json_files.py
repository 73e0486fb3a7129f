"""Tables in JSON have many shapes: each must come out with its rows and columns, or be refused in words."""

import json

import pytest
from stagebook.data.reading.sources import load_source
from stagebook.project.errors import DataError

RECORDS = [{"age": 31, "plan": "a", "y": 1}, {"age": 44, "plan": "b", "y": 0}, {"age": 27, "plan": "a", "y": 0}]
COLUMNS = {name: [record[name] for record in RECORDS] for name in RECORDS[0]}
GEO = [{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": one} for one in RECORDS]


@pytest.fixture
def read(tmp_path):
    """Read text, bytes or what JSON can write as a file of the test's own, for the target y."""

    def read_content(content, name="t.json", **how):
        path = tmp_path / name
        text = content if isinstance(content, str | bytes) else json.dumps(content, indent=2)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_source(str(path), **({"expect": ["y"]} | how))

    return read_content


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (RECORDS, None),
        ("\n".join(map(json.dumps, RECORDS)), None),
        (json.dumps(RECORDS).encode("utf-16"), None),
        (json.dumps(RECORDS).encode("utf-8-sig"), None),
        (COLUMNS, None),
        ({"data": RECORDS, "count": 3, "next": None}, "data"),
        ({"status": "ok", "errors": [], "warnings": [{"a": 1}] * 9, "result": {"items": RECORDS}}, "result.items"),
        ({"result": COLUMNS}, "result"),
        ({"table": {"columns": list(COLUMNS), "index": [0, 1, 2], "data": [list(one.values()) for one in RECORDS]}}, None),
        ([list(COLUMNS), *(list(one.values()) for one in RECORDS)], None),
        ({name: dict(enumerate(values)) for name, values in COLUMNS.items()}, None),  # as pandas writes it
        (dict(enumerate(RECORDS)), None),
        ({"schema": {"fields": [{"name": "age"}]}, "data": RECORDS}, "data"),
    ],
)  # fmt: skip
def test_shapes_of_a_table(read, content, path):
    frame, facts = read(content)
    assert list(frame) == list(COLUMNS)
    assert frame.to_dict("list") == COLUMNS
    assert frame["age"].dtype == "int64"
    assert facts.get("records") == path or path is None


@pytest.mark.parametrize("content", [COLUMNS, {"data": RECORDS, "n": 3}, dict(enumerate(RECORDS))])
def test_shapes_are_known_without_a_target(read, content):
    assert read(content, expect=[])[0].to_dict("list") == COLUMNS


def test_records_by_name_keep_it(read):
    frame, _ = read({"ada": RECORDS[0], "bob": RECORDS[1]})
    assert frame["key"].tolist() == ["ada", "bob"]
    assert frame.drop(columns="key").to_dict("records") == RECORDS[:2]


def test_records_within_records_are_spread_where_the_target_is_in_one(read):
    nested = [{"id": at, "home": {"city": {"name": "Oslo"}, "y": at % 2}, "tags": ["a"]} for at in range(3)]
    frame, _ = read(nested, expect=["home.y"])
    assert list(frame) == ["id", "home.city.name", "home.y", "tags"]
    assert frame["tags"].tolist() == ['["a"]'] * 3
    assert list(read(nested, expect=["id"])[0]) == ["id", "home", "tags"]
    frame, facts = read({"type": "FeatureCollection", "features": GEO})
    assert frame["y"].tolist() == COLUMNS["y"]
    assert facts["records"] == "features"


def test_a_workbook_of_lists_has_titles_too(read):
    frame, facts = read([["Members"], [], list(COLUMNS), *(list(one.values()) for one in RECORDS)])
    assert frame.to_dict("list") == COLUMNS
    assert [entry["text"] for entry in facts["skipped"]] == ["Members"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deep"),
        ({"age": [1, 2, 3], "y": [1, 0]}, "'y' has 2 values and 'age' 3"),
        ("{'a': 1}", "it is not JSON"),
        ("[1, 2", "it is not JSON"),
        ('"text"', "record 1 is 'text'"),
        ("", "it is not JSON"),
        (b"\xff\xff\xff", "not UTF-8"),
        ({}, "no rows"),
    ],
)
def test_what_is_no_table_is_said(read, content, words):
    with pytest.raises(DataError, match=words):
        read(content)


@pytest.mark.parametrize("depth", [2, 500, 3000])
def test_deep_values_in_records(read, depth):
    deep = '{"a":' * depth + "1" + "}" * depth
    try:
        frame, _ = read(f'[{{"y": 1, "x": {deep}}}, {{"y": 0, "x": 2}}]')
    except DataError as error:
        assert "nested too deep" in str(error)
    else:
        assert frame["y"].tolist() == [1, 0]
