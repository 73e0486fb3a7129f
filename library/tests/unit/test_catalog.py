"""The data catalog: what is on its pages is what is there, odd names do not break them, stale ones are found."""

import html
import json
import re
import sys
from itertools import pairwise

import mistune
import numpy as np
import pandas as pd
import pytest
from dvc.repo import Repo
from samples import PYPROJECT
from stagebook.pages.catalog.diagram import draw_lineage
from stagebook.pages.catalog.graph import read_graph
from stagebook.pages.catalog.pages import name_pages
from stagebook.pages.catalog.tables import read_facts
from stagebook.pages.catalog.write import check_catalog, find_stale, update_catalog
from stagebook.project.errors import StepError
from stagebook.project.markdown import code, prose, show_bytes, show_share, table

DVC_YAML = """
stages:
  ingest:
    desc: Bring the people | here
    cmd: "true"
    deps: [notebooks/10_ingest.ipynb]
    outs: [data/raw/people.parquet, data/raw/towns.parquet, data/raw/source.json]
  clean:
    cmd: "true"
    deps: [notebooks/10_ingest.ipynb, data/raw/people.parquet, data/raw/towns.parquet]
    outs: [data/interim/people.parquet]
  train:
    cmd: "true"
    deps: [data/interim/people.parquet]
    outs: [models/best.onnx, reports/registration.json]
"""
SCHEMA = """
tables:
  towns:
    columns:
      age: {type: integer, unit: centuries, description: since it was founded}
  people:
    description: One row per person
    owner: data steward
    key: [name]
    columns:
      name: {type: text, pii: true, mask: hash, description: full name}
      age: {type: integer, unit: years, description: at the interview}
datasets:
  interim/*:
    owner: data science
    columns:
      name: {description: hash of the name}
      adult: {description: 18 or older}
"""
VIEWS = """
from types import SimpleNamespace
age = SimpleNamespace(description="age")
VIEWS = [SimpleNamespace(name="people", owner="data science", features={"age": age})]
"""
NASTY = [
    "a|b",
    "`tick`",
    "two\nlines",
    "*bold*_x_",
    "<b>",
    "[x](y)",
    "\\|",
    " ",
    "ż ółw",
    "$1$",
    "a\u2028b",
    "-->",
    "&amp;",
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of three steps that have run."""
    monkeypatch.chdir(tmp_path)
    for folder in (".dvc", "notebooks", "data/raw", "data/interim", "models", "reports"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".dvc" / "config").write_text("[core]\n    analytics = false\n    no_scm = true\n")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "notebooks" / "10_ingest.ipynb").write_text("{}")
    (tmp_path / "data" / "schema.yaml").write_text(SCHEMA)
    people = pd.DataFrame({"name": ["Jane Roe", "", None, "Max"], "age": [41.0, np.nan, 3.0, 12.0]})
    people.to_parquet(tmp_path / "data" / "raw" / "people.parquet")
    pd.DataFrame({"age": [9]}).to_parquet(tmp_path / "data" / "raw" / "towns.parquet")
    people.assign(adult=[1, 0, 0, 0]).to_parquet(tmp_path / "data" / "interim" / "people.parquet")
    source = {"package": "census", "tables": {"people": {"file": "people.csv", "rows": 4}}}
    (tmp_path / "data" / "raw" / "source.json").write_text(json.dumps(source))
    (tmp_path / "models" / "best.onnx").write_text("weights")
    decision = {"model": "who", "version": 3, "alias": "champion"}
    (tmp_path / "reports" / "registration.json").write_text(json.dumps(decision))
    lock(tmp_path)
    return tmp_path


def lock(project):
    with Repo(str(project)) as repo:
        repo.commit(force=True)


def page(project, name):
    return (project / "docs" / "data" / name).read_text(encoding="utf-8")


def pages(project):
    return {file.name: file.read_bytes() for file in (project / "docs" / "data").iterdir()}


def row(project, name, column):
    [line] = [line for line in page(project, name).splitlines() if line.startswith(f"| {code(column)} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_pages_show_what_is_there(project):
    update_catalog(project)
    assert set(pages(project)) == {"README.md", "raw-people.md", "raw-towns.md", "interim-people.md"}
    text = page(project, "raw-people.md")
    for part in (
        "One row per person",
        "| owner | data steward |",
        "| rows | 4 |",
        "| origin | package census, file people.csv |",
    ):
        assert part in text
    assert r"[ingest](../../notebooks/10_ingest.ipynb): Bring the people \| here" in text
    assert row(project, "raw-people.md", "name") == ["`name`", "`string`", "", "50.0%", "yes: hash", "full name"]
    assert row(project, "raw-people.md", "age") == ["`age`", "`float64`", "years", "25.0%", "", "at the interview"]
    md5 = re.search(r"\| md5 \| `(\w{32})` \|", text)[1]
    assert f"md5: {md5}" in (project / "dvc.lock").read_text()


def test_no_value_of_the_data_is_on_a_page(project):
    update_catalog(project)
    assert not [name for name, content in pages(project).items() if b"Jane" in content or b"Max" in content]


def test_a_column_keeps_its_meaning_through_the_steps(project):
    update_catalog(project)
    # The table with the same name comes first; what is said of the dataset itself goes before; PII is never lost.
    assert row(project, "interim-people.md", "age")[2:] == ["years", "25.0%", "", "at the interview"]
    assert row(project, "interim-people.md", "name")[4:] == ["yes: hash", "hash of the name"]
    assert row(project, "interim-people.md", "adult")[5] == "18 or older"
    assert "| owner | data science |" in page(project, "interim-people.md")


def test_index_lists_models_and_the_lineage_ends_in_the_version(project):
    update_catalog(project)
    index = page(project, "README.md")
    assert "[raw/people](raw-people.md)" in index
    assert "| `models/best.onnx` | 7 B |" in index
    diagram = "\n".join(draw_lineage(project, read_graph(project, look_at_files=True)))
    ids = {name: node for node, name in re.findall(r'(\w+)[(\[]+"([^"]+)"', diagram)}
    chain = ["ingest", "raw/people", "clean", "interim/people", "train", "models/best.onnx"]
    for one, other in pairwise(chain):
        assert f"{ids[one]} --> {ids[other]}" in diagram
    assert f'{ids["train"]} --> version[["who version 3<br>champion"]]' in diagram


def test_what_dvc_add_took_is_there_if_a_step_reads_it(project):
    for path in ("models/champion", "data/raw/towns.csv"):
        (project / path).write_text("x")
    (project / "dvc.yaml").write_text(
        DVC_YAML.replace("10_ingest.ipynb]\n    outs", "10_ingest.ipynb, data/raw/towns.csv]\n    outs")
    )
    with Repo(str(project)) as repo:
        repo.add(["models/champion", "data/raw/towns.csv"])
    graph = read_graph(project)
    assert graph.writer("data/raw/towns.csv").name == "data/raw/towns.csv.dvc"
    assert "models/champion" not in graph.outputs
    assert [step.name for step in graph.steps if step.notebook] == ["ingest", "clean"]


def test_written_twice_is_the_same(project):
    update_catalog(project)
    before = pages(project)
    assert update_catalog(project, only_if_stale=True) == "The catalog is up to date."
    update_catalog(project)
    assert pages(project) == before


def test_nothing_is_stale_and_nothing_written_before_the_first_run(project):
    (project / "dvc.lock").unlink()
    check_catalog(project)
    assert "no data" in update_catalog(project)
    assert not (project / "docs").exists()


def test_a_run_without_a_catalog_is_stale(project):
    with pytest.raises(StepError, match=r"(?s)`stagebook catalog` writes it.*README.md is missing"):
        check_catalog(project)


@pytest.mark.parametrize("change", ["schema", "lock", "steps", "page", "page gone", "conflict"])
def test_what_made_it_stale_is_named_and_writing_mends_it(project, change):
    update_catalog(project)
    folder = project / "docs" / "data"
    if change == "schema":
        (project / "data" / "schema.yaml").write_text(SCHEMA.replace("at the interview", "today"))
        expected = "data/schema.yaml has changed"
    elif change == "lock":
        pd.DataFrame({"age": [9, 10]}).to_parquet(project / "data" / "raw" / "towns.parquet")
        lock(project)
        expected = "data/raw/towns.parquet has changed"
    elif change == "steps":
        (project / "dvc.yaml").write_text(DVC_YAML.replace("Bring", "Fetch"))
        expected = "dvc.yaml has changed"
    elif change == "page":
        (folder / "raw-towns.md").write_text(page(project, "raw-towns.md") + "More.\n")
        expected = "raw-towns.md was edited by hand"
    elif change == "page gone":
        (folder / "raw-towns.md").unlink()
        expected = "raw-towns.md is missing"
    else:
        text = page(project, "README.md").replace('{\n "made', '<<<<<<< ours\n{\n "made')
        (folder / "README.md").write_text(text)
        expected = "has lost its last lines"
    assert expected in find_stale(project)
    update_catalog(project, only_if_stale=True)
    assert find_stale(project) == ""


def test_staleness_is_judged_without_the_data_and_a_comment_is_no_change(project):
    update_catalog(project)
    for file in (project / "data").rglob("*.*"):
        if file.name != "schema.yaml":
            file.unlink()
    (project / "data" / "schema.yaml").write_text("# A comment\n" + SCHEMA)
    check_catalog(project)


def test_missing_or_other_data_is_named_and_the_pages_stay(project):
    update_catalog(project)
    before = pages(project)
    (project / "data" / "raw" / "towns.parquet").unlink()
    pd.DataFrame({"x": [1]}).to_parquet(project / "data" / "raw" / "people.parquet")
    with pytest.raises(StepError, match=r"data/raw/people.parquet, data/raw/towns.parquet: .*`dvc pull`"):
        update_catalog(project)
    assert pages(project) == before


def test_what_somebody_has_written_is_not_overwritten_and_old_pages_go(project):
    folder = project / "docs" / "data"
    folder.mkdir(parents=True)
    (folder / "raw-towns.md").write_text("# By hand\n")
    (folder / "notes.md").write_text("# Notes\n")
    with pytest.raises(StepError, match=r"raw-towns.md is not from `stagebook catalog`"):
        update_catalog(project)
    (folder / "raw-towns.md").unlink()
    update_catalog(project)
    (project / "dvc.yaml").write_text(
        DVC_YAML.replace("data/raw/towns.parquet, ", "", 1).replace(", data/raw/towns.parquet", "")
    )
    lock(project)
    update_catalog(project)
    assert set(pages(project)) == {"README.md", "notes.md", "raw-people.md", "interim-people.md"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("interim/peple: {}", "`interim/peple`, which no step makes; there is interim/people"),
        ("raw/people: {}", "`raw/people`, which no step makes"),
        ("interim/people: {unit: x}", "unit"),
    ],
)
def test_a_wrong_entry_in_the_schema_is_named(project, entry, message):
    (project / "data" / "schema.yaml").write_text(SCHEMA.partition("datasets:")[0] + f"datasets:\n  {entry}\n")
    with pytest.raises(StepError, match=re.escape(message)):
        update_catalog(project)


def test_a_project_without_schema_has_a_catalog_too(project):
    (project / "data" / "schema.yaml").unlink()
    update_catalog(project)
    assert row(project, "raw-people.md", "age") == ["`age`", "`float64`", "", "25.0%", "", ""]


def test_odd_names_are_shown_as_they_are(project):
    pd.DataFrame([[None] * len(NASTY)], columns=NASTY).to_parquet(project / "data" / "raw" / "towns.parquet")
    lock(project)
    update_catalog(project)
    shown = mistune.create_markdown(escape=False, plugins=["table"])(
        page(project, "raw-towns.md").partition("## Columns")[2]
    )
    rows = [re.findall(r"<td.*?>(.*?)</td>", line, re.DOTALL) for line in shown.split("<tr>")[2:]]
    assert [len(cells) for cells in rows] == [6] * len(NASTY)
    assert [html.unescape(re.sub(r"</?code>", "", cells[0])) for cells in rows] == NASTY
    assert prose("a|b `c`\n<d> &amp;") == r"a\|b \`c\` \<d> \&amp;"


def test_two_thousand_columns_work(project):
    frame = pd.DataFrame({f"column {number}": ["", "x"] if number % 2 else [1, 2] for number in range(2000)})
    frame.to_parquet(project / "data" / "raw" / "towns.parquet")
    lock(project)
    update_catalog(project)
    assert page(project, "raw-towns.md").count("\n| `column ") == 2000
    assert row(project, "raw-towns.md", "column 1")[3] == "50.0%"


def test_missing_values_are_counted_with_and_without_statistics(tmp_path):
    frame = pd.DataFrame(
        {
            "number": np.array([1, np.nan, np.nan], dtype="float32"),
            "text": ["", None, "x"],
            "long": ["x" * 9000, "", "y"],
            "none": [None, None, None],
            "list": [[1, 2], None, []],
            "day": pd.to_datetime(["2020-01-01", None, None]),
            "kind": pd.Categorical(["a", None, "a"]),
            "a.b": [1, 2, 3],
        }
    )
    expected = {"number": 2, "text": 2, "long": 1, "none": 3, "list": 1, "day": 2, "kind": 1, "a.b": 0}
    for options in ({}, {"write_statistics": False}, {"row_group_size": 2}):
        frame.to_parquet(tmp_path / "t.parquet", **options)
        assert {column.name: column.missing for column in read_facts(tmp_path / "t.parquet").columns} == expected
        frame.drop(columns="list").to_parquet(tmp_path / "t.parquet", **options)
        found = {column.name: column.missing for column in read_facts(tmp_path / "t.parquet").columns}
        assert found == {name: count for name, count in expected.items() if name != "list"}


def test_each_dataset_has_a_page_of_its_own():
    paths = ["data/raw/a b.parquet", "data/raw/a-b.parquet", "data/raw/A/b.parquet", "data/readme.parquet"]
    assert list(name_pages(dict.fromkeys(paths)).values()) == [
        "raw-a-b.md",
        "raw-a-b-2.md",
        "raw-A-b-3.md",
        "readme-2.md",
    ]


def test_figures_read_well():
    assert [show_bytes(size) for size in (None, 0, 999, 1000, 99_960, 3_195_642)] == [
        "",
        "0 B",
        "999 B",
        "1.0 kB",
        "100 kB",
        "3.2 MB",
    ]
    shares = [show_share(part, 100_000) for part in (0, 1, 250, 99_999, 100_000)]
    assert shares == ["0%", "<0.1%", "0.2%", ">99.9%", "100%"]
    assert show_share(0, 0) == "0%"
    assert table(["a", "n"], [["x", "1"]], right="n") == ["| a | n |", "| --- | ---: |", "| x | 1 |"]


def test_a_feature_means_what_the_feature_store_says(project, monkeypatch):
    (project / "pyproject.toml").write_text(PYPROJECT + 'views = "people_views:VIEWS"\n')
    (project / "code").mkdir()
    (project / "code" / "people_views.py").write_text(VIEWS)
    monkeypatch.setattr(sys, "path", [*sys.path])
    update_catalog(project)
    assert row(project, "interim-people.md", "age")[2:] == [
        "years",
        "25.0%",
        "",
        "age (feature view people, data science)",
    ]
    assert row(project, "raw-people.md", "age")[5] == "at the interview"
