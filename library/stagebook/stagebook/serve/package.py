"""The model that is served, as a folder of files: the model itself, what a request is, and what the registry knows of it."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

from ..model.task import Task
from ..project.errors import DataError
from ..request.contract import FILE as CONTRACT
from ..request.contract import Contract, read_contract

__all__ = ["ABOUT", "CARD", "Package", "find_card", "open_package"]

ABOUT, CARD = "about.json", "model_card.html"


@dataclass(frozen=True)
class Package:
    """A model that can be served.

    Attributes
    ----------
    file : Path
        model.onnx or model.skops.
    name, version : str
        In the registry; for a folder that is not from the registry, the version is the folder's name.
    config : dict of str
        As `Predictor` takes it.
    contract : Contract
    about : dict
        `metrics`, and by whom, when and why it became champion, as far as known.
    card : Path or None
        The model card, an HTML page.
    """

    file: Path
    name: str
    version: str
    config: dict[str, str]
    contract: Contract
    about: dict = field(default_factory=dict)
    card: Path | None = None


def open_package(folder: Path, root: Path, name: str) -> Package:
    """Read a model's folder: one that the registry gave, models/champion, or one that training wrote, models/candidate.

    Parameters
    ----------
    folder, root : Path
        The folder, and the project. What models/candidate lacks is taken from the project's reports.
    name : str
        Of the model, if the folder does not tell.
    """
    files = [folder / place / file for place in ("", "artifacts") for file in ("model.onnx", "model.skops")]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise DataError(f"{folder} has no model: there is no model.onnx or model.skops in it.")
    if (description := folder / "MLmodel").is_file():
        content = YAML(typ="safe").load(description.read_text(encoding="utf-8"))
        config = content["flavors"]["python_function"]["config"]
    else:
        config = _config_of_reports(root)
    contract = file.parent / CONTRACT
    if not contract.is_file():
        if description.is_file():
            raise DataError(
                f"{folder} has no {CONTRACT}: it was registered before the step 55_request. Register it again."
            )
        contract = root / "data" / "processed" / CONTRACT
    about = _read(folder / ABOUT) or _read(folder / "version.json")
    given = {"name": about.get("model", name), "version": str(about.get("version", folder.name))}
    return Package(
        file, **given, config=config, contract=read_contract(contract), about=about, card=find_card(folder, root)
    )


def find_card(folder: Path, root: Path) -> Path | None:
    """Return the model card of a folder: beside the model, or for models/candidate the project's last one."""
    places = [folder / CARD] + ([] if (folder / "MLmodel").is_file() else [root / "reports" / "card" / CARD])
    return next((place for place in places if place.is_file()), None)


def _config_of_reports(root: Path) -> dict[str, str]:
    """Return what the registry would keep with models/candidate."""
    task = Task(**_renamed(_read(root / "data" / "interim" / "task.json")))
    metrics, training = (_read(root / "reports" / f"{name}.json") for name in ("metrics", "training"))
    config = {"task": task.kind, "classes": json.dumps(task.classes)}
    config |= {key: str(value) for key, value in metrics.get("value", {}).items() if key == "threshold"}
    return config | {key: str(value) for key, value in training.items() if key == "interval_half_width"}


def _renamed(task: dict) -> dict:
    return {"kind" if key == "task" else key: value for key, value in task.items()}


def _read(file: Path) -> dict:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
