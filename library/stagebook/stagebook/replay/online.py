"""Serving in process: a model answers rows through the service's predictor, and answers and true values go to a log."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..model.package import model_file
from ..model.task import Task
from ..predictions.log import Prediction, PredictionLog
from ..predictions.outcomes import Outcome, record_outcomes
from ..project.errors import StoreError
from ..serve.predictor import Predictor
from .candidate import read_facts

__all__ = ["answer_rows", "as_prediction", "log_answers", "log_outcomes"]

MODEL, ROWS_PER_WRITE, SECONDS_PER_WRITE = "replay", 50_000, 120
LATENCY = 0.0  # a measured time would differ from run to run


def answer_rows(folder: Path, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the answers of the model that `train_candidate` wrote into the folder, as the service would give them."""
    predictor = Predictor(model_file(folder / "candidate"), read_facts(folder)["config"])
    return predictor.predict({name: rows[name].to_numpy() for name in predictor.inputs})


def as_prediction(answer: Mapping[str, np.ndarray], task: Task) -> np.ndarray:
    """Return answers as `predict_model` returns predictions."""
    if task.kind == "multiclass":
        return np.column_stack([answer[f"probability_{name}"] for name in task.classes])
    return answer["probability" if task.kind == "binary" else "prediction"]


def log_answers(
    url: str, version: str, rows: pd.DataFrame, names: pd.Index, answer: Mapping[str, np.ndarray], task: Task
) -> None:
    """Write the answers to the log; rows that it has already, from a run that was killed, stay as they are.

    Parameters
    ----------
    names : Index
        What identifies each row of the replay: its request id.
    """
    log = PredictionLog(url)
    try:
        for batch in _batches(len(rows)):
            log.write(list(_predictions(version, rows.iloc[batch], names[batch], _cut(answer, batch), task)))
            if not log.flush(SECONDS_PER_WRITE):
                raise StoreError(log.error or f"the log of the replay was not written in {SECONDS_PER_WRITE} seconds.")
    finally:
        log.close()


def _batches(count: int) -> list[slice]:
    return [slice(start, start + ROWS_PER_WRITE) for start in range(0, count, ROWS_PER_WRITE)]


def _cut(answer: Mapping[str, np.ndarray], batch: slice) -> dict[str, np.ndarray]:
    return {name: values[batch] for name, values in answer.items()}


def _predictions(
    version: str, rows: pd.DataFrame, names: pd.Index, answer: Mapping[str, np.ndarray], task: Task
) -> Iterator[Prediction]:
    features = rows.drop(columns=[task.target, *task.keys]).astype(object)
    records = features.where(features.notna(), None).to_dict("records")
    outputs = pd.DataFrame(answer).to_dict("records")
    times = pd.to_datetime(rows[task.time], utc=True)
    for name, asked_at, record, output in zip(names, times, records, outputs, strict=True):
        asked = asked_at.to_pydatetime(warn=False)
        yield Prediction(str(name), 0, asked, MODEL, version, {}, {}, output, LATENCY, features=record)


def log_outcomes(url: str, label: pd.Series, arrives: pd.Series, task: Task) -> None:
    """Record the true values of rows in the log, as received when each arrives; the index of both has the request ids."""
    values = label.map(lambda code: task.classes[int(code)]) if task.classes else label.astype(float)
    times = [moment.to_pydatetime(warn=False) for moment in arrives]
    outcomes = [
        Outcome(value, str(name), received_at=time)
        for name, value, time in zip(label.index, values, times, strict=True)
    ]
    record_outcomes(url, outcomes, classes=task.classes, source="replay")
