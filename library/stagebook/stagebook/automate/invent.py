"""Invent rows that look like yours, so that CI can run the whole pipeline and never sees the data."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.schema import Column, read_schema
from ..project.errors import StepError

__all__ = ["invent_column", "invent_table"]

ROWS = 1000
LEAST_SHARE = 0.03  # of each class of the target: a split must have all of them
OWN_ROWS = Path("tests", "sample.csv")
WORDS = (
    "at",
    "before",
    "blue",
    "cold",
    "fast",
    "green",
    "late",
    "long",
    "new",
    "old",
    "open",
    "red",
    "short",
    "slow",
    "warm",
)


def invent_table(root: Path, copy: Path) -> Path:
    """Write the table that the sample's pipeline ingests to `copy`; return its path.

    It is tests/sample.csv if there is one, else 1,000 rows drawn column by column from data/baseline.json: shares of
    classes, quantiles of numbers, missing values. What columns have to do with each other is not in it.

    Raises
    ------
    StepError
        The pipeline has not yet run on the data, or values of a column cannot be invented.
    """
    path = copy / "sample.csv"
    if (root / OWN_ROWS).is_file():
        return Path(shutil.copy(root / OWN_ROWS, path))
    baseline = root / "data" / "baseline.json"
    if not baseline.is_file() or not (root / "data" / "schema.yaml").is_file():
        raise StepError(
            "rows are invented after data/baseline.json and data/schema.yaml, which are not there yet. `make pipeline` on "
            f"your data writes them; commit them. Or write rows like yours to {OWN_ROWS}."
        )
    [table] = read_schema(root / "data" / "schema.yaml").values()
    found = json.loads(baseline.read_text(encoding="utf-8"))[table.name]["columns"]
    random = np.random.default_rng(0)
    columns = {name: invent_column(column, found.get(name, {}), random) for name, column in table.columns.items()}
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def invent_column(column: Column, found: dict, random: np.random.Generator) -> pd.Series:
    """Return ROWS values of a column; `found` is what data/baseline.json says of it, empty if nothing."""
    if "shares" in found and "edges" not in found:
        values = _draw_classes(column, found, random)
    elif "edges" in found:
        values = _draw_numbers(found, random)
    elif column.kind == "date":
        first, last = (pd.Timestamp(found.get(end, day)) for end, day in (("min", "2024-01-01"), ("max", "2024-12-31")))
        values = pd.Series(first + (last - first) * share for share in random.random(ROWS)).dt.floor("s").astype(str)
    elif column.pattern:
        raise StepError(
            f"data/schema.yaml: no values can be invented for column {column.name!r}, which must match {column.pattern!r}. "
            f"Write rows like yours to {OWN_ROWS}."
        )
    elif column.kind == "number":  # it only follows the time, or is not looked at
        values = pd.Series(range(1, ROWS + 1))
    elif column.kind == "boolean":
        values = pd.Series(random.choice(["True", "False"], ROWS))
    elif column.kind == "text":
        values = pd.Series(" ".join(random.choice(WORDS, 5)) for _ in range(ROWS))
    else:
        values = pd.Series(f"id {number}" for number in range(1, ROWS + 1))
    if column.type == "integer" and "edges" in found:
        values = values.round().astype("int64")
    if column.decimal == ",":  # as the schema says that numbers are written
        values = values.astype("str").str.replace(".", ",")
    if column.role == "target" or not column.missing:
        return values
    return values.mask(pd.Series(random.random(ROWS) < found.get("missing", 0)))


def _draw_classes(column: Column, found: dict, random: np.random.Generator) -> pd.Series:
    names, shares = list(found["shares"]), np.array(list(found["shares"].values()))
    if column.role == "target":
        shares = shares.clip(LEAST_SHARE)
    elif found["other"]:
        names, shares = [*names, *(f"other {place}" for place in range(9))], [*shares, *[found["other"] / 9] * 9]
    return pd.Series(random.choice(names, ROWS, p=np.array(shares) / np.sum(shares)))


def _draw_numbers(found: dict, random: np.random.Generator) -> pd.Series:
    """Draw a bin by its share, then a value of it, as even as can be; of a few different values, one of these."""
    edges, shares = np.array(found["edges"]), np.array(found["shares"])
    bins = random.choice(len(shares), ROWS, p=shares / shares.sum())
    if found["min"] == edges[0] and found["max"] == edges[-1]:
        return pd.Series(edges[bins.clip(max=len(edges) - 1)])
    low, high = np.append(found["min"], edges), np.append(edges, found["max"])
    return pd.Series(low[bins] + (high - low)[bins] * random.random(ROWS)).map("{:.6g}".format).astype(float)
