"""Enter a packaged model into MLflow's registry as a version, once."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import mlflow
import pandas as pd

from ..model import predictor
from ..model.package import trusted_types
from ..model.skops_format import TRUSTED
from .versions import add_model

__all__ = ["find_registered", "register_once"]


def register_once(
    model_name: str, package: Path, example: pd.DataFrame, config: dict[str, str], contract: Path | None = None
):
    """Return the version that holds this package, registered now if it is not yet there.

    Parameters
    ----------
    package : Path
        The file that is served, ONNX or skops.
    config : dict of str
        What the served model says of itself; see predictor.py.
    contract : Path, optional
        The file that says what a request is; it is kept with the model.
    """
    client, config = mlflow.MlflowClient(), _complete(config, package)
    if found := find_registered(model_name, package, config, contract):
        return found
    needed = ("mlflow", "numpy", "onnxruntime", "pandas", "scikit-learn", "skl2onnx", "skops")
    needed = needed[:4] if package.suffix == ".onnx" else needed
    logged = mlflow.pyfunc.log_model(
        name="model",
        python_model=predictor.__file__,
        artifacts={"model": str(package)} | ({"request": str(contract)} if contract else {}),
        model_config=config,
        input_example=example.fillna(0),  # of a gap MLflow would conclude that the column may be left out
        pip_requirements=[f"{name}=={version(name)}" for name in needed],
    )
    add_model(model_name)
    tags = {"package_md5": _hash(package, config, contract), "model_md5": hashlib.md5(package.read_bytes()).hexdigest()}
    tags |= {"model_bytes": package.stat().st_size}
    client.create_model_version(model_name, logged.model_uri, logged.run_id, tags, model_id=logged.model_id)
    return find_registered(model_name, package, config, contract)  # another clone may have registered it meanwhile


def find_registered(model_name: str, package: Path, config: dict[str, str], contract: Path | None = None):
    """Return the first version that holds this package with these settings; None if none does."""
    md5 = _hash(package, _complete(config, package), contract)
    found = mlflow.MlflowClient().search_model_versions(f"name = '{model_name}' and tags.package_md5 = '{md5}'")
    return min(found, key=lambda one: int(one.version), default=None)


def _complete(config: dict[str, str], package: Path) -> dict[str, str]:
    """Return the settings with the types that a skops file may have in it."""
    if package.suffix != ".skops" or "trusted_types" in config:
        return config
    return config | {"trusted_types": json.dumps([*TRUSTED, *trusted_types(package)])}


def _hash(package: Path, config: dict[str, str], contract: Path | None) -> str:
    content = package.read_bytes() + json.dumps(config).encode() + (contract.read_bytes() if contract else b"")
    return hashlib.md5(content).hexdigest()
