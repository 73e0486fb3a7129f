"""docs/behaviour.yaml: what a model must do, whatever its figures; each test is read and checked before it is run."""

from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML, YAMLError

from ..model.task import Task
from ..project.errors import DataError
from ..project.yaml_values import check_one_of, read_mapping, read_number, read_text

__all__ = ["FIGURES", "read_behaviour"]

KEYS = {
    "invariance": {"tolerance", "share"},
    "direction": {"prediction", "tolerance", "share"},
    "minimum": {"figure", "at_least", "at_most"},
}
ANY = {"name", "kind", "reason", "where", "set", "add", "shuffle", "class"}
LIMITS = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<="}
FIGURES = {"mean": "mean", "lowest": "min", "highest": "max"}


def read_behaviour(path: str | Path, table: pd.DataFrame, task: Task) -> list[dict]:
    """Return the tests of the file.

    Parameters
    ----------
    path : str or Path
        `tests: []` where nobody has stated any.
    table : DataFrame of shape (n_rows, n_columns)
        The hold-out: a test may name its features and keys.

    Raises
    ------
    DataError
        The file is missing or not YAML, or a test cannot be run; the message names file and test.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"{path} is missing. Git has it: `git checkout -- docs/behaviour.yaml`; without tests, `tests: []`."
        )
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        tests = read_mapping("the file", content, {"tests"}).get("tests") or []
        if not isinstance(tests, list):
            raise DataError(f"tests is {tests!r}; it must be a list.")
        tests = [_read_test(f"test {place}", test, table, task) for place, test in enumerate(tests, start=1)]
        if twice := [test["name"] for test in tests if sum(other["name"] == test["name"] for other in tests) > 1]:
            raise DataError(f"test {twice[0]!r} is there twice; give each a name of its own.")
    except (YAMLError, UnicodeError) as error:
        raise DataError(f"{path} is not YAML: {error}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return tests


def _read_test(where: str, test: object, table: pd.DataFrame, task: Task) -> dict:
    test = read_mapping(where, test)
    for key in ("name", "kind", "reason"):
        if not read_text(f"{where}.{key}", test.get(key)):
            raise DataError(f"{where} has no `{key}`.")
    where = f"test {test['name']!r}"
    check_one_of(f"{where}: kind", test["kind"], tuple(KEYS))
    read_mapping(where, test, ANY | KEYS[test["kind"]])
    test = {"where": {}, "set": {}, "add": {}, "shuffle": [], "tolerance": 0.0} | test
    _check_changes(where, test, table, task)
    _check_bar(where, test, task)
    return test


def _check_changes(where: str, test: dict, table: pd.DataFrame, task: Task) -> None:
    named = {key: list(read_mapping(f"{where}: {key}", test[key])) for key in ("where", "set", "add")}
    named["shuffle"] = test["shuffle"]
    if not isinstance(test["shuffle"], list):
        raise DataError(f"{where}: shuffle is {test['shuffle']!r}; it must be a list of columns.")
    for key, columns in named.items():
        for column in columns:
            if column == task.target or column not in table:
                there = ", ".join(name for name in table if name != task.target)
                raise DataError(f"{where}: {key} names {column!r}; the hold-out has {there}.")
    for column, value in [*test["set"].items(), *test["add"].items()]:
        if value is None and column in test["set"]:
            continue  # missing
        if pd.api.types.is_numeric_dtype(table[column]):
            read_number(f"{where}: {column}", value)
        elif column in test["add"] or not isinstance(value, str):
            raise DataError(f"{where}: {column} is {value!r}; the column is text: `set` it to a text in quotes.")
    for column, condition in test["where"].items():
        if isinstance(condition, dict):
            if not pd.api.types.is_numeric_dtype(table[column]):
                raise DataError(f"{where}: where {column}: the column is text; ask for a value or a list of values.")
            read_mapping(f"{where}: where {column}", condition, set(LIMITS))
            for limit, value in condition.items():
                read_number(f"{where}: where {column} {limit}", value)
    if test["kind"] != "minimum" and not (test["set"] or test["add"] or test["shuffle"]):
        raise DataError(f"{where} changes nothing; say what to `set`, to `add` or to `shuffle`.")


def _check_bar(where: str, test: dict, task: Task) -> None:
    read_number(f"{where}: tolerance", test["tolerance"])
    if "share" in test and not 0 < read_number(f"{where}: share", test["share"]) <= 1:
        raise DataError(f"{where}: share is {test['share']}; it must be above 0 and at most 1.")
    if test["kind"] == "direction":
        check_one_of(f"{where}: prediction", test.get("prediction"), ("not lower", "not higher"))
    if test["kind"] == "minimum":
        check_one_of(f"{where}: figure", test.get("figure"), tuple(FIGURES))
        if ("at_least" in test) == ("at_most" in test):
            raise DataError(f"{where}: give it `at_least` or `at_most`.")
        read_number(f"{where}: bar", test.get("at_least", test.get("at_most")))
    if "class" in test:
        test["class"] = str(test["class"])  # YAML reads the class 0 as a number
        check_one_of(f"{where}: class", test["class"], tuple(task.classes) or ("(none: the task is regression)",))
    elif task.kind == "multiclass":
        raise DataError(f"{where} has no `class`; say whose probability is meant: {', '.join(task.classes)}.")
