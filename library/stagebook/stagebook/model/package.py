"""A trained model as a folder: `model.skops` always, `model.onnx` if it predicts the same. No pickle."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from ..project.errors import DataError, StepError
from ..project.root import find_root
from ..project.settings import read_settings
from .onnx_format import check_parity, load_onnx, to_onnx_bytes
from .skops_format import read_skops, to_skops_bytes
from .task import Task

__all__ = ["load_model", "model_file", "package_parity", "predict_model", "trusted_types", "write_package"]


def write_package(folder: Path, model: Pipeline, rows: pd.DataFrame, task: Task, spread: float, **facts: float) -> dict:
    """Write the model into `folder`; return its format and by how much ONNX and scikit-learn differ on `rows`.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, n_features)
        The columns that the model was fitted on.
    spread : float
        Unit of the difference: 1, for regression the standard deviation of the target.
    **facts : float
        Written into the ONNX file, such as `interval_half_width`.

    Returns
    -------
    dict
        format: onnx, or skops where the model cannot be converted faithfully; then `why` has the reason.
    """
    converted = None
    try:
        converted = to_onnx_bytes(model, rows, task, **facts)
        found = {"format": "onnx", "parity": float(f"{check_parity(model, converted, rows, task, spread):.0e}")}
    except Exception as error:  # noqa: BLE001 the converter raises what it likes
        found, converted = {"format": "skops", "why": f"{type(error).__name__}: {error}".splitlines()[0][:200]}, None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.skops").write_bytes(to_skops_bytes(model))
    if converted:
        (folder / "model.onnx").write_bytes(converted)
    return found


def model_file(folder: str | Path) -> Path:
    """Return the file that is deployed: the ONNX model, or the skops model where there is none."""
    files = [Path(folder) / name for name in ("model.onnx", "model.skops")]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise DataError(f"{folder} has no model. `dvc repro` makes it, `dvc pull` brings it from the remote.")
    return found


def load_model(folder: str | Path, task: Task) -> Callable[[pd.DataFrame], np.ndarray]:
    """Open the model in `folder` once, and return a function that scores tables as `predict_onnx`."""
    file = model_file(folder)
    return load_onnx(file) if file.suffix == ".onnx" else load_skops(file, task)


def load_skops(file: Path, task: Task) -> Callable[[pd.DataFrame], np.ndarray]:
    """Open a scikit-learn model, and return a function that scores tables as `predict_onnx`."""
    model = read_skops(file, trusted_types(file))

    def predict(frame: pd.DataFrame) -> np.ndarray:
        rows = frame[model.feature_names_in_]
        if not is_classifier(model):
            return model.predict(rows)
        probabilities = model.predict_proba(rows)
        return probabilities[:, 1] if task.kind == "binary" else probabilities

    return predict


def trusted_types(file: Path) -> list[str]:
    """Return `trusted_types` of the project that the file is in; none outside a project."""
    try:
        return read_settings(find_root(file.parent))["trusted_types"]
    except (StepError, OSError):
        return []


def predict_model(folder: str | Path, frame: pd.DataFrame, task: Task) -> np.ndarray:
    """Score `frame`, of shape (n_rows, n_columns), with the model in `folder`; the result is as of `predict_onnx`."""
    return load_model(folder, task)(frame)


def package_parity(folder: str | Path, frame: pd.DataFrame, task: Task) -> float | None:
    """Return the largest difference between the predictions of the two files of a package on `frame`.

    For regression in standard deviations of the target. None if there is only the skops file, which then is the package.
    """
    file = model_file(folder)
    if file.suffix != ".onnx":
        return None
    difference = np.abs(load_onnx(file)(frame) - load_skops(file.with_name("model.skops"), task)(frame)).max()
    spread = float(frame[task.target].to_numpy().std()) or 1.0 if task.kind == "regression" else 1.0
    return float(f"{difference / spread:.0e}")
