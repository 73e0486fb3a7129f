"""What errors cost: the section `costs` of docs/requirements.yaml."""

from typing import Annotated

import numpy as np
from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic.dataclasses import dataclass

from ..model.task import Task
from ..project.errors import DataError
from ..project.yaml_values import CONFIG, Problem, Section, Text, TextLine, read_number

__all__ = ["Costs", "check_costs", "cost_matrix"]


def _read_matrix(matrix: object) -> dict:
    """Return costs with class names as text: YAML reads the class 0 as a number."""
    if not isinstance(matrix, dict):
        raise Problem(f"is {matrix!r}; write `key: value` lines below it.")
    if matrix.keys() <= {"too_high", "too_low"}:
        return {key: read_number(cost, key) for key, cost in matrix.items()}
    return {_class(actual): _row(actual, row) for actual, row in matrix.items()}


def _row(actual: object, row: object) -> dict[str, float]:
    if not isinstance(row, dict | None):
        raise Problem(f"is {row!r}; write `key: value` lines below it.", actual)
    return {_class(predicted): read_number(cost, actual, predicted) for predicted, cost in (row or {}).items()}


def _class(name: object) -> str:
    if isinstance(name, bool) or name is None:
        raise Problem(f": class {name!r} would be read as yes or no; put it in quotes.")
    return str(name)


NUMBERS = {"type": "object", "additionalProperties": {"type": "number"}}
MATRIX = {"type": "object", "additionalProperties": {"anyOf": [{"type": "number"}, NUMBERS]}}


@dataclass(frozen=True, config=CONFIG)
class Costs(Section):
    """What decisions cost, and why; the threshold of a binary model follows from it."""

    currency: TextLine = Field(default="", description="Currency of the costs, such as EUR")
    per: TextLine = Field(default="", description="What one row is, such as flight")
    matrix: Annotated[dict, PlainValidator(_read_matrix), WithJsonSchema(MATRIX)] = Field(
        default_factory=dict,
        description="{actual class: {predicted class: cost}}, or {too_high: cost, too_low: cost} per unit of the target",
    )
    reasons: dict[Text, TextLine] = Field(default_factory=dict, description="Why each cost is what it is")


def check_costs(matrix: dict, task: Task) -> None:
    """Raise DataError if the costs are for another task: classes that are not there, or costs of numbers for classes."""
    known = task.classes or ["too_high", "too_low"]
    rows = [matrix.keys(), *(row.keys() for row in matrix.values() if isinstance(row, dict))]
    flat = any(not isinstance(row, dict) for row in matrix.values())
    strange = [name for names in rows for name in names if name not in known]
    if strange or (matrix and flat != (task.kind == "regression")):
        raise DataError(
            f"docs/requirements.yaml: costs.matrix has {strange[0] if strange else matrix!r}; "
            f"this {task.kind} task knows {', '.join(map(repr, known))}."
        )


def cost_matrix(matrix: dict[str, dict[str, float]], task: Task) -> np.ndarray:
    """Return the cost of each decision, of shape (n_classes, n_classes): rows are actual classes, columns decisions.

    Parameters
    ----------
    matrix : dict of dict
        Actual class: decision: cost. What is left out costs nothing; if all is left out, each error costs 1.

    Raises
    ------
    DataError
        A class is unknown, or a right decision costs as much as a wrong one.
    """
    check_costs(matrix, task)
    if not matrix:
        return 1.0 - np.eye(len(task.classes))
    costs = np.array(
        [[matrix.get(actual, {}).get(predicted, 0.0) for predicted in task.classes] for actual in task.classes]
    )
    for code, name in enumerate(task.classes):
        if (np.delete(costs[code], code) <= costs[code, code]).any():
            raise DataError(
                f"docs/requirements.yaml: costs.matrix.{name}: each wrong decision must cost more than the right one."
            )
    return costs
