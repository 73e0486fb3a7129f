"""data/schema.yaml: what the raw tables must look like, and what their columns mean."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from pandera.pandas import Check, DataFrameSchema
from pandera.pandas import Column as PanderaColumn
from ruamel.yaml import YAML, YAMLError

from ..project.errors import DataError
from ..project.files import replace_file

__all__ = ["Column", "Table", "read_schema", "to_pandera", "write_schema"]

TYPES = ("integer", "number", "boolean", "date", "category", "text")
ROLES = ("feature", "target", "time", "label_time", "group", "identifier", "ignored")
MASKS = ("drop", "hash", "keep")


@dataclass(frozen=True)
class Column:
    """One column; the attributes are the keys of its line in data/schema.yaml."""

    name: str
    type: str
    role: str = "feature"
    why: str = ""
    missing: bool = True
    missing_values: list = field(default_factory=list)
    min: float | None = None
    max: float | None = None
    pattern: str | None = None
    unit: str = ""
    description: str = ""
    pii: bool = False
    mask: str = "drop"

    @property
    def kind(self) -> str:
        """What statistics tell apart: number, boolean, date, category or text."""
        return "number" if self.type == "integer" else self.type


@dataclass(frozen=True)
class Table:
    """One raw table, stored as data/raw/<name>.parquet."""

    name: str
    columns: dict[str, Column]
    description: str = ""
    owner: str = ""
    key: list = field(default_factory=list)
    retention_days: int | None = None
    joins: dict = field(default_factory=dict)

    def with_role(self, role: str) -> list[str]:
        """Return the names of the columns that have this role."""
        return [column.name for column in self.columns.values() if column.role == role]


def read_schema(path: str | Path) -> dict[str, Table]:
    """Read the schema file.

    Returns
    -------
    dict
        Table by name.

    Raises
    ------
    DataError
        The file is missing, is not YAML, or says something that is not known; the message names table and column.
    """
    path = Path(path)
    try:
        tables = YAML(typ="safe").load(path.read_text(encoding="utf-8"))["tables"]
        return {name: _table(str(name), content) for name, content in tables.items()}
    except OSError as error:
        raise DataError(f"{path} is missing. Git has it: `git checkout -- {path.name}`.") from error
    except (YAMLError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} cannot be used: {error}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _table(name: str, content: dict) -> Table:
    columns = {column: _column(name, column, keys) for column, keys in content["columns"].items()}
    known = {"description", "owner", "key", "retention_days", "joins"}
    _check_keys(f"table {name!r}", content, known | {"columns"})
    named = [*content.get("key", []), *(key for keys in content.get("joins", {}).values() for key in keys)]
    if strange := [key for key in named if key not in columns]:
        raise DataError(f"table {name!r}: {strange[0]!r} is a key but not a column.")
    return Table(name, columns, **{key: content[key] for key in known & set(content)})


def _column(table: str, name: object, keys: dict) -> Column:
    where = f"table {table!r}, column {name!r}"
    if not isinstance(name, str):
        raise DataError(f"{where}: write the name in quotes.")
    _check_keys(where, keys, {field.name for field in fields(Column)} - {"name"})
    column = Column(name, **({"type": ""} | keys))
    for key, allowed in (("type", TYPES), ("role", ROLES), ("mask", MASKS)):
        if getattr(column, key) not in allowed:
            raise DataError(f"{where}: `{key}` is {getattr(column, key)!r}; it must be one of {', '.join(allowed)}.")
    return column


def _check_keys(where: str, content: dict, known: set[str]) -> None:
    if unknown := sorted(map(str, set(content) - known)):
        raise DataError(f"{where}: `{unknown[0]}` is not known; there is {', '.join(sorted(known))}.")


def write_schema(tables: dict[str, Table], datasets: dict[str, dict], path: str | Path, header: str) -> None:
    """Write the schema file, a line per column, below the comment `header`.

    `datasets` is for the catalog: descriptions and owners of what steps make of the tables.
    """
    yaml = YAML()
    yaml.width, yaml.allow_unicode = 10_000, True
    content = yaml.map()
    for name, table in tables.items():
        columns = yaml.map()
        for column in table.columns.values():
            columns[column.name] = yaml.map(**{"type": column.type} | _said(column, Column(column.name, column.type)))
            columns[column.name].fa.set_flow_style()
        rest = {key: value for key, value in _said(table, Table(name, {})).items() if key != "columns"}
        content[name] = yaml.map(**rest, columns=columns)
    with replace_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(header)
        yaml.dump({"tables": content, "datasets": datasets}, file)


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
    checks = []
    if column.min is not None:
        checks.append(Check.ge(column.min))
    if column.max is not None:
        checks.append(Check.le(column.max))
    if column.pattern:
        checks.append(Check.str_matches(column.pattern))
    return PanderaColumn(kind, checks, nullable=column.missing, coerce=True)
