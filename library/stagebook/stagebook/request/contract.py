"""What a request to the model is: fields with their types, the model's inputs, and an example. One JSON file."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from ..data.conform import pin_formats
from ..data.privacy import personal_columns
from ..data.schema import Table
from ..model.task import Task
from ..project.errors import DataError
from ..project.files import write_json

__all__ = ["FILE", "Contract", "describe_requests", "feature_settings", "read_contract", "write_contract"]

FILE = "request.json"  # in data/processed, and beside the model in the registry
MOST_CHOICES = 30


@dataclass(frozen=True)
class Contract:
    """What a caller sends, and what the model gets.

    Attributes
    ----------
    table : Table
        The fields of a request as columns of data/schema.yaml, with their number and date formats decided.
    task : Task
    features : dict of str
        The inputs of the model in their order: `number` (float32) or `text`.
    settings : dict
        The section `features` of params.yaml, by which the features were made.
    example : dict
        A raw row that works; personal fields are left out.
    choices : dict of list
        Of each category the most frequent values, at most 30; others are allowed.
    """

    table: Table
    task: Task
    features: dict[str, str]
    settings: dict
    example: dict = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)

    @property
    def required(self) -> list[str]:
        """The fields that must have a value."""
        return [column.name for column in self.table.columns.values() if not column.missing]

    @property
    def key(self) -> list[str]:
        """The fields that name a row later, when its true value is known."""
        personal = personal_columns(self.table)
        names = self.table.key or self.table.with_role("identifier")
        return [name for name in names if name not in personal]


def describe_requests(
    raw: pd.DataFrame,
    table: Table,
    fields: list[str],
    task: Task,
    processed: pd.DataFrame,
    settings: dict | None = None,
) -> Contract:
    """Return the contract for requests that are rows of a raw table.

    Parameters
    ----------
    raw : DataFrame of shape (n_rows, n_columns)
        The raw table as it was delivered: it decides number and date formats.
    table : Table
        Its schema.
    fields : list of str
        The columns that a request has.
    task : Task
    processed : DataFrame of shape (n_rows, n_columns)
        A processed table: its columns, without target and keys, are the inputs of the model.
    settings : dict, optional
        What `prepare` needs to know, such as `feature_settings`.
    """
    if unknown := [name for name in fields if name not in table.columns]:
        raise DataError(f"data/schema.yaml, table {table.name!r}: there is no column {unknown[0]!r} for a request.")
    columns = {name: pin_formats(raw[name], table.columns[name]) for name in fields}
    key = [name for name in table.key if name in columns]
    request = Table(table.name, columns, description=table.description, key=key)
    inputs = processed.drop(columns=[task.target, *task.keys], errors="ignore")
    features = {name: "number" if pd.api.types.is_numeric_dtype(values) else "text" for name, values in inputs.items()}
    shown = [name for name in fields if name not in personal_columns(request)]
    choices = {
        name: raw[name].value_counts().index[:MOST_CHOICES].astype(str).tolist()
        for name in shown
        if columns[name].type == "category" and columns[name].role != "identifier" and raw[name].nunique() < 1_000
    }
    return Contract(request, task, features, settings or {}, choices=choices)


def feature_settings(params_file: str | Path) -> dict:
    """Return the section `features` of params.yaml."""
    return YAML(typ="safe").load(Path(params_file).read_text(encoding="utf-8")).get("features") or {}


def as_json(value: object) -> object:
    """Return a value of a table as JSON has it; dates as text."""
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def write_contract(contract: Contract, path: str | Path) -> None:
    """Write the contract; `read_contract` reads it."""
    write_json(asdict(contract), path)


def read_contract(path: str | Path) -> Contract:
    """Read a contract; raise DataError if it is missing or is none."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is missing. `dvc repro` makes it, `dvc pull` brings it from the remote.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        table = content.pop("table")
        columns = {name: {k: v for k, v in column.items() if k != "name"} for name, column in table["columns"].items()}
        table = Table(**table | {"columns": columns})
        return Contract(table, Task(**content.pop("task")), **content)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is no contract of this version of the library: {error}") from error
