"""docs/behaviour.yaml: what a model must do, however good its metrics are; each test is read and checked before it is run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator
from pydantic.dataclasses import dataclass

from ...model.task import Task
from ...project.yaml_files import read_yaml
from ...project.yaml_values import CONFIG, Number, Problem, Section, Text, TextLine, read_number

__all__ = ["FIGURES", "Direction", "Invariance", "Minimum", "read_behaviour"]

FIGURES = {"mean": "mean", "lowest": "min", "highest": "max"}
Value = Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean", "null"]})]


@dataclass(frozen=True, config=CONFIG)
class Limits(Section):
    """Limits of the numbers in a column."""

    above: Number | None = None
    at_least: Number | None = None
    below: Number | None = None
    at_most: Number | None = None


def _not_empty(text: str) -> str:
    if not text:
        raise Problem("is empty. Write it.")
    return text


def _share(number: float) -> float:
    if not 0 < number <= 1:
        raise Problem(f"is {number}; it must be above 0 and at most 1.")
    return number


Condition = Annotated[
    Annotated[Limits, Tag("limits")] | Annotated[list[Value], Tag("values")] | Annotated[Value, Tag("value")],
    Discriminator(lambda given: {dict: "limits", Limits: "limits", list: "values"}.get(type(given), "value")),
]
Name = Annotated[TextLine, AfterValidator(_not_empty)]
Share = Annotated[Number, AfterValidator(_share)]
# YAML reads the class 0 as a number.
Class = Annotated[Text, BeforeValidator(lambda name: str(name)), WithJsonSchema({"type": ["string", "number"]})]


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Test(Section):
    """What all tests have: which rows are looked at, and how they are changed."""

    __test__ = False  # pytest: this is no test case

    name: Name = Field(description="what the test is called in reports")
    reason: Name = Field(description="why the model must do this")
    where: dict[Text, Condition] = Field(default_factory=dict, description="column: value, list of values, or limits")
    set: dict[Text, Value] = Field(default_factory=dict, description="column: new value; null is a missing value")
    add: dict[Text, Number] = Field(default_factory=dict, description="column: number that is added")
    shuffle: list[Text] = Field(default_factory=list, description="columns whose values are shuffled")
    class_: Class | None = Field(default=None, alias="class", description="class whose probability is meant")


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Change(Test):
    """A test that compares predictions before and after a change of the rows."""

    tolerance: Number = Field(default=0.0, description="size of a move of the prediction that is allowed")
    share: Share | None = Field(default=None, description="share of rows that must do so; if left out, their mean must")

    @model_validator(mode="after")
    def _check_change(self) -> "Change":
        if not (self.set or self.add or self.shuffle):
            raise Problem("changes nothing; write what to `set`, to `add` or to `shuffle`.")
        return self


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Invariance(Change):
    """The prediction must stay."""

    kind: Literal["invariance"] = Field(description="invariance: the prediction must stay")


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Direction(Change):
    """The prediction must not move in one direction."""

    kind: Literal["direction"] = Field(description="direction: the prediction must not move in one direction")
    prediction: Literal["not lower", "not higher"] = Field(description="not lower or not higher")


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Minimum(Test):
    """A statistic of the predictions must reach a threshold."""

    kind: Literal["minimum"] = Field(description="minimum: a statistic of the predictions must reach a threshold")
    figure: Literal[tuple(FIGURES)] = Field(description="mean, lowest or highest prediction")
    at_least: Number | None = Field(default=None, description="the figure must not be below this threshold")
    at_most: Number | None = Field(default=None, description="the figure must not be above this threshold")

    @model_validator(mode="after")
    def _check_threshold(self) -> "Minimum":
        if (self.at_least is None) == (self.at_most is None):
            raise Problem(": give it `at_least` or `at_most`.")
        return self


@dataclass(frozen=True, config=CONFIG)
class Behaviour(Section):
    """The whole file."""

    tests: list[Annotated[Invariance | Direction | Minimum, Field(discriminator="kind")]] = Field(
        default_factory=list, description="What the model must do"
    )


def read_behaviour(path: str | Path, table: pd.DataFrame, task: Task) -> list[Test]:
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
        The file is missing or not YAML, or a test cannot be run; the message names line and test.
    """
    hint = "; without tests, `tests: []`"
    check = lambda file: _find_problems(file.tests, table, task)
    return read_yaml(path, Behaviour, check=check, name_keys=_name_keys, hint=hint).tests


def _name_keys(keys: tuple, content: object) -> str:
    """Return test 'late airport': where rain."""
    if len(keys) < 2:
        return "".join(keys) or "the file"
    test = content["tests"][keys[1]]
    name = test.get("name") if isinstance(test, dict) else None
    rest = " ".join(str(key) for key in keys[2:] if not isinstance(key, int))
    return f"test {repr(name) if name and isinstance(name, str) else keys[1] + 1}{f': {rest}' if rest else ''}"


def _find_problems(tests: list[Test], table: pd.DataFrame, task: Task) -> Iterator[Problem]:
    """Yield what the tests name that the hold-out or the task has not."""
    names = [test.name for test in tests]
    for place, test in enumerate(tests):
        where = ("tests", place)
        if test.name in names[:place]:
            yield Problem("is there twice; give each a name of its own.", *where)
        yield from _find_strange_columns(test, table, task, where)
        classes = tuple(task.classes) or ("(none: the task is regression)",)
        if test.class_ is not None and test.class_ not in classes:
            yield Problem(f"is {test.class_!r}; it must be one of {', '.join(classes)}.", *where, "class")
        if test.class_ is None and task.kind == "multiclass":
            sentence = f"has no `class`; write whose probability is meant: {', '.join(task.classes)}."
            yield Problem(sentence, *where)


def _find_strange_columns(test: Test, table: pd.DataFrame, task: Task, where: tuple) -> Iterator[Problem]:
    there = [name for name in table if name != task.target]
    for key in ("where", "set", "add", "shuffle"):
        for column in getattr(test, key):
            if column not in there:
                yield Problem(f"names {column!r}; the hold-out has {', '.join(there)}.", *where, key)
            elif problem := _find_strange_value(test, key, column, pd.api.types.is_numeric_dtype(table[column])):
                yield Problem(problem, *where, key, column)


def _find_strange_value(test: Test, key: str, column: str, numeric: bool) -> str:
    """Return what is wrong with a value for a column of numbers or of text; nothing if it fits."""
    if key == "where":
        limits = isinstance(test.where[column], Limits) and not numeric
        return ": the column is text; ask for a value or a list of values." if limits else ""
    value = None if key == "shuffle" else getattr(test, key)[column]
    if value is None:
        return ""
    if not numeric:
        fits = key == "set" and isinstance(value, str)
        return "" if fits else f"is {value!r}; the column is text: `set` it to a text in quotes."
    try:
        read_number(value)
    except Problem as problem:
        return str(problem)
    return ""
