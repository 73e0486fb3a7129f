"""What the run has left behind, for the cards: reports, data, model, requirements. Whatever is not there yet is empty."""

import hashlib
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from ..data.schema import read_datasets, read_schema
from ..features.store import FeatureView
from ..gate.requirements import FILE, read_requirements
from ..project.errors import DataError

__all__ = ["collect_facts", "find_model", "hash_file"]

READ = {
    "task": "data/interim/task.json",
    "source": "data/raw/source.json",
    "cleaning": "reports/cleaning.json",
    "validation": "reports/validation.json",
    "training": "reports/training.json",
    "metrics": "reports/metrics.json",
    "inspection": "reports/inspection.json",
    "backtest": "reports/backtest.json",
}
PACKAGES = ("models/candidate/model.onnx", "models/candidate/model.skops")


def collect_facts(root: Path, views: Iterable[FeatureView] = ()) -> dict:
    """Return what the cards are made of; `views` are the feature views of the project.

    The verdict is not among it, for it is taken on these facts: add it as `facts["registration"]`, which is what
    reports/registration.json will hold, before `write_cards`.

    Returns
    -------
    dict
        project, requirements (Requirements), tables and meanings (of data/schema.yaml), model (file, format, megabytes, md5), splits
        (rows, columns, md5, from, to of each), plots (paths below root), and one entry for each file of `READ`.

    Raises
    ------
    DataError
        A file cannot be read.
    """
    facts = {name: _read_json(root / file) for name, file in READ.items()}
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    schema = root / "data" / "schema.yaml"
    tables = read_schema(schema) if schema.is_file() else {}
    folders = [root / "reports" / name for name in ("evaluation", "inspection", "backtest")]
    return facts | {
        "project": {"name": project["name"], "description": project.get("description", "")},
        "requirements": read_requirements(root / FILE),
        "requirements_md5": hash_file(root / FILE),
        "tables": tables,
        "meanings": _read_meanings(schema, tables, views),
        "model": _read_model(root),
        "splits": _read_splits(root, facts["task"].get("time")),
        "plots": [path.relative_to(root).as_posix() for folder in folders for path in sorted(folder.glob("*.png"))],
    }


def _read_meanings(schema: Path, tables: dict, views: Iterable[FeatureView]) -> dict[str, str]:
    """Return what each column means: that of a feature, else of what steps make, else of a raw table."""
    meanings = {column.name: column.description for one in tables.values() for column in one.columns.values()}
    for dataset in (read_datasets(schema) if tables else {}).values():
        meanings |= {name: column.description for name, column in dataset.columns.items() if column.description}
    return meanings | {name: feature.description for view in views for name, feature in view.features.items()}


def _read_json(file: Path) -> dict:
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file} is not JSON ({error}). `dvc checkout` brings the last good one.") from error


def hash_file(file: Path) -> str:
    """Return the md5 of a file, the same as DVC's."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def find_model(root: Path) -> Path | None:
    """Return the candidate's package, ONNX before skops; None if there is none."""
    return next((root / name for name in PACKAGES if (root / name).is_file()), None)


def _read_model(root: Path) -> dict:
    file = find_model(root)
    if file is None:
        return {}
    size = round(file.stat().st_size / 1e6, 2)
    name = file.relative_to(root).as_posix()
    return {"file": name, "format": file.suffix[1:], "megabytes": size, "md5": hash_file(file)}


def _read_splits(root: Path, time: str | None) -> dict[str, dict]:
    splits = {}
    for name in ("train", "validation", "holdout"):
        file = root / "data" / "processed" / f"{name}.parquet"
        if file.is_file():
            table = pq.ParquetFile(file)
            shape = {"rows": table.metadata.num_rows, "columns": table.metadata.num_columns}
            splits[name] = shape | {"md5": hash_file(file)} | _read_period(table, time)
    return splits


def _read_period(table: pq.ParquetFile, time: str | None) -> dict[str, str]:
    """Return first and last time of the rows, to the day."""
    if time is None or time not in table.schema_arrow.names:
        return {}
    values = table.read([time])[time].to_pandas().dropna()
    return {"from": str(values.min())[:10], "to": str(values.max())[:10]} if len(values) else {}
