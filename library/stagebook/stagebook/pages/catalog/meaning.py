"""What tables and columns mean: data/schema.yaml, the feature store, and the data that a step read to make them."""

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ...data.schema import Dataset, Table, read_datasets, read_schema
from ...project.errors import DataError, StepError
from ...project.settings import load_views
from .graph import Graph

__all__ = ["ColumnMeaning", "Meanings", "TableMeaning", "dataset_name", "describe_features", "read_meanings"]


@dataclass(frozen=True)
class ColumnMeaning:
    """What a column is; `pii` says what is done with personal data, and is empty if it is none."""

    description: str = ""
    unit: str = ""
    pii: str = ""


@dataclass(frozen=True)
class TableMeaning:
    """What a dataset is; `raw` is its table in data/schema.yaml."""

    description: str = ""
    owner: str = ""
    columns: dict[str, ColumnMeaning] = field(default_factory=dict)
    raw: Table | None = None


def dataset_name(path: str) -> str:
    """Return the name of a dataset: `interim/flights` for data/interim/flights.parquet."""
    return str(PurePosixPath(path).relative_to("data").with_suffix(""))


class Meanings:
    """Finds the meaning of datasets and columns."""

    def __init__(
        self, graph: Graph, raw: dict[str, Table], said: dict[str, TableMeaning], features: dict[str, ColumnMeaning]
    ) -> None:
        self.graph, self.features = graph, features
        self.said = {f"raw/{name}": _from_table(table) for name, table in raw.items()} | said

    def table(self, path: str) -> TableMeaning:
        """Return what is said of a dataset: by its own name, else by a pattern such as `processed/*`."""
        name = dataset_name(path)
        found = [meaning for pattern, meaning in self.said.items() if fnmatchcase(name, pattern) and pattern != name]
        found = [*filter(None, [self.said.get(name)]), *found]
        columns = {column: meaning for table in reversed(found) for column, meaning in table.columns.items()}
        return TableMeaning(
            next((table.description for table in found if table.description), ""),
            next((table.owner for table in found if table.owner), ""),
            columns,
            found[0].raw if found else None,
        )

    def columns(self, path: str) -> dict[str, ColumnMeaning]:
        """Return the meaning of columns by name: own ones, features, then those of the data that the writing step reads.

        Of several tables that the step reads, one with the name of the dataset comes first, then those of
        data/schema.yaml in its order.
        """
        order = list(self.said)
        stem = PurePosixPath(path).stem
        reads = [read for read in self.graph.writer(path).reads if self.graph.outputs[read].is_table]
        reads.sort(key=lambda read: (PurePosixPath(read).stem != stem, _position(order, dataset_name(read))))
        found: dict[str, ColumnMeaning] = {}
        for meanings in map(self.columns, reads):
            for column, meaning in meanings.items():
                first = found.get(column, meaning)
                found[column] = replace(first, pii=first.pii or meaning.pii)
        for meanings in ({} if path.startswith("data/raw/") else self.features, self.table(path).columns):
            found |= {column: _fill(meaning, found.get(column)) for column, meaning in meanings.items()}
        return found


def _fill(meaning: ColumnMeaning, other: ColumnMeaning | None) -> ColumnMeaning:
    """Take from `other` what `meaning` leaves open."""
    return replace(other, **{key: value for key, value in vars(meaning).items() if value}) if other else meaning


def _position(order: list[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


def _from_table(table: Table) -> TableMeaning:
    columns = {
        column.name: ColumnMeaning(column.description, column.unit, column.mask if column.pii else "")
        for column in table.columns.values()
    }
    return TableMeaning(table.description, table.owner, columns, table)


def read_meanings(root: Path, graph: Graph) -> Meanings:
    """Read data/schema.yaml: `tables` are the raw ones, `datasets` what steps make of them."""
    file = root / "data" / "schema.yaml"
    if not file.is_file():
        return Meanings(graph, {}, {}, describe_features(load_views(root)))
    try:
        raw, datasets = read_schema(file), read_datasets(file)
    except DataError as error:
        raise StepError(str(error)) from error
    said = {name: _from_dataset(dataset) for name, dataset in datasets.items()}
    known = [dataset_name(path) for path, output in graph.outputs.items() if output.is_table]
    known = [name for name in known if name.removeprefix("raw/") not in raw]
    if strange := [pattern for pattern in said if not any(fnmatchcase(name, pattern) for name in known)]:
        raise StepError(f"{file}: `datasets` has `{strange[0]}`, which no step makes; there is {', '.join(known)}.")
    return Meanings(graph, raw, said, describe_features(load_views(root)))


def describe_features(views: tuple) -> dict[str, ColumnMeaning]:
    """Return the meaning of the features in the feature store."""
    return {
        name: ColumnMeaning(f"{feature.description} (feature view {view.name}, {view.owner})")
        for view in views
        for name, feature in view.features.items()
    }


def _from_dataset(dataset: Dataset) -> TableMeaning:
    columns = {
        name: ColumnMeaning(column.description, column.unit, "keep" if column.pii else "")
        for name, column in dataset.columns.items()
    }
    return TableMeaning(dataset.description, dataset.owner, columns)
