"""Stop the pipeline before bad data reaches it, and report how the data has moved since the baseline."""

import json
from collections.abc import Collection
from pathlib import Path

import pandas as pd
from pandera.errors import SchemaErrors

from ..project.errors import DataError
from ..project.files import write_json
from .conform import convert_columns
from .privacy import personal_columns
from .schema import Table, to_pandera
from .skew.baseline import describe_baseline, take_batch
from .skew.find import find_skew
from .tables import read_table

__all__ = [
    "check_join_shares",
    "check_table",
    "compare_with_baseline",
    "describe_failures",
    "describe_table",
    "find_moves",
    "join_shares",
    "read_raw_tables",
]


def check_table(frame: pd.DataFrame, table: Table, path: str) -> pd.DataFrame:
    """Return `frame` with the types of `table`; raise DataError naming `path`, columns and values."""
    if frame.empty:
        raise DataError(f"{path} has no rows.")
    try:
        return to_pandera(table).validate(convert_columns(frame.reset_index(drop=True), table), lazy=True)
    except SchemaErrors as errors:
        problems = describe_failures(errors.failure_cases, personal_columns(table))
    more = f"\n  and {len(problems) - 5} more" if len(problems) > 5 else ""
    raise DataError(f"{path} breaks data/schema.yaml:\n  " + "\n  ".join(problems[:5]) + more)


def describe_failures(failures: pd.DataFrame, personal: Collection[str] = ()) -> list[str]:
    """Return one line per broken check: the column, how many values break it, and the first of them if it is not personal."""
    lines = []
    whole_table = {"column_in_dataframe": "is missing", "column_in_schema": "is not in data/schema.yaml"}
    for (column, check), cases in failures.groupby(["column", "check"], sort=False, dropna=False):
        first = cases.iloc[0]
        if check in whole_table:
            lines += [f"column {name!r} {whole_table[check]}" for name in cases["failure_case"]]
        else:
            value = repr(first["failure_case"]) if isinstance(first["failure_case"], str) else first["failure_case"]
            value = "a personal value" if column in personal else value
            row = "" if pd.isna(first["index"]) else f" in row {first['index']}"
            lines.append(f"column {column!r}: {value}{row} breaks {check} ({len(cases)} such values)")
    return lines


def join_shares(tables: dict[str, pd.DataFrame], schema: dict[str, Table]) -> dict[str, float]:
    """Return for each join of the schema the share of rows (of those with a key) that find a row in the other table."""
    shares = {}
    for name, table in schema.items():
        for other, keys in table.joins.items():
            known = tables[other][schema[other].key].drop_duplicates().set_axis(keys, axis=1)
            wanted = tables[name][keys].dropna()
            shares[other] = round(len(wanted.merge(known, on=keys)) / max(len(wanted), 1), 4)
    return shares


def check_join_shares(shares: dict[str, float], schema: dict[str, Table], min_join_share: float) -> None:
    """Raise DataError if too few rows find their row in another table."""
    joins = [(table.name, other, keys) for table in schema.values() for other, keys in table.joins.items()]
    for name, other, keys in joins:
        if shares[other] < min_join_share:
            raise DataError(
                f"data/raw/{other}.parquet: only {shares[other]:.1%} of the {name} find their row by {', '.join(keys)}; "
                f"`validate.min_join_share` in params.yaml asks for {min_join_share:.0%}."
            )


def describe_table(frame: pd.DataFrame, table: Table) -> dict:
    """Return the statistics of a table, the baseline that later data is compared with."""
    return describe_baseline(frame, **_statistics_of(table))


def find_moves(frame: pd.DataFrame, table: Table, baseline: dict, limits: dict) -> list[dict]:
    """Return what has moved by more than `limits` since the baseline, one entry per finding."""
    settings = _statistics_of(table)
    batch = take_batch(frame, baseline, settings["time"])
    found = find_skew(batch, baseline, settings["kinds"], **limits)
    return [{"table": table.name, **finding} for finding in found]


def compare_with_baseline(
    tables: dict[str, pd.DataFrame], schema: dict[str, Table], file: str | Path, limits: dict[str, float]
) -> list[dict]:
    """Return what has moved since the baseline in `file`, for all tables; a table without a baseline gets one now.

    Parameters
    ----------
    limits : dict
        Arguments of `find_skew`, by name.
    """
    file = Path(file)
    baseline = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    new = {name: describe_table(frame, schema[name]) for name, frame in tables.items() if name not in baseline}
    for name in baseline.keys() & schema.keys():
        _forget(baseline[name], personal_columns(schema[name]))
    write_json(baseline | new, file)
    compared = (find_moves(frame, schema[name], (baseline | new)[name], limits) for name, frame in tables.items())
    return [finding for found in compared for finding in found]


def _forget(described: dict, personal: list[str]) -> None:
    """Take columns that were marked as personal since out of a baseline, which is in git."""
    for column in personal:
        described["columns"].pop(column, None)
        pairs = described["correlations"]["pairs"]
        pairs[:] = [pair for pair in pairs if not any(f"{label} = ".startswith(f"{column} = ") for label in pair[:2])]


def read_raw_tables(schema: dict[str, Table], folder: str | Path) -> dict[str, pd.DataFrame]:
    """Return the raw tables of the schema, each checked against it; raise DataError for the first that breaks it."""
    names = [name for name in schema if "/" not in name]
    files = {name: f"data/raw/{name}.parquet" for name in names}
    return {name: check_table(read_table(Path(folder, f"{name}.parquet")), schema[name], files[name]) for name in names}


def _statistics_of(table: Table) -> dict:
    left_out, personal = ("identifier", "ignored", "time"), personal_columns(table)
    known = [one for one in table.columns.values() if one.role not in left_out and one.name not in personal]
    target, time = table.with_role("target"), table.with_role("time")
    kinds = {column.name: column.kind for column in known}
    return {"kinds": kinds, "target": target[0] if target else None, "time": time[0] if time else None}
