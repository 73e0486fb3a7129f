"""What is missing in model card and data sheet: a half-filled card fails the gate."""

from ..data.schema import Table
from ..gate.duties import find_empty_texts, find_open_duties
from ..gate.requirements import FILE, Requirements

__all__ = ["left_to_people", "missing_parts"]

# What the cards take from each report, and the step that writes it.
NEEDED = {
    "source": ("data/raw/source.json", "ingest", ()),
    "cleaning": ("reports/cleaning.json", "clean", ("kept", "labels")),
    "training": ("reports/training.json", "train", ("chosen", "tried")),
    "metrics": ("reports/metrics.json", "evaluate", ("holdout", "candidate", "intervals", "value")),
    "inspection": ("reports/inspection.json", "inspect", ("segments", "fairness", "behaviour", "importance")),
    "backtest": ("reports/backtest.json", "backtest", ("periods", "learning_curve")),
}
SPLITS = ("train", "validation", "holdout")


def missing_parts(requirements: Requirements, facts: dict) -> list[str]:
    """Return a sentence for each part that is empty, with the file in which to fill it.

    Parameters
    ----------
    requirements : Requirements
    facts : dict
        As `collect_facts` returns them.
    """
    missing = _empty_texts(requirements)
    for name, (file, step, keys) in NEEDED.items():
        if not facts.get(name):
            missing.append(f"{file} is missing; `dvc repro {step}` writes it")
        else:
            missing += [f"{file}: `{key}` is missing" for key in keys if facts[name].get(key) is None]
    if not facts.get("model"):
        missing.append("models/candidate: no package of the model; `dvc repro train` writes it")
    splits = facts.get("splits", {})
    missing += [f"data/processed/{name}.parquet is missing" for name in SPLITS if name not in splits]
    return missing + _missing_meanings(facts.get("tables", {}), _is_high_risk(requirements))


def left_to_people(requirements: Requirements, tables: dict[str, Table]) -> list[str]:
    """Return a sentence for each part that no run can fill in: texts, duties of the risk category, meanings of tables."""
    meanings = _missing_meanings(tables, _is_high_risk(requirements))
    return [*_empty_texts(requirements), *find_open_duties(requirements), *meanings]


def _is_high_risk(requirements: Requirements) -> bool:
    return requirements.risk is not None and requirements.risk.category == "high"


def _empty_texts(requirements: Requirements) -> list[str]:
    empty = find_empty_texts(requirements)
    return [f"{FILE}: {', '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty"] if empty else []


def _missing_meanings(tables: dict[str, Table], each_column: bool) -> list[str]:
    """Name tables without a meaning or an owner; of high risk (EU AI Act, Article 10) also the columns without."""
    if not tables:
        return ["data/schema.yaml is missing, or has no tables"]
    missing = []
    for table in tables.values():
        where = f"data/schema.yaml: table {table.name}"
        missing += [f"{where} has no {key}" for key in ("description", "owner") if not getattr(table, key)]
        unsaid = [column.name for column in table.columns.values() if not column.description]
        if each_column and unsaid:
            missing.append(f"{where}: no description of {', '.join(unsaid)}; high risk needs each")
    return missing
