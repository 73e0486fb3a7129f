"""What window records say: a metric by its path, which windows are over, which belong to the model that answers now."""

import math
from collections.abc import Sequence
from datetime import datetime

import pandas as pd

__all__ = ["as_utc", "count_new_rows", "is_old", "metric_of", "name_of", "past_windows", "same_version"]

MOST_AGE = 1.5  # lengths of the newest window, after which it is no news


def metric_of(record: dict, metric: str, at_most: bool = True) -> float | None:
    """Return a metric of a window record; None if it has none.

    Of an interval the end that is nearest to what is allowed, so that only a whole interval is beyond a threshold; of a list
    of entries the worst one; of any other list its length.
    """
    found = [record]
    for key in metric.split("."):
        steps = [step for one in found for step in (one if isinstance(one, list) else [one])]
        found = [step[key] for step in steps if isinstance(step, dict) and key in step]
    values = [value for value in (_number(one, at_most) for one in found) if value is not None]
    return None if not values else max(values) if at_most else min(values)


def _number(value: object, at_most: bool) -> float | None:
    if isinstance(value, list):
        return float(len(value))
    if isinstance(value, dict):
        value = value.get("low" if at_most else "high", value.get("value"))
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None


def same_version(history: Sequence[dict]) -> list[dict]:
    """Return the newest windows that the model version of the newest one answered: earlier ones tell of another model."""
    version = _version(history[-1]) if history else None
    found = []
    for record in reversed(history):
        if record.get("rows") and version is not None and _version(record) != version:
            break
        found.append(record)
    return found[::-1]


def count_new_rows(history: Sequence[dict], retrained: Sequence[datetime]) -> int:
    """Return how many rows with a true value the windows have that began after the last training."""
    last = max(retrained, default=None)
    return sum(
        record.get("labelled", 0)
        for record in history
        if last is None or (record["window"].get("since") and as_utc(record["window"]["since"]) >= last)
    )


def past_windows(history: Sequence[dict], now: datetime) -> tuple[list[dict], list[str]]:
    """Return the windows that are over, each once, the oldest first, and sentences on what is wrong with the others."""
    now, by_name = as_utc(now), {name_of(record): record for record in history}
    records = sorted(by_name.values(), key=lambda record: (str(record["window"].get("since")), name_of(record)))
    over = [record for record in records if (end := _end(record)) is None or end <= now]
    notes = [
        f"window {name_of(record)} ends in the future: check the clocks" for record in records if record not in over
    ]
    return over, notes if over or notes else ["no window has been measured yet"]


def is_old(record: dict, now: datetime) -> bool:
    """Tell whether at least one window after this one should have been measured by now."""
    end, since = _end(record), record["window"].get("since")
    return bool(end is not None and since and as_utc(now) - end > MOST_AGE * (end - as_utc(since)))


def _end(record: dict) -> pd.Timestamp | None:
    return as_utc(record["window"]["until"]) if record["window"].get("until") else None


def name_of(record: dict) -> str:
    """Return the name of the window."""
    return str(record["window"]["name"])


def _version(record: dict) -> str | None:
    versions = record.get("versions") or {}
    return max(versions, key=lambda name: (versions[name], name)) if versions else None


def as_utc(moment: datetime | str) -> pd.Timestamp:
    """Return a time in UTC; one without a time zone is in UTC."""
    moment = pd.Timestamp(moment)
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
