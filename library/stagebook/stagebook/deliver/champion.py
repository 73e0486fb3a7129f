"""The champion as it is delivered: its package from the registry, and a test vector of inputs with the answers to them."""

import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import mlflow
from filelock import FileLock

from ..project.root import local_folder
from ..registry.history import history
from ..registry.keep import FOLDER, release_number, restore_champion
from ..serve.follow import fetch_champion, find_folder
from ..serve.package import Package, open_package
from ..serve.predictor import Predictor

__all__ = ["Champion", "make_vector", "open_champion"]

ROWS = 5  # of the test vector


@dataclass(frozen=True)
class Champion:
    """The champion of the registry.

    Attributes
    ----------
    package : Package
        In .local/delivery, a copy.
    number : int
        Its version in the registry here.
    release : int
        Its number for those outside, which grows although a new registry began with the champion that git and DVC keep.
    """

    package: Package
    number: int
    release: int


def open_champion(root: Path, name: str) -> Champion:
    """Copy the champion from the registry and open it; an empty registry takes the one in models/champion first.

    MLflow must be connected. Raises RegistryError if there is no champion.
    """
    folder = local_folder(root) / "delivery" / "champion"
    folder.mkdir(parents=True, exist_ok=True)
    if not history(name) and (root / FOLDER).is_dir():
        with mlflow.start_run(run_name="champion of this commit"):
            restore_champion(name, root / FOLDER)
    with FileLock(folder.with_name("champion.lock")):
        number = int(fetch_champion(name, folder))
        package = open_package(find_folder(folder), root, name)
    return Champion(package, number, release_number(name, number))


def make_vector(package: Package) -> dict[str, list[dict]]:
    """Return inputs of the model and the answers to them: rows of its example, and one in which all is missing.

    Returns
    -------
    dict
        `inputs` and `answers`, lists of rows as JSON has them: None where a number is missing.
    """
    predictor = Predictor(package.file, package.config)
    features = package.contract.features
    rows = [dict(zip(features, row, strict=True)) for row in _read_example(package, list(features))]
    rows.append({name: None if kind == "number" else "" for name, kind in features.items()})
    answer = predictor.predict({name: [row[name] for row in rows] for name in features})
    columns = [column.tolist() for column in answer.values()]
    answers = [dict(zip(answer, row, strict=True)) for row in zip(*columns, strict=True)]
    sound = [all(isfinite(value) for value in one.values() if isinstance(value, float)) for one in answers]
    return {
        key: [one for one, good in zip(values, sound, strict=True) if good]
        for key, values in (("inputs", rows), ("answers", answers))
    }


def _read_example(package: Package, features: list[str]) -> list[list]:
    """Return rows of the example that MLflow keeps with a model; none if there is none, or of other columns."""
    places = [folder / "input_example.json" for folder in (package.file.parent, package.file.parent.parent)]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        return []
    content = json.loads(file.read_text(encoding="utf-8"))
    if not set(features) <= set(content.get("columns", [])):
        return []
    places = [content["columns"].index(name) for name in features]
    return [[row[place] for place in places] for row in content["data"][:ROWS]]
