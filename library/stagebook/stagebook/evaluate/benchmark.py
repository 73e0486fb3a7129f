"""All models side by side on the same hold-out: how good, how big, how fast."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from ..model.package import load_model, model_file
from ..model.task import Task
from .metrics import PRIMARY, score

__all__ = ["TIMES", "measure_latency", "run_benchmark"]

TIMES = ("one_row_ms", "thousand_rows_ms")


def run_benchmark(
    folders: Mapping[str, Path], holdout: pd.DataFrame, task: Task, timings: str | Path
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return a row per model, the best first, and what each predicts.

    Parameters
    ----------
    folders : mapping of Path
        Name of each model: the folder of its package.
    holdout : DataFrame of shape (n_rows, n_columns)
    timings : str or Path
        reports/timings.json, with the seconds that training took; without the file, models have none.

    Returns
    -------
    table : DataFrame
        The metrics on the hold-out, `format`, `size_mb`, `train_seconds`, `one_row_ms` and `thousand_rows_ms`.
    predictions : dict of ndarray of shape (n_rows,) or (n_rows, n_classes)
    """
    rows, predictions, label, seconds = {}, {}, holdout[task.target].to_numpy(), _read_seconds(Path(timings))
    for name, folder in folders.items():
        predict, file = load_model(folder, task), model_file(folder)
        predictions[name] = predict(holdout)
        rows[name] = score(task, label, predictions[name]) | {
            "format": file.suffix[1:],
            "size_mb": round(file.stat().st_size / 1e6, 3),
            "train_seconds": round(seconds.get(name, np.nan), 1),
            **measure_latency(predict, holdout),
        }
    metric, sign = PRIMARY[task.kind]
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    return (table.sort_values(metric, ascending=sign < 0) if metric in table else table), predictions


def _read_seconds(file: Path) -> dict[str, float]:
    found = json.loads(file.read_text(encoding="utf-8"))["train_seconds"] if file.is_file() else {}
    return {f"tried: {name}": seconds for name, seconds in found.items()}


def measure_latency(predict: Callable[[pd.DataFrame], np.ndarray], rows: pd.DataFrame) -> dict[str, float]:
    """Return the median time of a call, in milliseconds, for one row and for a thousand.

    Parameters
    ----------
    predict : callable
        An opened model, as `load_model` returns it.
    rows : DataFrame of shape (n_rows, n_columns)
        Repeated if there are fewer than a thousand.
    """
    thousand = rows.iloc[np.resize(np.arange(len(rows)), 1000)]
    return {
        name: round(median(_seconds(predict, some) for _ in range(times)) * 1000, 3)
        for name, some, times in zip(TIMES, (rows.iloc[:1], thousand), (50, 7), strict=True)
    }


def _seconds(predict: Callable[[pd.DataFrame], np.ndarray], rows: pd.DataFrame) -> float:
    start = time.perf_counter()
    predict(rows)
    return time.perf_counter() - start
