"""What errors cost, as docs/requirements.yaml says it."""

from ..model.task import Task
from ..project.errors import DataError
from ..project.yaml_values import read_mapping, read_number

__all__ = ["check_costs", "read_matrix"]


def read_matrix(matrix: dict) -> dict:
    """Return costs with class names as text: YAML reads the class 0 as a number."""
    if matrix.keys() <= {"too_high", "too_low"}:
        return {key: read_number(f"costs.matrix.{key}", cost) for key, cost in matrix.items()}
    return {_class(actual): _row(_class(actual), row) for actual, row in matrix.items()}


def _row(actual: str, row: object) -> dict[str, float]:
    where = f"costs.matrix.{actual}"
    return {_class(said): read_number(f"{where}.{said}", cost) for said, cost in read_mapping(where, row).items()}


def _class(name: object) -> str:
    if isinstance(name, bool) or name is None:
        raise DataError(f"costs.matrix: class {name!r} would be read as yes or no; put it in quotes.")
    return str(name)


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
