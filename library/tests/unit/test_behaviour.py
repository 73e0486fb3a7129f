"""Behavioural tests: each kind fails when the model misbehaves, and a test that cannot be run names file and entry."""

import numpy as np
import pandas as pd
import pytest
from stagebook.evaluate.inspection.behaviour import run_behaviour
from stagebook.evaluate.inspection.behaviour_file import read_behaviour
from stagebook.model.task import Task
from stagebook.project.errors import DataError

BINARY, THREE, VALUE = (
    Task("binary", "y", ["no", "yes"]),
    Task("multiclass", "y", ["0", "1", "2"]),
    Task("regression", "y"),
)
TABLE = pd.DataFrame(
    {"rain": np.float32([0, 0.1, 0.2, np.nan, 0]), "carrier": ["EV", "UA", "UA", "", "EV"], "y": [0, 1, 1, 0, 0]}
)
START = "tests:\n  - name: t\n    reason: because\n    kind: "


def run(tmp_path, text, predict, task=BINARY, table=TABLE):
    file = tmp_path / "behaviour.yaml"
    file.write_text(text if text.startswith("tests") else START + text)
    return run_behaviour(read_behaviour(file, table, task), table, task, predict, where=str(file))


def wet(table):
    """Says more the more it rains, and knows EV."""
    return (0.2 + table["rain"].fillna(0) + 0.1 * (table["carrier"] == "EV")).to_numpy()


@pytest.mark.parametrize(
    ("text", "passed", "measured"),
    [
        ("invariance\n    set: {carrier: ZZ}\n    tolerance: 0.15\n    share: 1", True, 1.0),
        ("invariance\n    set: {carrier: ZZ}\n    tolerance: 0.05\n    share: 0.7", False, 0.6),
        ("invariance\n    set: {carrier: ZZ}\n    tolerance: 0.05", True, 0.04),
        ("invariance\n    set: {carrier: ZZ}\n    tolerance: 0.03", False, 0.04),
        ("invariance\n    set: {rain: null}\n    tolerance: 0.15\n    share: 1", False, 0.8),
        ("invariance\n    shuffle: [y2]\n    share: 1", True, 1.0),
        ("direction\n    add: {rain: 0.1}\n    prediction: not lower\n    share: 1", True, 1.0),
        ("direction\n    add: {rain: 0.1}\n    prediction: not higher", False, 0.06),
        ("direction\n    add: {rain: -0.1}\n    prediction: not lower\n    share: 0.9", False, 0.6),
        ("direction\n    add: {rain: -0.1}\n    prediction: not lower\n    tolerance: 0.11\n    share: 0.9", True, 1.0),
        ("direction\n    add: {rain: 0.1}\n    prediction: not lower\n    class: 'no'\n    share: 1", False, 0.4),
        ("minimum\n    where: {carrier: EV}\n    figure: mean\n    at_least: 0.25", True, 0.3),
        ("minimum\n    where: {carrier: EV}\n    figure: mean\n    at_most: 0.25", False, 0.3),
        ("minimum\n    where: {rain: {above: 0, below: 0.15}}\n    figure: highest\n    at_most: 0.31", True, 0.3),
        ("minimum\n    where: {carrier: [UA, '']}\n    figure: lowest\n    at_least: 0.25", False, 0.2),
    ],
)
def test_each_kind_passes_and_fails_as_it_must(tmp_path, text, passed, measured):
    result = run(tmp_path, text, wet, table=TABLE.assign(y2=range(5)))[0]
    assert (result["passed"], result["name"]) == (passed, "t") and result["measured"] == pytest.approx(measured)
    assert result["message"] and result["rows"] >= 1


def test_a_shuffled_column_that_the_model_uses_is_noticed(tmp_path):
    assert not run(tmp_path, "invariance\n    shuffle: [rain]\n    share: 1", wet)[0]["passed"]


def test_added_amounts_stay_within_the_table_and_missing_values_stay_missing(tmp_path):
    seen = []
    run(
        tmp_path,
        "direction\n    add: {rain: 5}\n    prediction: not lower",
        lambda table: seen.append(table) or wet(table),
    )
    assert seen[0]["rain"].iloc[5:].tolist()[:3] == [np.float32(0.2)] * 3
    assert np.isnan(seen[0]["rain"].iloc[8]) and seen[0]["rain"].dtype == np.float32


def test_classes_and_values_are_tested_too(tmp_path):
    three = lambda table: np.eye(3)[(table["carrier"] == "EV").astype(int)]
    text = "minimum\n    where: {carrier: EV}\n    class: 1\n    figure: lowest\n    at_least: 1"
    assert run(tmp_path, text, three, THREE)[0]["passed"]
    assert not run(tmp_path, text.replace("class: 1", "class: 0"), three, THREE)[0]["passed"]
    assert run(tmp_path, "direction\n    add: {rain: 0.1}\n    prediction: not lower", wet, VALUE)[0]["passed"]


@pytest.mark.parametrize("text", ["tests: []\n", "tests:\n", "# nothing yet\n"])
def test_no_tests_are_no_error(tmp_path, text):
    file = tmp_path / "behaviour.yaml"
    file.write_text(text)
    assert read_behaviour(file, TABLE, BINARY) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("symmetry", "test 't': kind is 'symmetry'; it must be one of invariance, direction, minimum"),
        ("invariance\n    set: {snow: 1}", "test 't': set names 'snow'; the hold-out has rain, carrier"),
        ("invariance\n    set: {y: 1}", "test 't': set names 'y'; the hold-out has rain, carrier."),
        ("invariance\n    share: 1", "test 't' changes nothing"),
        ("invariance\n    set: {rain: wet}", "test 't': set rain is 'wet'; it must be a number"),
        ("invariance\n    set: {rain: 1}\n    tolerence: 1", "test 't': `tolerence` is not known"),
        (
            "direction\n    add: {carrier: 1}\n    prediction: not lower",
            "test 't': add carrier is 1; the column is text",
        ),
        (
            "direction\n    add: {rain: 1}\n    prediction: up",
            "test 't': prediction is 'up'; it must be one of not lower",
        ),
        ("direction\n    add: {rain: 1}\n    prediction: not lower\n    share: 95", "test 't': share is 95"),
        ("minimum\n    figure: mean", "test 't': give it `at_least` or `at_most`"),
        ("minimum\n    figure: median\n    at_most: 1", "test 't': figure is 'median'"),
        ("minimum\n    figure: mean\n    at_most: 1\n    where: {rain: {over: 1}}", "where rain: `over` is not known"),
        (
            "minimum\n    figure: mean\n    at_most: 1\n    where: {carrier: {above: 1}}",
            "where carrier: the column is text",
        ),
        (
            "minimum\n    figure: mean\n    at_most: 1\n    where: {carrier: XX, rain: {above: 1}}",
            "test 't': no row of the hold-out is as `where` asks: {'carrier': 'XX', 'rain': {'above': 1}}.",
        ),
        ("minimum\n    figure: mean\n    at_most: 1\n    class: maybe", "test 't': class is 'maybe'"),
        ("tests:\n  - kind: minimum\n", "test 1 has no `name`"),
        ("tests:\n  - minimum\n", "test 1 is 'minimum'"),
        ("tests: {a: 1}\n", "tests is {'a': 1}; it must be a list"),
        ("tests: [\n", "is not YAML"),
    ],
)
def test_a_bad_entry_names_file_and_entry(tmp_path, text, words):
    with pytest.raises(DataError) as error:
        run(tmp_path, text, wet)
    assert "behaviour.yaml" in str(error.value) and words in str(error.value)


def test_a_missing_file_and_a_name_used_twice_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.yaml is missing"):
        read_behaviour(tmp_path / "none.yaml", TABLE, BINARY)
    entry = "  - {name: t, reason: r, kind: minimum, figure: mean, at_most: 1}\n"
    with pytest.raises(DataError, match="test 't' is there twice"):
        run(tmp_path, "tests:\n" + entry * 2, wet)


def test_multiclass_tests_say_whose_probability(tmp_path):
    with pytest.raises(DataError, match="test 't' has no `class`; write whose probability is meant: 0, 1, 2"):
        run(tmp_path, "minimum\n    figure: mean\n    at_most: 1", wet, THREE)
