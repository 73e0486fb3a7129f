"""data/schema.yaml: what the raw tables must look like, and what their columns mean."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pandas as pd
from pandera.pandas import Check, DataFrameSchema
from pandera.pandas import Column as PanderaColumn
from pydantic import BeforeValidator, Field, PlainValidator, StrictBool, StrictInt, WithJsonSchema, model_validator
from pydantic.dataclasses import dataclass
from pydantic.json_schema import SkipJsonSchema

from ..project.yaml_files import as_line, read_yaml, write_yaml
from ..project.yaml_values import CONFIG, Names, Problem, Scalar, Section, Text, give_names, read_number

__all__ = ["Column", "Dataset", "Schema", "Table", "read_datasets", "read_schema", "to_pandera", "write_schema"]

Type = Literal["integer", "number", "boolean", "date", "category", "text"]
Role = Literal["feature", "target", "time", "label_time", "group", "identifier", "ignored"]
Mask = Literal["drop", "hash", "keep"]
Decimal = Literal["", ".", ","]
EDITOR = "# yaml-language-server: $schema=../vendor/stagebook/stagebook/schemas/schema.json\n"


def _read_limit(value: object) -> float | str:
    if isinstance(value, date):
        return str(value)  # libyaml cannot read a time of day between braces without quotes
    try:
        return datetime.fromisoformat(value) and value if isinstance(value, str) else read_number(value)
    except ValueError:
        raise Problem(f"is {value!r}; it must be a number, or a date such as 2024-01-31.") from None


Limit = Annotated[float | str, PlainValidator(_read_limit), WithJsonSchema({"type": ["number", "string"]})]


def _described(description: str, default: object = "") -> object:
    return Field(default=default, description=description)


@dataclass(frozen=True, config=CONFIG)
class Column(Section):
    """One column; the attributes are the keys of its line in data/schema.yaml."""

    GIVEN: ClassVar = frozenset({"name"})

    name: SkipJsonSchema[Text]
    type: Type = Field(description="integer, number, boolean, date, category or text")
    role: Role = _described("What the column is for. A model sees only features.", "feature")
    why: Text = _described("Reason of the role or of the mask")
    missing: StrictBool = _described("May values be missing?", True)
    missing_values: list[Scalar] = Field(default_factory=list, description="Values that stand for a missing one")
    decimal: Decimal = _described("Decimal mark of numbers in text; empty: what most values fit", "")
    day_first: StrictBool | None = _described("Is 03/04/2024 in April? Empty: the column decides", None)
    suffixes: Names = Field(default_factory=list, description="What stands behind numbers: a unit, or k and M")
    min: Limit | None = _described("Smallest allowed number or date", None)
    max: Limit | None = _described("Largest allowed number or date", None)
    pattern: Text | None = _described("Regular expression that each value must match", None)
    unit: Text = _described("Unit, for the catalog")
    description: Text = _described("Meaning, for the catalog")
    pii: StrictBool = _described("Is it personal data?", False)
    mask: Mask = _described("What is done with personal data before it leaves data/raw", "drop")

    @model_validator(mode="after")
    def _check_limits(self) -> "Column":
        for key in ("min", "max"):
            limit = getattr(self, key)
            if limit is not None and (self.type == "date") == isinstance(limit, int | float):
                fix = "a date such as 2024-01-31" if self.type == "date" else "a number"
                raise Problem(f"is {limit!r}; for a column of type {self.type} it must be {fix}.", key)
        return self

    @property
    def kind(self) -> str:
        """What statistics tell apart: number, boolean, date, category or text."""
        return "number" if self.type == "integer" else self.type


@dataclass(frozen=True, config=CONFIG)
class Table(Section):
    """One raw table, stored as data/raw/<name>.parquet."""

    GIVEN: ClassVar = frozenset({"name"})

    name: SkipJsonSchema[Text]
    columns: Annotated[dict[str, Column], BeforeValidator(give_names)] = Field(description="a line for each column")
    description: Text = _described("What one row is, for the catalog")
    owner: Text = _described("Who delivers the table")
    key: Names = Field(default_factory=list, description="Columns whose values together name a row")
    retention_days: StrictInt | None = _described("Age in days above which rows are dropped", None)
    joins: dict[Text, Names] = Field(default_factory=dict, description="Other table: columns that find its key")

    def with_role(self, role: str) -> list[str]:
        """Return the names of the columns that have this role."""
        return [column.name for column in self.columns.values() if column.role == role]


@dataclass(frozen=True, config=CONFIG)
class DatasetColumn(Section):
    """What a column that a step makes means."""

    description: Text = _described("Meaning, for the catalog")
    unit: Text = _described("Unit, for the catalog")
    pii: StrictBool = _described("Is it personal data?", False)


@dataclass(frozen=True, config=CONFIG)
class Dataset(Section):
    """What the table that a step makes means, for the catalog."""

    description: Text = _described("What one row is")
    owner: Text = _described("Who answers for it")
    columns: dict[Text, DatasetColumn] = Field(default_factory=dict, description="New columns only")


@dataclass(frozen=True, config=CONFIG)
class Schema(Section):
    """The whole file."""

    tables: Annotated[dict[str, Table], BeforeValidator(give_names)] = Field(description="the raw tables, by name")
    datasets: dict[Text, Dataset] = Field(default_factory=dict, description="What steps make of the tables")


def read_schema(path: str | Path) -> dict[str, Table]:
    """Read the tables of the schema file.

    Returns
    -------
    dict
        Table by name.

    Raises
    ------
    DataError
        The file is missing, is not YAML, or has a key or value that cannot be; the message names line, table and column.
    """
    return _read(path).tables


def read_datasets(path: str | Path) -> dict[str, Dataset]:
    """Read what the schema file says of the tables that steps make, by name or pattern; errors as of `read_schema`."""
    return _read(path).datasets


def _read(path: str | Path) -> Schema:
    return read_yaml(path, Schema, check=_find_strange_keys, name_keys=_name_keys)


def _find_strange_keys(schema: Schema) -> Iterator[Problem]:
    for name, table in schema.tables.items():
        for key in table.key:
            if key not in table.columns:
                yield Problem(f": {key!r} is a key but not a column.", "tables", name, "key")
        for other, keys in table.joins.items():
            for key in keys:
                if key not in table.columns:
                    yield Problem(f": {key!r} is a key but not a column.", "tables", name, "joins", other)


def _name_keys(keys: tuple, content: object) -> str:
    """Return table 'orders', column 'paid': `type`."""
    if keys[:1] != ("tables",) or len(keys) < 2:
        return ".".join(map(str, keys)) or "the file"
    column = len(keys) > 3 and keys[2] == "columns"
    rest = ".".join(map(str, keys[4:] if column else keys[2:]))
    return f"table {keys[1]!r}{f', column {keys[3]!r}' if column else ''}{f': `{rest}`' if rest else ''}"


def write_schema(tables: Mapping[str, Table], datasets: Mapping[str, dict], path: str | Path, header: str) -> None:
    """Write the schema file, a line per column, below the comment `header`.

    `datasets` is for the catalog: descriptions and owners of what steps make of the tables.
    """
    content = {}
    for name, table in tables.items():
        said = {each.name: _said(each, Column(each.name, each.type)) for each in table.columns.values()}
        columns = {column: as_line({"type": table.columns[column].type} | keys) for column, keys in said.items()}
        rest = {key: value for key, value in _said(table, Table(name, {})).items() if key != "columns"}
        content[name] = rest | {"columns": columns}
    write_yaml({"tables": content, "datasets": dict(datasets)}, path, EDITOR + header)


def _said(item: Column | Table, default: Column | Table) -> dict:
    """Return what is different from the default."""
    usual = asdict(default)
    return {key: value for key, value in vars(item).items() if key != "name" and value != usual[key]}


def to_pandera(table: Table) -> DataFrameSchema:
    """Return the checks of a table: these columns and no other, with these types, ranges, patterns and keys."""
    columns = {name: _pandera_column(column) for name, column in table.columns.items()}
    return DataFrameSchema(columns, strict=True, unique=table.key or None)


def _pandera_column(column: Column) -> PanderaColumn:
    kinds = {"integer": float if column.missing else int, "number": float, "boolean": "boolean"}
    kind = kinds.get(column.type, "datetime64[ns]" if column.type == "date" else str)
    as_limit = pd.Timestamp if column.type == "date" else lambda limit: limit
    checks = []
    if column.min is not None:
        checks.append(Check.ge(as_limit(column.min)))
    if column.max is not None:
        checks.append(Check.le(as_limit(column.max)))
    if column.pattern:
        checks.append(Check.str_matches(column.pattern))
    return PanderaColumn(kind, checks, nullable=column.missing, coerce=True)
