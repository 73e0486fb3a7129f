"""Hand the predictions of a chunk to the prediction log, so that monitoring sees them."""

from datetime import datetime

import numpy as np

from ...predictions.control import in_control
from ...predictions.log import Prediction, PredictionLog
from ...project.errors import StoreError
from ...request.loggable import feature_rows, mask_features, plain_rows
from ...request.rows import mask_rows
from ..package import Package
from .scorer import Scored

__all__ = ["record_chunk"]

PIECE = 5_000  # rows that are Python objects at a time
MIXED = np.uint64(0x9E3779B97F4A7C15)  # spreads the numbers of rows evenly (Fibonacci hashing)


def record_chunk(
    log: PredictionLog,
    scored: Scored,
    about: tuple[Package, datetime, str, int],
    share: float = 1.0,
    control_share: float = 0.0,
    wait_seconds: float = 60,
) -> int:
    """Log a share of the predictions of a chunk, and wait until they are written; return how many rows were logged.

    Parameters
    ----------
    about : tuple
        The model, the time of the run, its id as `request_id`, and the number of the chunk's first row. The same id and
        row are logged once, so a chunk that is repeated changes nothing.

    Raises
    ------
    StoreError
        The log was not written in time.
    """
    package, predicted_at, request_id, first = about
    chosen = _choose(first, len(scored), share)
    common = {"request_id": request_id, "asked_at": predicted_at, "model": package.name, "version": package.version}
    common |= {"latency_ms": 0.0, "control_share": control_share}
    for start in range(0, len(chosen), PIECE):
        places = chosen[start : start + PIECE]
        rows = _rows(scored, places, package)
        numbers = [first + int(at) for at in places]
        control = [in_control(control_share, row[0], request_id, at) for at, row in zip(numbers, rows, strict=True)]
        log.write(
            [
                Prediction(row=at, key=key, inputs=raw, features=inputs, output=out, control=held, **common)
                for at, held, (key, raw, inputs, out) in zip(numbers, control, rows, strict=True)
            ]
        )
        _flush(log, wait_seconds)
    return len(chosen)


def _choose(first: int, rows: int, share: float) -> np.ndarray:
    """Return the places in a chunk that are logged: by a hash of the row's number, the same each time."""
    numbers = np.arange(first, first + rows, dtype=np.uint64) * MIXED
    return np.flatnonzero((numbers >> np.uint64(11)).astype("float64") < share * 2**53)


def _rows(scored: Scored, places: np.ndarray, package: Package) -> list[tuple[dict, dict, dict, dict]]:
    """Return key, raw row, inputs of the model and output of some rows, masked."""
    names = list(scored.key)
    keys = [{name: scored.key[name][at] for name in names} for at in places]
    inputs = feature_rows({name: values[places] for name, values in scored.inputs.items()}, package.contract)
    if set(package.contract.table.columns) <= set(scored.table.columns):
        raw = plain_rows(mask_rows(scored.table.iloc[places].reset_index(drop=True), package.contract))
    else:  # the source had inputs of the model, as POST /predict/inputs
        raw = mask_features(inputs, package.contract)
    outputs = zip(*(values[places].tolist() for values in scored.answer.values()), strict=True)
    return list(zip(keys, raw, inputs, (dict(zip(scored.answer, row, strict=True)) for row in outputs), strict=True))


def _flush(log: PredictionLog, seconds: float) -> None:
    if not log.flush(seconds):
        raise StoreError(log.error or f"the prediction log was not written within {seconds:g} s.")
