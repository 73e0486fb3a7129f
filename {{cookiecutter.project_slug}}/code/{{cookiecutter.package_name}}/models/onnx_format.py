"""Models as ONNX: one safe file, the same bytes for the same model, readable without scikit-learn or this package."""

from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.pipeline import Pipeline

__all__ = ["check_parity", "predict_onnx", "to_onnx_bytes"]


def to_onnx_bytes(classifier: Pipeline, example: pd.DataFrame) -> bytes:
    """Convert a fitted binary classifier, with one named input per column of `example`.

    Parameters
    ----------
    classifier : Pipeline
        Fitted on the columns of `example`.
    example : DataFrame of shape (n_rows, n_features)
        Only names and dtypes are used: numbers become float32 inputs of shape (n, 1), the rest strings.
    """
    inputs = [
        (column, (FloatTensorType if pd.api.types.is_numeric_dtype(example[column]) else StringTensorType)([None, 1]))
        for column in example.columns
    ]
    options = {id(classifier): {"zipmap": False}}
    model = to_onnx(classifier, initial_types=inputs, options=options, target_opset=18)
    model.opset_import.sort(key=lambda opset: opset.domain)  # comes out in the order of a set
    return model.SerializeToString()


def predict_onnx(model: bytes | str | Path, frame: pd.DataFrame) -> np.ndarray:
    """Score `frame` with an ONNX model.

    Parameters
    ----------
    model : bytes, str or Path
        The model, or the file that holds it.
    frame : DataFrame of shape (n_rows, n_columns)
        Has at least the columns that the model names; others are ignored.

    Returns
    -------
    ndarray of shape (n_rows,)
        Probability of the positive class.

    Raises
    ------
    KeyError
        A column that the model needs is not in `frame`.
    """
    source = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(string)": object}
    feed = {node.name: frame[[node.name]].to_numpy(dtype=kinds[node.type]) for node in session.get_inputs()}
    return session.run(["probabilities"], feed)[0][:, 1]


def check_parity(classifier: Pipeline, model: bytes, frame: pd.DataFrame, tolerance: float = 1e-4) -> float:
    """Return the largest difference between the ONNX model and the classifier it came from.

    Raises
    ------
    ValueError
        The difference is above `tolerance`: the conversion is not truthful, the file must not be used.
    """
    expected = classifier.predict_proba(frame)[:, 1]
    difference = float(np.abs(predict_onnx(model, frame) - expected).max())
    if not difference <= tolerance:
        raise ValueError(f"ONNX and scikit-learn probabilities differ by {difference:.2g}, allowed is {tolerance:.2g}.")
    return difference
