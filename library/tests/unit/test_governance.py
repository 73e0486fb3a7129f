"""The duties of the EU AI Act and the thirteen requirements are optional: absent they are not asked, present they are checked."""

import copy
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from stagebook.card.facts import collect_facts
from stagebook.card.missing import left_to_people
from stagebook.card.write import write_cards
from stagebook.data.schema import read_schema
from stagebook.gate.check import check_evidence
from stagebook.gate.duties import find_empty_texts, find_open_duties
from stagebook.gate.evidence import Evidence
from stagebook.gate.requirements import THIRTEEN, read_requirements
from stagebook.model.task import Task
from stagebook.project.errors import DataError

OPTIONS = Path(__file__).resolve().parents[3] / "{{cookiecutter.project_slug}}" / "options"
BINARY = Task("binary", "late", ["no", "yes"])
FILES = {
    (data, governance): OPTIONS / folder / "docs" / "requirements.yaml"
    for data in ("flights", "own")
    for governance, folder in (("basic", f"data/{data}"), ("full", f"data+governance/{data}+full"))
}


def load(file):
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a file of the template after a change to its content."""

    def change_and_read(data, governance, change=lambda content: None):
        content = copy.deepcopy(load(FILES[data, governance]))
        change(content)
        file = tmp_path / "requirements.yaml"
        with file.open("w", encoding="utf-8") as stream:
            YAML().dump(content, stream)
        return read_requirements(file)

    return change_and_read


@pytest.mark.parametrize("file", FILES.values(), ids=map("-".join, FILES))
def test_each_file_of_the_template_can_be_read(file):
    said = read_requirements(file)
    assert all(gate.reason and gate.owner for gate in said.gates)
    assert set(said.requirements) == (set(THIRTEEN) if "full" in str(file) else set())
    assert bool(said.risk) is ("full" in str(file))


def test_the_file_of_the_flights_is_complete():
    for governance in ("basic", "full"):
        said = read_requirements(FILES["flights", governance])
        assert (find_empty_texts(said), find_open_duties(said)) == ([], [])


@pytest.mark.parametrize("data", ["flights", "own"])
def test_basic_has_the_thresholds_and_costs_of_full(data):
    basic, full = (read_requirements(FILES[data, governance]) for governance in ("basic", "full"))
    assert basic.costs.matrix == full.costs.matrix
    assert (basic.segments, basic.sensitive) == (full.segments, full.sensitive)
    said = [
        [(gate.name, gate.metric, gate.threshold, gate.at_most, gate.owner, gate.kinds) for gate in file.gates]
        for file in (basic, full)
    ]
    assert said[0] == [gate for gate in said[1] if gate[0] != "risk"]


def test_basic_asks_people_for_use_data_and_costs_and_nothing_else():
    said = read_requirements(FILES["own", "basic"])
    asked = {key.split(".")[0] for key in find_empty_texts(said)}
    assert asked == {"use", "data", "costs"}
    assert find_open_duties(said) == []


@pytest.mark.parametrize("governance", ["basic", "full"])
def test_duties_are_a_point_of_the_gate_only_if_the_file_has_them(governance):
    points = check_evidence(read_requirements(FILES["own", governance]), Evidence(task=BINARY, missing=[]))
    duties = [point for point in points if point.metric == "risk.duties"]
    assert [point.passed for point in duties] == ([False] if governance == "full" else [])


@pytest.mark.parametrize("governance", ["basic", "full"])
def test_cards_leave_out_what_the_file_has_not(tmp_path, governance):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "requirements.yaml").write_bytes(FILES["flights", governance].read_bytes())
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "p"\n', encoding="utf-8")
    write_cards(tmp_path, collect_facts(tmp_path), tmp_path / "card")
    card = (tmp_path / "card" / "model_card.md").read_text(encoding="utf-8")
    for section in ("## Risk (EU AI Act)", "## Requirements beyond accuracy"):
        assert (section in card) is (governance == "full")


def test_the_gate_of_duties_cannot_be_removed_while_there_are_duties(read):
    with pytest.raises(DataError, match=r"one must have `metric: risk.duties` with `at_most: 0`"):
        read("flights", "full", lambda content: content["gates"].pop("risk"))


def test_the_section_of_duties_cannot_be_removed_while_there_is_a_gate_for_it(read):
    with pytest.raises(DataError, match=r"gates.risk has `metric: risk.duties`, but there is no section `risk`"):
        read("flights", "full", lambda content: content.pop("risk"))


@pytest.mark.parametrize("empty", [None, {}])
def test_an_empty_section_is_not_an_absent_one(read, empty):
    said = read("flights", "full", lambda content: content.update(risk=empty))
    assert find_open_duties(said)[0].startswith("risk.category is empty")
    with pytest.raises(DataError, match=r"requirements.auto_scaling is missing"):
        read("flights", "full", lambda content: content.update(requirements=empty))


def test_a_gate_that_names_no_metric_is_refused_with_the_nearest(read):
    with pytest.raises(
        DataError, match=r"gates.size.metric: 'size_bm' is not known; did you mean 'size_mb'\? Known are"
    ):
        read("flights", "basic", lambda content: content["gates"]["size"].update(metric="size_bm"))


def test_what_is_left_to_people_names_texts_duties_and_tables(tmp_path):
    schema = tmp_path / "schema.yaml"
    schema.write_text("tables:\n  table:\n    columns:\n      a: {type: number}\n", encoding="utf-8")
    tables = read_schema(schema)
    left = left_to_people(read_requirements(FILES["own", "full"]), tables)
    assert left[0].startswith("docs/requirements.yaml: use.purpose, use.users")
    assert left[1].startswith("risk.category is empty")
    assert left[2:] == [f"data/schema.yaml: table table has no {key}" for key in ("description", "owner")]
    assert left_to_people(read_requirements(FILES["flights", "basic"]), tables) == left[2:]
