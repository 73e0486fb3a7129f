"""Run the whole pipeline on a sample, in a copy of the project: does every notebook still work?"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from ..project.branch import VARIABLES
from ..project.errors import StepError
from ..step.warm.client import stop_warm_process

__all__ = ["COPY", "run_sample"]

COPY = Path("build", "sample")
SETTINGS = Path("tests", "sample.yaml")
# The copy has stores of its own, and is for no branch.
FOREIGN = ("MLFLOW_", "OPENLINEAGE_", "DVC_", "GIT_", "OPTUNA_", *VARIABLES)


def run_sample(root: Path) -> None:
    """Copy what git has or would have to build/sample, put tests/sample.yaml over its parameters, run its pipeline."""
    copy = root / COPY
    stop_warm_process(copy)
    shutil.rmtree(copy, ignore_errors=True)
    for file in _list_files(root):
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, copy / file, follow_symlinks=False)
    _change_parameters(root, copy)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    stagebook = [sys.executable, "-m", "stagebook"]
    try:
        for command in (["git", "init", "--quiet"], ["dvc", "repro"], [*stagebook, "catalog"], [*stagebook, "summary"]):
            if subprocess.run(command, cwd=copy, env=environment, check=False).returncode:
                raise StepError(f"the pipeline fails on the sample; what it wrote is in {COPY}/reports.")
    finally:
        stop_warm_process(copy)
    print(f"All of it is in {COPY}.")


def _list_files(root: Path) -> list[str]:
    """Return the files of the working copy that git has or would take; not what DVC made of the whole data."""
    words = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    named = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\0")
    left_out = {"dvc.lock", "data/baseline.json", "models/champion.dvc", "environments/tracking.toml"}
    return [file for file in named if file and file not in left_out and (root / file).is_file()]


def _change_parameters(root: Path, copy: Path) -> None:
    yaml = YAML()
    parameters, sample = (
        yaml.load(folder.read_text(encoding="utf-8")) for folder in (copy / "params.yaml", copy / SETTINGS)
    )
    for section, values in sample.items():
        if section not in parameters:
            raise StepError(f"{SETTINGS}: params.yaml has no section `{section}`.")
        _merge(parameters[section], values, f"{SETTINGS}: `{section}`")
    if "path" in parameters["ingest"]:
        from .invent import invent_table

        parameters["ingest"] |= {name: type(value)() for name, value in parameters["ingest"].items()}
        parameters["ingest"]["path"] = invent_table(root, copy).name
    yaml.dump(parameters, copy / "params.yaml")


def _merge(into: dict, values: dict, where: str) -> None:
    for name, value in values.items():
        if name not in into:
            raise StepError(f"{where} has no parameter `{name}` in params.yaml.")
        if isinstance(value, dict):
            _merge(into[name], value, f"{where}, `{name}`")
        else:
            into[name] = value
