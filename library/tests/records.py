"""Window records and settings for tests of what follows from them."""

from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter
from stagebook.monitor.settings import Monitoring

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
WHY = {"owner": "data scientist", "reason": "because"}
SETTINGS = {
    "windows": {"length": "week", "min_rows": 100, "alarm": 2, "of_last": 3},
    "thresholds": {
        "worse": {"metric": "performance_drop", "at_most": 0.05, **WHY},
        "moved": {"metric": "drift.share", "at_most": 0.3, **WHY},
        "missing": {"metric": "drift.missing_rise", "at_most": 0.05, **WHY},
    },
    "triggers": {
        "decayed": {"kind": "performance", "thresholds": ["worse"]},
        "shifted": {"kind": "distribution", "thresholds": ["moved"]},
        "old": {"kind": "schedule", "every_days": 365},
        "arrived": {"kind": "new data", "rows": 6000},
        "asked": {"kind": "on demand"},
        "train_again": {"kind": "hybrid", "any": ["decayed", "asked", "old"]},
    },
    "retraining": {"when": "train_again", "cool_down_days": 20, "min_new_rows": 100, "most_per_month": 2},
}


def settings(**sections) -> Monitoring:
    """Return docs/monitoring.yaml with some sections changed."""
    content = {name: {**part, **sections.get(name, {})} for name, part in SETTINGS.items()}
    return TypeAdapter(Monitoring).validate_python(content)


def week(number: int) -> datetime:
    """Return the begin of a week."""
    return BEGIN + timedelta(days=7 * number)


def record(number: int, drop: float | None = 0.0, *, rows: int = 1000, version: str = "1", share: float = 0.0, **more):
    """Return the record of a week; the interval of `drop` is 0.02 wide."""
    found = {
        "window": {
            "name": f"week {number}",
            "since": week(number).isoformat(),
            "until": week(number + 1).isoformat(),
        },
        "rows": rows,
        "labelled": rows if drop is not None else 0,
        "missing_outcomes": 0 if drop is not None else rows,
        "late_outcomes": 0,
        "versions": {version: rows} if rows else {},
        "enough": rows >= 100,
        "notes": [],
        "drift": {"share": share, "moved": ["price", "kind"] if share else [], "missing_rise": 0.0},
    }
    if drop is not None:
        found["performance_drop"] = {"value": drop, "low": drop - 0.01, "high": drop + 0.01}
    return found | more


def weeks(*drops: float | None, **more) -> list[dict]:
    """Return records of successive weeks."""
    return [record(number, drop, **more) for number, drop in enumerate(drops)]
