"""Predictions of a packaged model with numpy and onnxruntime only: no pandas, scikit-learn or MLflow is imported.

A skops package, of a model that ONNX cannot express, needs scikit-learn; it is imported then.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

__all__ = ["Predictor"]

TYPES = {"tensor(float)": np.float32, "tensor(string)": object}


class Predictor:
    """A model file, opened once. Threads may share it.

    Parameters
    ----------
    file : str or Path
        model.onnx, or model.skops.
    config : dict
        What the registry keeps with the model, all as texts: `task`, `classes` (JSON), `threshold` or `interval_half_width`
        if there is one, and for skops `trusted_types` (JSON).
    threads : int
        That one call may use. One is best where many calls run at once.
    """

    def __init__(self, file: str | Path, config: Mapping[str, str], threads: int = 1):
        self.task, self.classes = config["task"], json.loads(config.get("classes") or "[]")
        self._class_names = np.array(self.classes, dtype=object)
        self.threshold = float(config["threshold"]) if "threshold" in config else None
        self.half_width = float(config["interval_half_width"]) if "interval_half_width" in config else None
        if Path(file).suffix == ".skops":
            self.inputs, self._run = _open_skops(Path(file), json.loads(config.get("trusted_types") or "[]"))
        else:
            self.inputs, self._run = _open_onnx(Path(file), threads)

    def predict(self, columns: Mapping[str, Sequence]) -> dict[str, np.ndarray]:
        """Return the answer of the model, a value for each row.

        Parameters
        ----------
        columns : dict of sequence
            Each input of the model: numbers (NaN or None where missing) or texts ("" where missing), all of the same length.

        Returns
        -------
        dict of ndarray of shape (n_rows,)
            binary: `probability` of the second class, and `prediction`, a class, if the model has a threshold.
            multiclass: `prediction`, the most probable class, and `probability_<class>` for each.
            regression: `prediction`, with `lower` and `upper` if the model has an interval.

        Raises
        ------
        ValueError
            An input is missing, is of the wrong type, or has another length than the first.
        """
        feed, rows = {}, None
        for name, dtype in self.inputs.items():
            if name not in columns:
                raise ValueError(f"input {name!r} is missing; the model needs {', '.join(self.inputs)}")
            try:
                values = np.asarray(columns[name], dtype=dtype)
            except (TypeError, ValueError):
                raise ValueError(f"input {name!r} must be numbers; it is {columns[name]!r:.80}") from None
            rows = len(values) if rows is None else rows
            if len(values) != rows:
                raise ValueError(f"input {name!r} has {len(values)} values; the others have {rows}")
            feed[name] = values.reshape(-1, 1)
        return self.describe(self._run(feed)) if rows else self.describe(np.empty((0, max(len(self.classes), 1))))

    def describe(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Return the answer for outputs of the model, of shape (n_rows, n_outputs)."""
        if self.task == "regression":
            answer = {"prediction": values[:, 0].astype(float)}
            if self.half_width is not None:
                answer |= {"lower": answer["prediction"] - self.half_width}
                answer |= {"upper": answer["prediction"] + self.half_width}
            return answer
        values = values.clip(0, 1).astype(float)  # a sum of float32 shares may come to 1.0000001
        if self.task == "multiclass":
            shares = {f"probability_{name}": values[:, place] for place, name in enumerate(self.classes)}
            return {"prediction": self._class_names[values.argmax(axis=1)], **shares}
        answer = {"probability": values[:, -1]}
        if self.threshold is None:
            return answer
        return {"prediction": self._class_names[(values[:, -1] >= self.threshold).astype(int)], **answer}


def _open_onnx(file: Path, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    output = [session.get_outputs()[-1].name]  # a classifier's first output is the class
    inputs = {node.name: TYPES[node.type] for node in session.get_inputs()}
    return inputs, lambda feed: session.run(output, feed)[0]


def _open_skops(file: Path, trusted: list[str]):
    import pandas as pd

    from ..model.skops_format import read_skops

    model = read_skops(file, trusted)
    dtypes = dict.fromkeys(model.feature_names_in_, object)

    def run(feed: dict[str, np.ndarray]) -> np.ndarray:
        rows = pd.DataFrame({name: values[:, 0] for name, values in feed.items()}).infer_objects()
        return model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)[:, None]

    return dtypes, run
