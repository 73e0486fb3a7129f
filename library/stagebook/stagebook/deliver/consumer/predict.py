"""Predictions of the model in this package, with numpy and onnxruntime."""

import importlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ...serve.predictor import Predictor

__all__ = ["describe", "predict", "predict_raw"]

FOLDER = Path(__file__).parent


@cache
def describe() -> dict:
    """Return what the model is: name, version, task, `inputs` with their kinds, `fields` of a raw request, metrics."""
    return json.loads((FOLDER / "model.json").read_text(encoding="utf-8"))


@cache
def _predictor() -> Predictor:
    return Predictor(FOLDER / "model.onnx", describe()["config"])


def predict(rows: Sequence[Mapping] | Mapping[str, Sequence]) -> list[dict] | dict[str, np.ndarray]:
    """Return the model's answers for its inputs.

    Parameters
    ----------
    rows : list of dict, or dict of list
        Rows, or columns: each input that `describe()["inputs"]` names. None stands for a missing number, "" for a missing text.

    Returns
    -------
    list of dict, or dict of ndarray
        The answers, in the shape of the question. binary: `probability` of the second class, and `prediction`, a class, if
        the model has a threshold; multiclass: `prediction` and `probability_<class>`; regression: `prediction`, with `lower`
        and `upper` if the model has an interval.

    Raises
    ------
    ValueError
        An input is missing or is of another kind; the message names row and input.
    """
    if isinstance(rows, Mapping):
        return _check(_predictor().predict(rows))
    inputs = describe()["inputs"]
    columns = {name: [_take(row, place, name, kind) for place, row in enumerate(rows)] for name, kind in inputs.items()}
    return _as_rows(_check(_predictor().predict(columns)))


def _take(row: Mapping, place: int, name: str, kind: str) -> object:
    """Return one value of a row; ValueError if it is not there or of another kind."""
    if not isinstance(row, Mapping):
        raise TypeError(f"row {place} is {row!r:.80}; it must be a dict of inputs")
    if name not in row:
        raise ValueError(f"row {place}: input {name!r} is missing; the model takes {', '.join(describe()['inputs'])}")
    value = row[name]
    if kind == "text":
        if value is not None and not isinstance(value, str):
            raise ValueError(f"row {place}: input {name!r} is {value!r:.80}; it must be a text")
        return value or ""
    if value is None:
        return None
    if isinstance(value, str | bytes) or not np.isscalar(value) or isinstance(value, complex):
        raise ValueError(f"row {place}: input {name!r} is {value!r:.80}; it must be a number or None")
    return float(value)


def _check(answer: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for name, values in answer.items():
        for row, value in enumerate(values.tolist()):
            if isinstance(value, float) and not isfinite(value):
                raise ValueError(f"row {row}: {name} is no number: an input is far from what the model learned")
    return answer


def predict_raw(rows: Sequence[Mapping]) -> list[dict]:
    """Return the model's answers for raw requests, prepared by the code of training.

    Only in a wheel whose preparation needs no more than numpy: `describe()["fields"]` then names the fields.

    Raises
    ------
    TypeError
        This wheel takes inputs of the model only.
    ValueError
        A value is of another type than its field.
    """
    about = describe()
    if about["prepare"] is None:
        raise TypeError(
            f"{about['name']} takes inputs of the model only (`predict`): the preparation of raw requests needs more "
            "than numpy. Ask the service for raw requests."
        )
    module, _, name = about["prepare"].partition(":")
    prepare = getattr(importlib.import_module(f".preparation.{module}", __package__), name)
    columns = {name: _read_field(rows, name, field["type"]) for name, field in about["fields"].items()}
    contract = SimpleNamespace(features=about["inputs"], settings=about["settings"])
    return _as_rows(_check(_predictor().predict(prepare(columns, contract, None))))


def _read_field(rows: Sequence[Mapping], name: str, kind: str) -> np.ndarray:
    """Return one field of raw requests: numbers as float64 (NaN), dates as datetime64 (NaT), others as objects (None)."""
    values = [row.get(name) for row in rows]
    dtype = {"number": "float64", "integer": "float64", "date": "datetime64[us]"}.get(kind, object)
    try:
        return np.array(values, dtype=dtype)
    except (TypeError, ValueError):
        for place, value in enumerate(values):
            try:
                np.array([value], dtype=dtype)
            except (TypeError, ValueError):
                raise ValueError(f"row {place}: field {name!r} is {value!r:.80}; it must be a {kind}") from None
        raise


def _as_rows(answer: dict[str, np.ndarray]) -> list[dict]:
    values = [column.tolist() for column in answer.values()]
    return [dict(zip(answer, row, strict=True)) for row in zip(*values, strict=True)]
