"""The champion as a folder for git and DVC, so that a machine without this registry knows the incumbent."""

import json
import shutil
from pathlib import Path

import mlflow
from ruamel.yaml import YAML

from ..project.errors import DataError
from ..project.files import replace_folder
from .history import append, find_champion
from .versions import add_model, find_versions

__all__ = ["FOLDER", "keep_champion", "release_number", "restore_champion"]

FOLDER = Path("models", "champion")
FACTS = "version.json"
# What a later pipeline needs to know the package again, and not to check it again on the same evidence.
TAGS = ("package_md5", "model_md5", "model_bytes", "gate.decision", "gate.evidence")

NUMBER = "registered_as"


def release_number(name: str, number: int) -> int:
    """Return the number of a version for those outside: it grows although a new registry began with a kept champion."""
    versions = find_versions(name)
    first = min(versions)
    return number - first + int(versions[first].tags.get(NUMBER, first))


def keep_champion(name: str, folder: Path) -> bool:
    """Write the champion's MLflow model to `folder`; return False if it is there already.

    Raises
    ------
    RegistryError
        There is no champion.
    """
    champion = find_champion(name)
    version = find_versions(name)[champion.version]
    if _read_facts(folder).get("tags", {}).get("package_md5") == version.tags.get("package_md5"):
        return False
    facts = {
        "model": name,
        "who": champion.who,
        "when": champion.when,
        "why": champion.why,
        "metrics": champion.metrics,
    }
    facts["tags"] = {key: version.tags[key] for key in TAGS if key in version.tags}
    facts["tags"][NUMBER] = str(release_number(name, champion.version))
    with replace_folder(folder) as new:
        mlflow.artifacts.download_artifacts(f"models:/{name}/{champion.version}", dst_path=str(new))
        shutil.rmtree(new / "__pycache__", ignore_errors=True)
        _forget_store(new / "MLmodel")
        (new / FACTS).write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return True


def restore_champion(name: str, folder: Path) -> int | None:
    """Enter the model in `folder` as champion of a registry that has none by this name; return its version.

    Must be called in an MLflow run: the files are logged there.
    """
    facts = _read_facts(folder)
    if not facts or find_versions(name):
        return None
    run = mlflow.active_run().info
    mlflow.log_artifacts(str(folder), "champion")
    add_model(name)
    tags = facts["tags"]
    mlflow.MlflowClient().create_model_version(name, f"{run.artifact_uri}/champion", run.run_id, tags)
    # Another clone on the same server may do this at the same time: both make the first of the equal versions champion.
    md5 = tags.get("package_md5")
    number = next(number for number, one in find_versions(name).items() if one.tags.get("package_md5") == md5)
    why = f"champion of this commit, since {facts['when']} ({facts['who']}: {facts['why']})"
    append(name, "promote", number, why, after=0, metrics=facts["metrics"] if "metrics" in facts else facts["figures"])
    return number


def _forget_store(description: Path) -> None:
    """Leave out under which ids the store knows the model: another one would look for them."""
    yaml = YAML()
    content = yaml.load(description.read_text(encoding="utf-8"))
    for key in ("model_id", "run_id", "artifact_path"):
        content.pop(key, None)
    yaml.dump(content, description)


def _read_facts(folder: Path) -> dict:
    """Return what version.json says; nothing if there is no folder."""
    if not folder.is_dir():
        return {}
    try:
        return json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder / FACTS} cannot be read: {error}. `dvc checkout models/champion.dvc` restores it."
        ) from error
