"""What can be counted of a window, and its record as plain JSON values."""

import dataclasses
import math
from datetime import datetime

import numpy as np
import pandas as pd

from .observed import Observed

__all__ = ["count_rows", "describe_system", "to_plain"]


def count_rows(observed: Observed, min_rows: int, late_after_days: float, notes: list[str]) -> dict:
    """Return how many rows there are, of which version, with which true values; add a note for each oddity."""
    asked, known_at = observed.asked_at.reset_index(drop=True), observed.known_at.reset_index(drop=True)
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
