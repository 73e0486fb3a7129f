"""A window of the prediction log as a table: the model's features, its predictions, and the true values known so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from ..model.task import Task
from ..predictions.outcomes import as_text
from ..predictions.store import read_predictions
from ..project.errors import DataError

__all__ = ["Observed", "Window", "feature_kinds", "observe_table", "read_observed"]

REFERENCE = "reference"


@dataclass(frozen=True)
class Window:
    """A span of time: `since` is in it, `until` is not; UTC."""

    name: str
    since: pd.Timestamp
    until: pd.Timestamp


@dataclass(frozen=True)
class Observed:
    """Predictions of a window, a row each.

    Attributes
    ----------
    window : Window
    table : DataFrame of shape (n_rows, n_features)
        What the model got: float32 (NaN is missing) or text ("" is missing).
    prediction : ndarray of shape (n_rows,) or (n_rows, n_classes)
        As `predict_model` returns it.
    label : ndarray of shape (n_rows,)
        Number of the class in `Task.classes`, or the value; NaN while it is not known.
    asked_at, known_at : Series
        UTC; `known_at` is when the true value arrived, NaT while it is not known.
    version : ndarray of str
    control : ndarray of bool
    control_share, latency_ms : ndarray of float
    left_out : dict of int
        Rows of the log that are not in the table, by reason.
    """

    window: Window
    table: pd.DataFrame
    prediction: np.ndarray
    label: np.ndarray
    asked_at: pd.Series
    version: np.ndarray
    control: np.ndarray
    control_share: np.ndarray
    latency_ms: np.ndarray
    known_at: pd.Series
    left_out: dict[str, int] = field(default_factory=dict)


def feature_kinds(table: pd.DataFrame, task: Task) -> dict[str, str]:
    """Return `number` or `category` for each feature of a processed table, in its order."""
    features = table.drop(columns=[task.target, *task.keys], errors="ignore")
    return {
        name: "number" if pd.api.types.is_numeric_dtype(values) else "category" for name, values in features.items()
    }


def read_observed(
    url, window: Window, task: Task, kinds: Mapping[str, str], *, known_until: datetime | None = None
) -> Observed:
    """Read a window of the prediction log.

    Parameters
    ----------
    url : str or URL
        As `connect_log` returns it.
    kinds : dict of str
        Features of the model, as `feature_kinds` returns them.
    known_until : datetime, optional
        True values that arrived later are treated as not known yet.

    Raises
    ------
    StoreError
        The database cannot be read.
    DataError
        A true value is no class of the task.
    """
    frame = read_predictions(url, window.since, window.until)
    whole = [_fits(row.features, row.output, task) for row in frame.itertuples()]
    left_out = {"logged without the model's inputs, or by a model of another task": len(frame) - sum(whole)}
    frame = frame[np.array(whole, dtype=bool)].reset_index(drop=True)
    if known_until is not None:
        late = frame["received_at"] >= pd.Timestamp(known_until)
        frame.loc[late, "outcome"], frame.loc[late, "received_at"] = None, pd.NaT
    return Observed(
        window,
        _as_table(frame["features"].tolist(), kinds),
        _as_prediction(frame["output"].tolist(), task),
        np.array([_as_label(value, task) for value in frame["outcome"]], dtype=float),
        frame["asked_at"],
        frame["version"].to_numpy(dtype=object),
        frame["control"].to_numpy(dtype=bool),
        frame["control_share"].to_numpy(dtype=float),
        frame["latency_ms"].to_numpy(dtype=float),
        frame["received_at"],
        {reason: count for reason, count in left_out.items() if count},
    )


def observe_table(
    table: pd.DataFrame,
    task: Task,
    predict: Callable[[pd.DataFrame], np.ndarray],
    *,
    name: str = REFERENCE,
    version: str = "",
) -> Observed:
    """Return rows of a processed table as if they had been predicted and their true values were known: a reference.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        Rows with label, as data/processed/holdout.parquet has them.
    predict : callable
        From such a table to predictions, as `load_model` returns it.
    """
    count = len(table)
    asked_at = _as_times(table[task.time] if task.time else pd.Series(pd.NaT, index=range(count)))
    ends = (asked_at.min(), asked_at.max() + pd.Timedelta(1, "us")) if asked_at.notna().any() else (pd.NaT, pd.NaT)
    features = table.drop(columns=[task.target, *task.keys]).reset_index(drop=True)
    return Observed(
        Window(name, *ends),
        features,
        predict(table) if count else _as_prediction([], task),
        table[task.target].to_numpy(dtype=float),
        asked_at,
        np.full(count, version, dtype=object),
        np.zeros(count, dtype=bool),
        np.zeros(count),
        np.full(count, np.nan),
        asked_at,
    )


def _as_times(values: pd.Series) -> pd.Series:
    """Return times in UTC; NaT for a time that is no date, such as a number of a day."""
    if not pd.api.types.is_datetime64_any_dtype(values):
        values = pd.Series(pd.NaT, index=range(len(values)))
    return pd.to_datetime(values.reset_index(drop=True), utc=True)


def _columns(task: Task) -> list[str]:
    """Return the keys of a logged output that hold the prediction."""
    shares = [f"probability_{name}" for name in task.classes]
    return {"binary": ["probability"], "multiclass": shares, "regression": ["prediction"]}[task.kind]


def _fits(features: object, output: object, task: Task) -> bool:
    return bool(features) and isinstance(output, dict) and all(_is_number(output.get(name)) for name in _columns(task))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_table(rows: list[dict], kinds: Mapping[str, str]) -> pd.DataFrame:
    columns = {}
    for name, kind in kinds.items():
        values = [row.get(name) for row in rows]
        if kind == "number":
            columns[name] = pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").astype(np.float32)
        else:
            columns[name] = pd.Series(["" if value is None else str(value) for value in values], dtype="str")
    return pd.DataFrame(columns, index=range(len(rows)))


def _as_prediction(outputs: list[dict], task: Task) -> np.ndarray:
    names = _columns(task)
    values = np.array([[output[name] for name in names] for output in outputs], dtype=float).reshape(-1, len(names))
    return values if task.kind == "multiclass" else values[:, 0]


def _as_label(value: object, task: Task) -> float:
    if pd.isna(value):  # pandas makes NaN of None among numbers
        return np.nan
    if not task.classes:
        return float(value)
    if (name := as_text(value)) not in task.classes:
        raise DataError(
            f"prediction log: the true value {value!r} is no class of the task; it must be one of "
            f"{', '.join(task.classes)}. Record it again with `stagebook outcomes`."
        )
    return float(task.classes.index(name))
