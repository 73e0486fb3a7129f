"""Where it is weak, whom it treats differently, how it behaves and what it relies on: what one figure for all rows hides."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field
from pydantic.dataclasses import dataclass

from ...model.task import Task
from ...project.yaml_files import read_yaml
from ...project.yaml_values import CONFIG, Names, Problem, Section, suggest

__all__ = ["inspection_tables", "list_segments", "read_columns", "rounded", "sum_fairness", "sum_up"]


@dataclass(frozen=True, config=CONFIG)
class Columns(Section):
    """The two keys of docs/requirements.yaml that name columns of the hold-out."""

    OPEN = True

    segments: Names = Field(default_factory=list)
    sensitive: Names = Field(default_factory=list)


def read_columns(path: str | Path, table: pd.DataFrame, task: Task) -> dict[str, list[str]]:
    """Return the columns under `segments` and `sensitive`; DataError if one is not in the hold-out, or is the label."""
    there = [name for name in table if name != task.target]

    def find_strange(columns: Columns) -> Iterator[Problem]:
        for key, names in vars(columns).items():
            for name in names:
                if name not in there:
                    yield Problem(f"names {name!r}; the hold-out has {', '.join(there)}.{suggest(name, there)}", key)

    return dict(vars(read_yaml(path, Columns, check=find_strange)))


def rounded(value):
    """Return numbers with four digits, the same on every machine; what is not a number, as it is, NaN as None."""
    if isinstance(value, float):
        return float(f"{value:.4g}") if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def list_segments(table: pd.DataFrame) -> list[dict]:
    """Return the table of `named_segments` as JSON has it."""
    return [{name: rounded(value) for name, value in row.items()} for row in table.to_dict("records")]


def inspection_tables(
    named: pd.DataFrame,
    found: pd.DataFrame,
    fairness: dict[str, pd.DataFrame],
    behaviour: list[dict],
    importance: pd.DataFrame,
    dependence: dict[str, pd.DataFrame],
    doubts: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables of reports/inspection, by name; the arguments are what the functions of the same names return."""
    groups = [table.assign(column=name) for name, table in fairness.items()]
    columns = ["name", "kind", "passed", "message", "measured", "threshold", "rows", "reason"]
    return {
        "segments": pd.concat([named.assign(kind="named"), found.assign(kind="found")]),
        "fairness": pd.concat(groups or [pd.DataFrame({"column": []})]),
        "behaviour": pd.DataFrame(behaviour, columns=columns),
        "importance": importance.reset_index(),
        "dependence": pd.concat(dependence, names=["feature"]).reset_index(),
    } | ({} if doubts is None else {"doubts": doubts})


def sum_fairness(table: pd.DataFrame) -> dict:
    """Return the figure with the largest difference of a table of `fairness_table`, and its groups."""
    if table.empty:
        return {"figure": None, "difference": None, "interval": None, "groups": {}}
    most = table[table["figure"] == table["figure"].iloc[0]]
    first = most.iloc[0]
    interval = [rounded(first["low"]), rounded(first["high"])]
    return {
        "figure": first["figure"],
        "difference": rounded(first["difference"]),
        "interval": None if None in interval else interval,
        "groups": {row.group.removeprefix("= "): rounded(row.value) for row in most.itertuples()},
    }


def sum_up(
    named: pd.DataFrame,
    found: pd.DataFrame,
    fairness: dict[str, pd.DataFrame],
    behaviour: list[dict],
    importance: pd.DataFrame,
    labels: dict | None = None,
) -> dict:
    """Return what reports/inspection.json holds; `labels` is the summary of `find_doubts`."""
    failed = [test["name"] for test in behaviour if not test["passed"]]
    groups = {column: sum_fairness(table) for column, table in fairness.items()}
    differences = [each["difference"] for each in groups.values() if each["difference"] is not None]
    return {
        "segments": {"named": list_segments(named), "found": list_segments(found)},
        "fairness": groups,
        "behaviour": {"passed": len(behaviour) - len(failed), "failed": failed, "tests": behaviour},
        "importance": {name: round(float(rise), 4) + 0.0 for name, rise in importance["rise"].items()},
        "worst_segment_ratio": rounded(named["ratio"].max()) if len(named) else None,
        "fairness_difference": max(differences, default=None),
        "behaviour_failed": len(failed),
    } | ({} if labels is None else {"labels": labels})
