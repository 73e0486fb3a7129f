"""All models side by side on the same hold-out: how good, how big, how fast."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from ..model.package import load_model, model_file
from ..model.task import Task
from .metrics import PRIMARY, score

__all__ = ["TIMES", "benchmark", "measure_latency"]

TIMES = ("one_row_ms", "thousand_rows_ms")


def measure_latency(predict: Callable[[pd.DataFrame], np.ndarray], rows: pd.DataFrame) -> dict[str, float]:
    """Return the median time of a call, in milliseconds, for one row and for a thousand.

    Parameters
    ----------
    predict : callable
        An opened model, as `load_model` returns it.
    rows : DataFrame of shape (n_rows, n_columns)
        Taken again and again where there are fewer than a thousand.
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


def benchmark(folders: dict[str, Path], holdout: pd.DataFrame, task: Task, train_seconds: dict) -> pd.DataFrame:
    """Return a row per model: its figures on the hold-out, size, time to train and to answer.

    Parameters
    ----------
    folders : dict of Path
        Name of each model: the folder of its package.
    train_seconds : dict of float
        By name; a model that was not trained here and now has none.
    """
    table, label = {}, holdout[task.target].to_numpy()
    for name, folder in folders.items():
        predict, file = load_model(folder, task), model_file(folder)
        table[name] = score(task, label, predict(holdout)) | {
            "size_mb": round(file.stat().st_size / 1e6, 3),
            "train_seconds": round(train_seconds.get(name, np.nan), 1),
            **measure_latency(predict, holdout),
        }
    figure, sign = PRIMARY[task.kind]
    found = pd.DataFrame(table).T.rename_axis("model")
    return found.sort_values(figure, ascending=sign < 0) if figure in found else found
