"""Typed YAML files: what the tool writes it reads back, and what people write wrong is named with file, line, key, value and fix."""

from collections import Counter
from typing import ClassVar

import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic.dataclasses import dataclass
from stagebook.data.infer import infer_table
from stagebook.data.schema import Column, Dataset, Table, read_datasets, read_schema, write_schema
from stagebook.project.errors import DataError
from stagebook.project.yaml_files import as_line, read_yaml, write_yaml
from stagebook.project.yaml_values import CONFIG, Names, Number, Scalar, Section, Text

HARD = [
    ": ",
    "a: b",
    "12:00",
    "Why?",
    "?",
    "- ",
    "#",
    "''",
    '"',
    "\\",
    "{",
    "}, {",
    "[",
    "null",
    "~",
    "yes",
    "1e3",
    "2024-01-31",
]
HARD += [
    "%",
    "@",
    "`",
    "&a",
    "*a",
    "!t",
    "|",
    ">",
    "<<",
    "=",
    ".",
    "\t",
    "\r\n",
    "\x85",
    "\u2028",
    "\ufeff",
    "\x00",
    "\x7f",
    "\U0001f600",
]
HARD += ["...", "---", " ", "", "0x1f", "1_000", "\ud7ff", "\ufffe", "x" * 200, "word " * 60]
TEXTS = st.lists(st.sampled_from(HARD) | st.text(max_size=8), max_size=3).map("".join)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
DATES = st.dates() | st.datetimes() | st.dates().map(str)
FAST = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@st.composite
def tables(draw):
    names = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
    types = {name: draw(st.sampled_from(["integer", "text", "category", "date"])) for name in names}
    columns = {
        name: Column(
            name,
            types[name],
            why=draw(TEXTS),
            missing_values=draw(st.lists(TEXTS | NUMBERS, max_size=2)),
            min=draw(st.none() | (DATES if types[name] == "date" else NUMBERS)),
            pattern=draw(st.none() | TEXTS),
            unit=draw(TEXTS),
            description=draw(TEXTS),
            pii=draw(st.booleans()),
        )
        for name in names
    }
    key, joins = draw(st.lists(st.sampled_from(names), max_size=2)), {draw(TEXTS): names[:1]}
    joins = {other: [name for name in keys if name] for other, keys in joins.items()}
    return Table("table", columns, draw(TEXTS), draw(TEXTS), key=[name for name in key if name], joins=joins)


@given(tables(), TEXTS, TEXTS)
@example(Table("table", {"": Column("", "date", why="it is always '2024-01-31 00:00:00'")}), "Paid?", "a: b")
@FAST
def test_a_schema_that_was_written_reads_back_equal(tmp_path_factory, table, name, text):
    path = tmp_path_factory.getbasetemp() / "schema.yaml"
    datasets = {name: {"description": text, "columns": {name: as_line({"unit": text})}}}
    write_schema({"table": table}, datasets, path, "# For people\n")
    assert read_schema(path) == {"table": table}
    assert read_datasets(path) == {name: Dataset(text, columns={name: {"unit": text}})}


NESTED = st.recursive(
    TEXTS | NUMBERS | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, NESTED, max_size=4), st.booleans())
@FAST
def test_any_content_that_was_written_reads_back_equal(tmp_path_factory, content, one_line):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    write_yaml(as_line(content) if one_line else content, path, "# What it is\n")
    assert read_yaml(path, dict) == content


@pytest.mark.parametrize("value", ["2024-01-31", "12:00", "https://example.org/a:b", "Why?", "a, {b}: c", "x\ny"])
def test_a_column_with_one_value_gives_a_schema_that_can_be_read(tmp_path, value):
    raw = pd.DataFrame({"age": range(40), "Paid?": [value] * 40, "churned": [0, 1] * 20})
    table = infer_table(raw, "churned")
    write_schema({"table": table}, {}, tmp_path / "schema.yaml", "")
    assert read_schema(tmp_path / "schema.yaml") == {"table": table}
    assert table.columns["Paid?"].why.startswith("it is always")


@dataclass(frozen=True, config=CONFIG)
class Part(Section):
    RENAMED: ClassVar = {"figure": "metric"}

    metric: Text = ""
    limit: Number | None = None
    values: list[Scalar] = ()


@dataclass(frozen=True, config=CONFIG)
class File(Section):
    parts: dict[Text, Part] = ()
    names: Names = ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: [a]\nparts:\n  x: {limit: much}", "line 3: parts.x.limit is 'much'; it must be a number."),
        ("# one\n\npart: {}", "line 3: the file: `part` is not known; there is names, parts. Did you mean `parts`?"),
        ("parts:\n  x:\n    figure: a", "line 3: parts.x: `figure` is now called `metric`. Rename the key."),
        ("parts:\n  x:\n    metric: 1", "line 3: parts.x.metric is 1; it must be text. Put it in quotes."),
        ("parts:\n  x:\n    - 1", "line 2: parts.x is [1]; write `key: value` lines below it."),
        ("parts: 3", "line 1: parts is 3; write `key: value` lines below it."),
        ("parts:\n\n  1: {}", "line 3: parts.1: write the name in quotes."),
        ("parts:\n  x:\n    values:\n      - 1\n      - [2]", "line 5: parts.x.values is [2]; it must be a text"),
        ("parts:\n  x:\n    values: all", "line 3: parts.x.values is 'all'; it must be a list."),
        ("parts: {\n", "is not YAML: line 2: "),
        ("a: 1\na: 2\n", 'is not YAML: line 2: found duplicate key "a"'),
    ],
)
def test_what_is_wrong_is_named_with_line_key_value_and_fix(tmp_path, text, said):
    (tmp_path / "file.yaml").write_text(text)
    with pytest.raises(DataError) as error:
        read_yaml(tmp_path / "file.yaml", File)
    assert str(error.value).startswith(f"{tmp_path}/file.yaml") and said in str(error.value)


def test_all_problems_are_listed_in_the_order_of_the_file(tmp_path):
    parts = "".join(f"  p{place}: {{limit: {'x' if place else 1}}}\n" for place in range(13))
    (tmp_path / "file.yaml").write_text(f"parts:\n{parts}names: 3\n")
    with pytest.raises(DataError) as error:
        read_yaml(tmp_path / "file.yaml", File)
    first, *lines = str(error.value).splitlines()
    assert first.endswith("file.yaml has 13 problems:") and len(lines) == 11 and lines[-1] == "  and 3 more"
    assert lines[0] == "  line 3: parts.p1.limit is 'x'; it must be a number."
    assert Counter(line.split(";")[1] for line in lines[:10]) == {" it must be a number.": 10}


def test_a_missing_file_names_the_command_that_brings_it(tmp_path):
    with pytest.raises(DataError, match=rf"is missing\. Git has it: `git checkout -- {tmp_path.name}/file.yaml`; x\.$"):
        read_yaml(tmp_path / "file.yaml", File, hint="; x")


def test_comments_and_empty_files_are_a_file_with_nothing_in_it(tmp_path):
    (tmp_path / "file.yaml").write_text("# nothing yet\n")
    assert read_yaml(tmp_path / "file.yaml", File) == File()
