"""The rows of a window that are measured, what can be counted of them, and records as plain JSON values."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from ..data.skew.correlation import CLOCK, correlate, rank_columns
from ..model.task import Task
from .effect import day_blocks
from .observed import Observed

__all__ = [
    "Rows",
    "count_rows",
    "describe_system",
    "find_clocks",
    "pick_reference",
    "same_version",
    "take_labelled",
    "to_plain",
]


def count_rows(observed: Observed, min_rows: int, late_after_days: float, notes: list[str]) -> dict:
    """Return how many rows there are, of which version, with which true values; add a note for each oddity."""
    times = (observed.asked_at, observed.known_at)
    asked, known_at = (pd.to_datetime(each, utc=True).reset_index(drop=True) for each in times)
    rows, window = len(observed.table), observed.window
    known = np.isfinite(np.asarray(observed.label, dtype=float))
    waited = (known_at - asked)[known]
    outside = int(((asked < window.since) | (asked >= window.until)).sum()) if pd.notna(window.since) else 0
    early = int((waited < pd.Timedelta(0)).sum())
    versions = pd.Series(np.asarray(observed.version).astype(str)).value_counts().sort_index()
    if not rows:
        notes.append("the window is empty")
    elif rows < min_rows:
        notes.append(f"the window has {rows} rows, {min_rows} are needed")
    if rows and not known.any():
        notes.append("no true value has arrived yet")
    if outside:
        notes.append(f"{outside} rows are not of this window: check the clocks of the services")
    if early:
        notes.append(f"{early} true values arrived before they were asked for: check the clocks")
    notes += [f"{count} rows are left out: {reason}" for reason, count in getattr(observed, "left_out", {}).items()]
    return {
        "window": {"name": window.name, "since": window.since, "until": window.until},
        "rows": rows,
        "labelled": int(known.sum()),
        "missing_outcomes": int((~known).sum()),
        "late_outcomes": int((waited > pd.Timedelta(days=late_after_days)).sum()),
        "clock_skew": outside + early,
        "versions": {str(name): int(count) for name, count in versions.items()},
        "enough": rows >= min_rows,
    }


def describe_system(observed: Observed) -> dict:
    """Return how long answers took, and how many there were in an hour."""
    found, latency = {}, np.asarray(observed.latency_ms, dtype=float)
    latency = latency[np.isfinite(latency)]
    if len(latency):
        p50, p99 = np.quantile(latency, [0.5, 0.99])
        found = {"latency_p50_ms": p50, "latency_p99_ms": p99}
    window = observed.window
    if len(observed.table) and pd.notna(window.since) and pd.notna(window.until) and window.until > window.since:
        found["rows_per_hour"] = len(observed.table) / ((window.until - window.since) / pd.Timedelta(hours=1))
    return {"system": found}


@dataclass(frozen=True)
class Rows:
    """Rows whose true value is known, in the order of time."""

    table: pd.DataFrame
    prediction: np.ndarray
    label: np.ndarray
    asked_at: pd.Series
    days: np.ndarray | None
    control: np.ndarray
    control_share: np.ndarray


def take_labelled(observed: Observed, task: Task, mask: np.ndarray | None = None) -> Rows:
    """Return the rows whose true value is known and makes sense, in the order of time."""
    label = np.asarray(observed.label, dtype=float)
    known = np.isfinite(label) if task.kind == "regression" else np.isin(label, range(len(task.classes)))
    rows = np.flatnonzero(known if mask is None else known & mask)
    asked_at = observed.asked_at.reset_index(drop=True)
    rows = rows[np.argsort(asked_at.iloc[rows].to_numpy(), kind="stable")]
    asked_at, parts = asked_at.iloc[rows].reset_index(drop=True), (observed.prediction, label)
    parts = [np.asarray(part)[rows] for part in (*parts, observed.control, observed.control_share)]
    table = observed.table.iloc[rows].reset_index(drop=True)
    return Rows(table, parts[0], parts[1], asked_at, day_blocks(asked_at), parts[2], parts[3])


def pick_reference(
    references: Mapping[str, Observed], compare_with: str, min_rows: int, notes: list[str]
) -> tuple[str | None, Observed | None]:
    """Return the reference that performance is compared with, and its name."""
    known = {name: one for name, one in references.items() if np.isfinite(one.label).sum() >= min_rows}
    if not known:
        notes.append(f"no reference has {min_rows} rows with true values: performance cannot be compared")
        return None, None
    name = compare_with if compare_with in known else list(known)[-1]
    return name, known[name]


def same_version(observed: Observed, base: Observed, min_rows: int, notes: list[str]) -> np.ndarray:
    """Return which rows were answered by the version that made the predictions of the reference."""
    versions = np.asarray(observed.version).astype(str)
    mask = np.isin(versions, np.asarray(base.version).astype(str))
    if min_rows <= mask.sum() < len(mask):
        notes.append(f"{int((~mask).sum())} rows were answered by other versions: they count for drift only")
        return mask
    if len(np.unique(versions)) > 1:
        notes.append("several versions answered, none of them that of the reference: they are measured together")
    return np.ones(len(mask), dtype=bool)


def find_clocks(references, kinds: dict[str, str]) -> list[str]:
    """Return the features that only follow the time in some reference, such as a number that counts up."""
    found = []
    for one in references.values():
        names = {name: {"kind": "number"} for name, kind in kinds.items() if kind == "number" and name in one.table}
        if not names or one.asked_at.isna().any() or one.asked_at.nunique() < 2:
            continue
        time = next(name for name in ("asked_at", "asked_at_") if name not in one.table)
        ranks = rank_columns(one.table.assign(**{time: one.asked_at.to_numpy()}), names, time)
        found += [name for name, _, r, _ in correlate(ranks, [(name, time) for name in names]) if abs(r) >= CLOCK]
    return sorted(set(found))


def to_plain(value: object) -> object:
    """Return the value as JSON can hold it: six digits, times as text, None for what is no finite number."""
    if dataclasses.is_dataclass(value):
        value = dataclasses.asdict(value)
    if isinstance(value, dict):
        return {str(key): to_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [to_plain(each) for each in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, datetime):
        return None if pd.isna(value) else value.isoformat()
    return value if value is None or isinstance(value, str) else None if value is pd.NaT else str(value)
