"""What a Parquet file says of itself: rows, columns, types, missing values. No other value is looked at."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...project.errors import StepError

__all__ = ["TableColumn", "TableFacts", "column_type", "read_facts"]

TYPES = {"large_string": "string", "large_binary": "binary", "double": "float64", "float": "float32"}


@dataclass(frozen=True)
class TableColumn:
    """A column: `missing` counts nulls and empty text."""

    name: str
    type: str
    missing: int


@dataclass(frozen=True)
class TableFacts:
    """A table."""

    rows: int
    columns: list[TableColumn]


def read_facts(path: Path) -> TableFacts:
    """Read rows, types and counts of missing values, from the statistics in the file where it has them."""
    try:
        with pq.ParquetFile(path) as file:
            fields = list(file.schema_arrow)
            flat = file.metadata.num_columns == len(fields)  # else some column is stored as several
            missing = {
                field.name: _look_up(file.metadata, place, field.type) if flat else None
                for place, field in enumerate(fields)
            }
            missing |= _count(file, {name for name, count in missing.items() if count is None})
            columns = [TableColumn(field.name, column_type(field.type), missing[field.name]) for field in fields]
            return TableFacts(file.metadata.num_rows, columns)
    except (OSError, pa.ArrowException) as error:
        raise StepError(f"{path} cannot be read as Parquet: {error}") from error


def column_type(kind: pa.DataType) -> str:
    """Return a type as people name it."""
    return "category" if pa.types.is_dictionary(kind) else TYPES.get(str(kind), str(kind))


def _look_up(metadata: pq.FileMetaData, place: int, kind: pa.DataType) -> int | None:
    """Return what the statistics say, None if the column must be read: they count nulls, but not empty text."""
    found = [metadata.row_group(group).column(place).statistics for group in range(metadata.num_row_groups)]
    if pa.types.is_nested(kind) or not all(part is not None and part.has_null_count for part in found):
        return None
    if _is_text(kind) and not all(part.has_min_max and part.min != "" for part in found):
        return None
    return sum(part.null_count for part in found)


def _count(file: pq.ParquetFile, names: set[str]) -> dict[str, int]:
    counts = dict.fromkeys(names, 0)
    for batch in file.iter_batches(columns=sorted(names)) if names else ():
        for field, values in zip(batch.schema, batch.columns, strict=True):
            if field.name in names:
                empty = pc.sum(pc.equal(values, "")).as_py() if _is_text(field.type) else 0
                counts[field.name] += values.null_count + (empty or 0)
    return counts


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
