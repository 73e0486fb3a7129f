"""docs/requirements.yaml: what cannot be is refused with its key and the fix; what is empty keeps the gate closed."""

import copy
import re

import pytest
from ruamel.yaml import YAML
from stagebook.evaluate.costs import check_costs
from stagebook.gate.duties import find_empty_texts, find_open_duties
from stagebook.gate.requirements import THIRTEEN, read_requirements
from stagebook.model.task import Task
from stagebook.project.errors import DataError


def make_gate(metric, **threshold):
    return {"metric": metric, **threshold, "owner": "product owner", "reason": "because"}


CONTENT = {
    "use": {"purpose": "warn", "users": "the desk", "not_for": "safety", "limits": "one year"},
    "data": {"collected": "by hand", "licence": "CC0", "shared_with": "anybody"},
    "risk": {"category": "minimal", "reason": "no persons"},
    "costs": {"currency": "EUR", "per": "row", "matrix": {"too_high": 1.0}, "reasons": {"too high": "waste"}},
    "segments": ["origin"],
    "sensitive": [],
    "gates": {
        "beats_trivial": make_gate("gain.trivial", at_least=0.1),
        "beats_baseline": make_gate("gain.baseline", at_least=0.02),
        "beats_champion": make_gate("gain.champion", at_least=0),
        "risk": make_gate("risk.duties", at_most=0),
        "documentation": make_gate("card.missing", at_most=0),
        "fairness": make_gate("inspection.fairness_difference", at_most=0.1),
        "size": make_gate("size_mb", at_most=50),
    },
    "requirements": {name: {"threshold": "so much", "check": "make test"} for name in THIRTEEN},
}


@pytest.fixture
def read(tmp_path):
    """Read a good file after a change: a path of keys, and the value, or no value to leave the key out."""

    def change_and_read(*path, **value):
        content = copy.deepcopy(CONTENT)
        *folders, last = path
        place = content
        for key in folders:
            place = place[key]
        if value:
            place[last] = value["to"]
        else:
            del place[last]
        return read_content(tmp_path, content)

    return change_and_read


def read_content(folder, content):
    file = folder / "requirements.yaml"
    with file.open("w", encoding="utf-8") as stream:
        YAML().dump(content, stream)
    return read_requirements(file)


def test_a_whole_file_can_be_read(tmp_path):
    said = read_content(tmp_path, CONTENT)
    assert set(said.requirements) == set(THIRTEEN) and len(THIRTEEN) == 13
    assert all(gate.reason and gate.owner for gate in said.gates)


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        (["use", "aim"], "x", "use: `aim` is not known; there is limits, not_for, purpose, users"),
        (["gate"], {}, "the file: `gate` is not known"),
        (["use", "purpose"], 3, "use.purpose is 3; it must be text. Put it in quotes."),
        (["use"], "all", "use is 'all'; write `key: value` lines below it."),
        (
            ["risk", "category"],
            "low",
            "risk.category is 'low'; it must be one of minimal, limited, high, unacceptable.",
        ),
        (["risk", "logging"], "yes", "risk.logging is 'yes'; it must be true or false."),
        (["segments"], "origin", "segments is 'origin'; it must be a list of column names"),
        (["sensitive"], [1], "sensitive is [1]; it must be a list of column names"),
        (["costs", "matrix"], {"a": {"b": "much"}}, "costs.matrix.a.b is 'much'; it must be a number."),
        (["costs", "matrix"], {"a": {"b": float("nan")}}, "costs.matrix.a.b is nan; it must be a number."),
        (["costs", "matrix"], {True: {"b": 1}}, "costs.matrix: class True would be read as yes or no"),
        (["gates", "size", "at_least"], 1, "gates.size has at_most and at_least; give it either"),
        (
            ["gates", "size"],
            make_gate("size_mb"),
            "gates.size has no threshold; give it either `at_most` or `at_least`.",
        ),
        (
            ["gates", "size"],
            {"metric": "size_mb"},
            "gates.size has no `owner`. Write it: who may change the threshold.",
        ),
        (["gates", "size"], {"figure": "size_mb"}, "gates.size: `figure` is now called `metric`. Rename the key."),
        (["gates", "size", "ownr"], "me", "gates.size: `ownr` is not known"),
        (["gates", "size", "onwer"], "me", "Did you mean `owner`?"),
        (["gates", "size", "at_most"], float("inf"), "gates.size.at_most is inf; it must be a number."),
        (["gates", "size", "at_most"], True, "gates.size.at_most is True; it must be a number."),
        (["gates", "size", "owner"], "me", "gates.size.owner is 'me'; it must be one of product owner,"),
        (["gates", "size", "reason"], "", "gates.size.reason is empty; a gate has a metric, an owner and a reason."),
        (["gates", "size", "for"], ["ranking"], "gates.size.for is 'ranking'; it must be one of binary,"),
        (["requirements", "speed"], {}, "requirements: `speed` is not known"),
        (
            ["requirements", "trust"],
            {"threshold": "x"},
            "requirements.trust: give it `threshold` with `gate` or `check`",
        ),
        (
            ["requirements", "trust"],
            {"threshold": "x", "gate": "luck"},
            "requirements.trust.gate is 'luck'; it must be one of",
        ),
        (
            ["requirements", "trust"],
            {"bar": "x", "gate": "size"},
            "requirements.trust: `bar` is now called `threshold`. Rename the key.",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_file_key_value_and_fix(read, path, to, message):
    with pytest.raises(DataError) as refused:
        read(*path, to=to)
    assert re.search(r"requirements\.yaml, line \d+: ", str(refused.value)) and message in str(refused.value)


def test_a_requirement_cannot_be_forgotten(read):
    with pytest.raises(
        DataError, match=r"requirements.safety is missing; give it a `threshold`, or write `not_needed_because`"
    ):
        read("requirements", "safety")


@pytest.mark.parametrize("gate", ["beats_trivial", "beats_baseline", "beats_champion", "risk", "documentation"])
def test_the_last_gates_cannot_be_removed(read, gate):
    with pytest.raises(DataError, match="it cannot be left out"):
        read("gates", gate)


@pytest.mark.parametrize(
    ("gate", "key", "to"),
    [
        ("risk", "at_most", 3),
        ("documentation", "at_most", 1),
        ("beats_baseline", "at_least", -1),
        ("beats_baseline", "for", ["regression"]),
    ],
)
def test_the_last_gates_cannot_be_opened(read, gate, key, to):
    with pytest.raises(DataError, match="it cannot be left out"):
        read("gates", gate, key, to=to)


def test_a_threshold_the_wrong_way_round_does_not_count(read):
    turned = {key: value for key, value in CONTENT["gates"]["beats_baseline"].items() if key != "at_least"}
    with pytest.raises(DataError, match=r"`metric: gain.baseline` with `at_least: 0 or more`"):
        read("gates", "beats_baseline", to=turned | {"at_most": 0})


@pytest.mark.parametrize("text", ["use: [", "use: {purpose: a, purpose: b}", "", "- a", "\x00"])
def test_what_is_no_file_of_requirements_is_one_message(tmp_path, text):
    file = tmp_path / "requirements.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"requirements.yaml"):
        read_requirements(file)


def test_a_missing_file_says_where_it_is_from(tmp_path):
    with pytest.raises(DataError, match=r"is missing\. Git has it"):
        read_requirements(tmp_path / "requirements.yaml")


def test_classes_that_yaml_reads_as_numbers_are_their_names(read):
    said = read("costs", "matrix", to={0: {1: 5}, 1: {0: 2.5}})
    assert said.costs.matrix == {"0": {"1": 5}, "1": {"0": 2.5}}
    check_costs(said.costs.matrix, Task("binary", "target", ["0", "1"]))


@pytest.mark.parametrize(
    ("matrix", "task"),
    [
        ({"on time": {"late": 1}}, Task("binary", "late", ["no", "yes"])),
        ({"no": {"late": 1}}, Task("binary", "late", ["no", "yes"])),
        ({"no": {"yes": 1}}, Task("regression", "delay")),
        ({"too_high": 1}, Task("binary", "late", ["no", "yes"])),
    ],
)
def test_costs_of_another_task_are_refused(matrix, task):
    with pytest.raises(DataError, match=f"docs/requirements.yaml: costs.matrix has .* this {task.kind} task knows"):
        check_costs(matrix, task)


@pytest.mark.parametrize(("matrix", "kind"), [({}, "binary"), ({}, "regression"), ({"too_low": 2}, "regression")])
def test_costs_that_fit_are_taken(matrix, kind):
    check_costs(matrix, Task(kind, "y", ["a", "b"] if kind == "binary" else []))


def test_a_good_file_leaves_nothing_open(tmp_path):
    said = read_content(tmp_path, CONTENT)
    assert find_empty_texts(said) == [] and find_open_duties(said) == []
    assert vars(said.costs) == CONTENT["costs"]


def test_empty_texts_are_named_not_refused(read):
    assert "use.limits" in find_empty_texts(read("use", "limits", to=""))
    assert "use.limits" in find_empty_texts(read("use", "limits", to=None))
    assert "use.limits" in find_empty_texts(read("use", "limits"))
    bare = {"threshold": "", "check": "tests"}
    assert "requirements.safety.threshold" in find_empty_texts(read("requirements", "safety", to=bare))
    unasked = {"not_needed_because": " "}
    assert "requirements.safety.not_needed_because" in find_empty_texts(read("requirements", "safety", to=unasked))


def test_costs_need_a_currency_and_reasons(read):
    said = read("costs", to={"matrix": {"a": {"b": 1}}, "reasons": {"mistake": ""}})
    assert {"costs.currency", "costs.per", "costs.reasons.mistake"} <= set(find_empty_texts(said))
    assert {"costs.currency", "costs.matrix"} <= set(find_empty_texts(read("costs", to={})))


HIGH = {
    "category": "high",
    "reason": "it decides on loans",
    "transparency": "the letter says so",
    "human_oversight": "two clerks read each refusal",
    "logging": True,
}


@pytest.mark.parametrize(
    ("risk", "sensitive", "left"),
    [
        ({}, [], ["risk.category is empty; choose one of minimal"]),
        ({"category": "minimal"}, [], ["risk.reason is empty"]),
        ({"category": "minimal", "reason": "no persons"}, [], []),
        ({"category": "limited", "reason": "a chat"}, [], ["risk.transparency is empty"]),
        ({"category": "limited", "reason": "a chat", "transparency": "it says so"}, [], []),
        ({"category": "unacceptable", "reason": "scores people"}, ["sex"], ["risk.category is unacceptable"]),
        (HIGH, ["sex"], []),
        (HIGH, [], ["sensitive is empty"]),
        (HIGH | {"human_oversight": ""}, ["sex"], ["risk.human_oversight is empty"]),
        (HIGH | {"logging": False}, ["sex"], ["risk.logging is false"]),
        (HIGH | {"transparency": " "}, ["sex"], ["risk.transparency is empty"]),
    ],
)
def test_each_category_of_risk_has_its_duties(tmp_path, risk, sensitive, left):
    said = read_content(tmp_path, CONTENT | {"risk": risk, "sensitive": sensitive})
    open_duties = find_open_duties(said)
    assert len(open_duties) == len(left)
    assert all(duty.startswith(start) for duty, start in zip(open_duties, left, strict=True))


def test_high_risk_without_a_gate_for_fairness_is_a_duty_left_open(tmp_path):
    gates = {name: keys for name, keys in CONTENT["gates"].items() if name != "fairness"}
    content = CONTENT | {"risk": HIGH, "sensitive": ["sex"], "gates": gates}
    [duty] = find_open_duties(read_content(tmp_path, content))
    assert "needs a threshold for fairness" in duty
