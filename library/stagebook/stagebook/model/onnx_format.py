"""Models as ONNX: one safe file, the same bytes for the same model, readable without scikit-learn or this package."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from .blend import members
from .task import Task

__all__ = ["check_parity", "load_onnx", "predict_onnx", "to_onnx_bytes"]

ROWS_AT_ONCE = 100_000  # one-hot columns of more rows than this would fill the memory


def to_onnx_bytes(model: Pipeline, example: pd.DataFrame, task: Task, **facts: float) -> bytes:
    """Convert a fitted model, with one input per column of `example` and of the same name.

    Parameters
    ----------
    model : Pipeline
        Fitted on the columns of `example`. A ColumnTransformer in it must name its columns by position.
    example : DataFrame of shape (n_rows, n_features)
        Only names and dtypes are used: numbers become float32 inputs of shape (n, 1), the rest strings.
    task : Task
        Kind and classes are written into the file.
    **facts : float
        More that is written into it, such as `interval_half_width`.
    """
    for member in members(model):
        _round_thresholds(member[-1])
    kinds = [FloatTensorType if pd.api.types.is_numeric_dtype(dtype) else StringTensorType for dtype in example.dtypes]
    inputs = [(f"c{position}", kind([None, 1])) for position, kind in enumerate(kinds)]
    options = {id(model): {"zipmap": False}} if is_classifier(model) else None
    converted = to_onnx(model, initial_types=inputs, options=options, target_opset=18)
    _rename_inputs(converted.graph, dict(zip([name for name, _ in inputs], example.columns, strict=True)))
    _drop_unused(converted.graph)
    converted.opset_import.sort(key=lambda opset: opset.domain)  # comes out in the order of a set
    known = {"task": task.kind, "classes": json.dumps(task.classes)}
    onnx.helper.set_model_props(converted, known | {name: repr(value) for name, value in facts.items()})
    return converted.SerializeToString()


def _round_thresholds(model) -> None:
    """Round the thresholds of trees down to float32, in place.

    For float32 features no decision changes. The converter rounds to the nearest, which may be the value on the other
    side: neighbouring float32 values, such as seconds since 1970, would go the wrong way.
    """
    model = getattr(model, "estimator", model)  # what a recalibrated model wraps; for a forest, its kind of tree
    thresholds = [boosted.nodes["num_threshold"] for boosted in np.ravel(getattr(model, "_predictors", []))]
    thresholds += [tree.tree_.threshold for tree in getattr(model, "estimators_", [])]
    thresholds += [model.tree_.threshold] if hasattr(model, "tree_") else []
    for exact in thresholds:
        near = exact.astype(np.float32)
        exact[:] = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove constants that no node reads; onnxruntime would warn of each when it opens the file."""
    used = {name for node in graph.node for name in node.input}
    kept = [constant for constant in graph.initializer if constant.name in used]
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)


def _rename_inputs(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Give the inputs their true names, which the converter does not accept, and keep all other names apart from them."""
    new, taken = {"": "", **names}, set(names.values())

    def rename(old: str) -> str:
        while old not in new:
            free = next(name for n in range(len(taken) + 1) if (name := old + "_" * n) not in taken)
            taken.add(free)
            new[old] = free
        return new[old]

    for node in graph.node:
        node.input[:], node.output[:] = map(rename, node.input), map(rename, node.output)
    for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        value.name = rename(value.name)


def load_onnx(model: bytes | str | Path) -> Callable[[pd.DataFrame], np.ndarray]:
    """Open an ONNX model (or the file that holds it) once, and return a function that scores tables as `predict_onnx`."""
    source = model if isinstance(model, bytes) else str(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more wait for each other more than they help, and services run many at once
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    dtypes = {"tensor(float)": np.float32, "tensor(string)": object}
    columns = {}
    for node in session.get_inputs():
        columns.setdefault(dtypes[node.type], []).append(node.name)
    output = session.get_outputs()[-1].name  # a classifier's first output is the class
    kind = session.get_modelmeta().custom_metadata_map["task"]

    def predict(frame: pd.DataFrame) -> np.ndarray:
        parts = []
        for start in range(0, max(len(frame), 1), ROWS_AT_ONCE):
            rows = frame.iloc[start : start + ROWS_AT_ONCE]
            parts += session.run([output], _feed(rows, columns))
        return _pick(kind, np.concatenate(parts))

    return predict


def _feed(rows: pd.DataFrame, columns: dict[type, list[str]]) -> dict[str, np.ndarray]:
    """Return the inputs of shape (n_rows, 1); all columns of a type are taken out at once, which is ten times as fast."""
    tables = [(names, rows[names].to_numpy(dtype=dtype)) for dtype, names in columns.items()]
    return {name: table[:, [place]] for names, table in tables for place, name in enumerate(names)}


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
    ndarray of shape (n_rows,) or (n_rows, n_classes)
        binary: probability of the second class; multiclass: probability of each class; regression: the value.

    Raises
    ------
    KeyError
        A column that the model needs is not in `frame`.
    """
    return load_onnx(model)(frame)


def _pick(kind: str, values: np.ndarray) -> np.ndarray:
    """Return what callers see of a model's output of shape (n_rows, n_outputs)."""
    if kind == "regression":
        return values[:, 0]
    values = values.clip(0, 1)  # a sum of float32 shares may come to 1.0000001
    return values[:, -1] if kind == "binary" else values


def check_parity(
    model: Pipeline, converted: bytes, frame: pd.DataFrame, task: Task, spread: float = 1.0, tolerance: float = 1e-4
) -> float:
    """Return the largest difference between the ONNX model and the model it came from.

    Parameters
    ----------
    spread : float
        For regression, the standard deviation of the target: `tolerance` is in this unit.

    Raises
    ------
    ValueError
        The difference is above `tolerance`: the conversion is not truthful, the file must not be used.
    """
    expected = model.predict_proba(frame) if is_classifier(model) else model.predict(frame)[:, None]
    expected = _pick(task.kind, expected)
    # float32 has seven digits: values around 1e9 with a spread of 1 differ by more than the tolerance.
    allowed = tolerance * spread + np.float32(1e-6) * (task.kind == "regression") * np.abs(expected).max()
    difference = float(np.abs(predict_onnx(converted, frame) - expected).max())
    if not difference <= allowed:
        raise ValueError(f"ONNX and scikit-learn predictions differ by {difference:.2g}, allowed is {allowed:.2g}.")
    return difference / spread
