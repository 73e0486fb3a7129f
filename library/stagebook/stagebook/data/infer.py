"""Find out what each column is and what a model may see of it, and write that down for you to correct."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ..project.errors import DataError
from ..project.yaml_values import suggest
from .infer_types import infer_columns
from .leakage import find_leaks
from .parsing.texts import show_value
from .pii import find_pii
from .reading.trim import explain_reading
from .schema import Column, Table, write_schema
from .tables import set_columns
from .target import find_task

__all__ = [
    "ID_NAME",
    "check_columns",
    "find_roles",
    "find_useless",
    "infer_table",
    "is_identifier",
    "write_first_schema",
]

# The first lines of a data/schema.yaml that was inferred.
HEADER = """\
# What each column of your data is. Inferred on the first run; now yours to correct, `make pipeline` follows. Delete it to start again.
# type: integer, number, boolean, date, category, text    missing_values: words that stand for a missing value
# decimal, suffixes: how numbers are written in text: decimal mark, unit behind them
# role: feature (the default), target, time, label_time (when the target became known), group (its rows stay in one split),
#       identifier, ignored. No model sees any of them but features. why: the reason
# pii: true masks the column before data/interim: mask: drop, hash or keep    missing: false, min, max, pattern: what must hold
# unit, description: for the catalog, as is all of `datasets`
"""
DATASETS = {
    "interim/table": {"description": "Cleaned, masked and split rows", "owner": "data engineering"},
    "processed/*": {
        "description": "What a model sees: features, and keys to trace a row back",
        "owner": "data science",
    },
}


def find_useless(frame: pd.DataFrame, types: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return role and reason of each column that a model can learn nothing from."""
    found, seen = {}, {}
    for name in frame.columns:
        values = frame[name].dropna()
        fingerprint = (types[name], int(pd.util.hash_pandas_object(frame[name], index=False).sum()))
        if values.empty:
            found[name] = "ignored", "it has no values"
        elif values.nunique() == 1 and len(values) == len(frame):
            found[name] = "ignored", f"it is always {show_value(values.iloc[0])[:40]!r}"
        elif is_identifier(name, values, types[name]):
            found[name] = "identifier", "each row has its own value"
        elif (twin := seen.setdefault(fingerprint, name)) != name and frame[twin].equals(frame[name]):
            found[name] = "ignored", f"it is the same as {twin!r}"
    return found


ID_NAME = re.compile(
    r"(^|[\W_])(id|ids|uuid|guid|key|index|idx|row|rownum|nr|no|num|number|code|unnamed)([\W_]|\d|$)|(Id|ID|Key)$",
    re.IGNORECASE,
)


def is_identifier(name: str, values: pd.Series, type_: str) -> bool:
    """Tell whether a column only names its row: values are unique, and are codes, numbered, or called an id."""
    if type_ not in ("integer", "category", "text") or values.nunique() < 0.99 * len(values) or len(values) < 10:
        return False
    if type_ == "integer":
        numbered = values.min() in (0, 1) and values.max() - values.min() + 1 == len(values)
        return bool(numbered or ID_NAME.search(name))
    return bool(values.astype("str").head(1000).str.split().str.len().mean() < 2 or ID_NAME.search(name))


def infer_table(raw: pd.DataFrame, target: str, time_column: str = "", source: dict | None = None) -> Table:
    """Return the table's schema: a type and a role for each column, with the reason where it is not a plain feature.

    Parameters
    ----------
    raw : DataFrame of shape (n_rows, n_columns)
        As ingested; numbers and dates may be text.
    source : dict, optional
        What `load_source` tells of the source; an error about a missing column shows it.

    Raises
    ------
    DataError
        A named column is not there, the time column has no dates, or the target cannot be predicted.
    """
    check_columns(raw, target, time_column, source)
    found = infer_columns(raw, target, (source or {}).get("separator", ""))
    columns = {name: column for name, (column, _) in found.items()}
    frame = set_columns(raw, {name: values for name, (_, values) in found.items()})
    roles = find_roles(frame, columns, target, time_column)
    pii = find_pii(frame.drop(columns=[target, time_column], errors="ignore"))
    for name, column in columns.items():
        role, why = roles.get(name, ("feature", ""))
        why = f"personal: {pii[name]}" if name in pii else why or column.why  # the role's reason may show a value
        columns[name] = replace(column, role=role, why=why, pii=name in pii)
    return Table("table", columns, description="One row per example", owner="data engineering")


def check_columns(raw: pd.DataFrame, target: str, time_column: str, source: dict | None = None) -> None:
    """Raise DataError if a column that params.yaml names is not there; it shows how the source was understood."""
    for parameter, name in (("target", target), ("time_column", time_column)):
        if name not in raw.columns and (name or parameter == "target"):
            have = ", ".join(map(repr, raw.columns[:50]))
            near = suggest(name, raw.columns)
            how = f"\n{explain_reading(raw, source)}" if source else ""
            raise DataError(
                f"`schema.{parameter}` in params.yaml: there is no column {name!r}; there is {have}.{near}{how}"
            )


def find_roles(frame: pd.DataFrame, columns: dict[str, Column], target: str, time_column: str) -> dict:
    """Return (role, reason) of each column that is not a plain feature. Suspects stay if nothing else would be left."""
    if time_column and columns[time_column].type != "date":
        example = frame[time_column].dropna().head(1).tolist()
        raise DataError(f"`schema.time_column` in params.yaml: {time_column!r} has no dates but values like {example}.")
    task = find_task(frame[target], where=f"data/raw/table.parquet, column {target!r}")
    roles = {target: ("target", f"`schema.target` in params.yaml; {task}")}
    if time_column:
        roles[time_column] = ("time", "`schema.time_column` in params.yaml")
    rest = frame.drop(columns=list(roles))
    roles |= find_useless(rest, {name: columns[name].type for name in rest})
    rest = rest.drop(columns=[name for name in roles if name in rest])
    leaks = find_leaks(rest, frame[target], task)
    role = "ignored" if set(leaks) != set(rest.columns) else "feature"
    return roles | {name: (role, reason) for name, reason in leaks.items()}


def write_first_schema(table: Table, file: str | Path) -> None:
    """Write the schema of an inferred table, for people to correct."""
    write_schema({"table": table}, DATASETS, file, HEADER)
