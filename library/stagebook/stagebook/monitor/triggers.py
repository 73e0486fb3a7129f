"""What follows from the windows measured so far: which thresholds alarm, which triggers fire, and what holds a training back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from .settings import Monitoring, Threshold
from .windows import as_utc, count_new_rows, is_old, metric_of, name_of, past_windows, same_version

__all__ = ["Alarm", "Verdict", "decide"]

MONTH = pd.Timedelta(30, "D")
STATES = ("ok", "act", "cannot tell")


@dataclass(frozen=True)
class Alarm:
    """A threshold that alarms.

    Attributes
    ----------
    name, metric, owner : str
        Of the threshold.
    value, threshold : float
        The metric of the newest window that has it; the end of its interval that is nearest to the threshold.
    at_most : bool
    since : str
        Name of the first window beyond the threshold, as far as all after it are beyond it too or cannot tell.
    windows : list of str
        Names of the windows beyond it, among the last.
    """

    name: str
    metric: str
    owner: str
    value: float
    threshold: float
    at_most: bool
    since: str
    windows: list[str]


@dataclass(frozen=True)
class Verdict:
    """What follows.

    Attributes
    ----------
    state : str
        `act`: a training is due, or an alarm that no training is meant for. `cannot tell`: the newest window says nothing.
        `ok`: neither; alarms may wait for the end of a cool-down, see `suppressed_by`.
    retrain : bool
        Train again now.
    alarms : list of Alarm
    fired : list of str
        Triggers that fire, also those held back.
    reasons : list of str
        Sentences: why those fire that look at no threshold.
    suppressed_by : list of str
        Sentences: why nothing is trained although the trigger fires.
    unknown : list of str
        Thresholds whose metric is not known of the last windows: neither alarm nor all-clear.
    notes : list of str
        Sentences: what cannot be told, and why.
    window : str
        Name of the newest window.
    """

    state: str
    retrain: bool = False
    alarms: list[Alarm] = field(default_factory=list)
    fired: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    suppressed_by: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    window: str = ""


def decide(
    history: Sequence[dict],
    settings: Monitoring,
    now: datetime,
    retrained: Sequence[datetime] = (),
    new_rows: int | None = None,
    demanded: bool = False,
) -> Verdict:
    """Decide by docs/monitoring.yaml on the window records.

    Parameters
    ----------
    history : list of dict
        Window records, the oldest first.
    now : datetime
        With time zone.
    retrained : list of datetime
        When the model was trained again, whether it became champion or not.
    new_rows : int, optional
        Rows with a true value since then; without it, those of the windows that began since then.
    demanded : bool
        A person asks for a training: the triggers of kind `on demand` fire.
    """
    now, retrained = as_utc(now), sorted(map(as_utc, retrained))
    past, notes = past_windows(history, now)
    if new_rows is None:
        new_rows = count_new_rows(past, retrained)
    newest = past[-1] if past else None
    told = bool(newest and newest.get("enough") and not is_old(newest, now))
    if newest is not None and is_old(newest, now):
        notes.append(f"window {name_of(newest)} is the newest that was measured: later ones are missing")
    elif newest is not None and not told:
        notes.append(f"window {name_of(newest)} is not judged: {'; '.join(newest.get('notes') or ['too few rows'])}")
    alarms, unknown = _alarms(past, settings) if told else ([], [*settings.thresholds])
    if told and unknown:
        notes.append(f"not known of the last windows: {', '.join(unknown)}")
    began = [as_utc(record["window"]["since"]) for record in past if record["window"].get("since")]
    fires = _Fires(settings, {alarm.name for alarm in alarms}, now, retrained, new_rows, demanded, began)
    fired = [name for name in settings.triggers if fires(name)]
    reasons = [reason for name in fired if (reason := fires.why(name))]
    due = settings.retraining.when in fired
    held = _hold_back(settings, now, retrained, new_rows) if due and not demanded else []
    left = [alarm for alarm in alarms if alarm.name not in _retrains_on(settings)]
    if len(left) < len(alarms) and not due:
        notes.append(f"trigger {settings.retraining.when} waits for its other conditions")
    retrain = due and not held
    state = "act" if retrain or left else "ok" if told else "cannot tell"
    return Verdict(state, retrain, alarms, fired, reasons, held, unknown, notes, name_of(newest) if newest else "")


def _alarms(past: Sequence[dict], settings: Monitoring) -> tuple[list[Alarm], list[str]]:
    found, unknown, records = [], [], same_version(past)
    for name, threshold in settings.thresholds.items():
        told = [(record, value) for record in records if (value := _value(record, threshold)) is not None]
        recent = {id(record) for record in records[-settings.windows.of_last :]}
        if not told or id(told[-1][0]) not in recent:
            unknown.append(name)
            continue
        last = told[-settings.windows.of_last :]
        beyond = [name_of(record) for record, value in last if _beyond(value, threshold)]
        if len(beyond) >= settings.windows.alarm and _beyond(last[-1][1], threshold):
            found.append(_make_alarm(name, threshold, told, beyond))
    return found, unknown


def _make_alarm(name: str, threshold: Threshold, told: list[tuple[dict, float]], beyond: list[str]) -> Alarm:
    since = beyond[0]
    for record, value in reversed(told):
        if not _beyond(value, threshold):
            break
        since = name_of(record)
    at_most = threshold.at_most is not None
    limit = threshold.at_most if at_most else threshold.at_least
    return Alarm(name, threshold.metric, threshold.owner, told[-1][1], limit, at_most, since, beyond)


def _value(record: dict, threshold: Threshold) -> float | None:
    return metric_of(record, threshold.metric, threshold.at_most is not None) if record.get("enough") else None


def _beyond(value: float, threshold: Threshold) -> bool:
    return value > threshold.at_most if threshold.at_most is not None else value < threshold.at_least


@dataclass(frozen=True)
class _Fires:
    """Tells whether a trigger fires."""

    settings: Monitoring
    alarming: set[str]
    now: pd.Timestamp
    retrained: list[pd.Timestamp]
    new_rows: int
    demanded: bool
    began: list[pd.Timestamp]

    def __call__(self, name: str) -> bool:
        trigger = self.settings.triggers[name]
        looks: dict[str, Callable[[], bool]] = {
            "schedule": self._overdue(trigger.every_days),
            "new data": lambda: self.new_rows >= trigger.rows,
            "performance": lambda: bool(self.alarming & set(trigger.thresholds)),
            "distribution": lambda: bool(self.alarming & set(trigger.thresholds)),
            "on demand": lambda: self.demanded,
            "hybrid": lambda: any(map(self, trigger.any)) if trigger.any else all(map(self, trigger.all)),
        }
        return looks[trigger.kind]()

    def why(self, name: str) -> str:
        """Return why a trigger fires that looks at no threshold and at no other trigger; empty for the others."""
        trigger = self.settings.triggers[name]
        return {
            "schedule": f"{name}: {trigger.every_days} days since the last training",
            "new data": f"{name}: {self.new_rows:,} rows with a true value since the last training",
            "on demand": f"{name}: a person asked for a training",
        }.get(trigger.kind, "")

    def _overdue(self, days: float | None) -> Callable[[], bool]:
        """Count from the last training; before the first one, from the first window that is known."""
        last = max([*self.retrained, *self.began[:1]], default=None)
        return lambda: last is not None and self.now - last >= pd.Timedelta(days=days)


def _hold_back(settings: Monitoring, now: pd.Timestamp, retrained: list[pd.Timestamp], new_rows: int) -> list[str]:
    rules, reasons = settings.retraining, []
    if retrained and now - retrained[-1] < pd.Timedelta(days=rules.cool_down_days):
        until = retrained[-1] + pd.Timedelta(days=rules.cool_down_days)
        reasons.append(f"cool-down until {until:%Y-%m-%d %H:%M}: the last training was on {retrained[-1]:%Y-%m-%d}")
    if new_rows < rules.min_new_rows:
        reasons.append(
            f"{new_rows} rows with a true value have arrived since the last training, {rules.min_new_rows} are needed"
        )
    spent = sum(now - MONTH < one <= now for one in retrained)
    if spent >= rules.most_per_month:
        reasons.append(f"{spent} trainings in the last 30 days, {rules.most_per_month} are allowed")
    return reasons


def _retrains_on(settings: Monitoring) -> set[str]:
    """Return the thresholds whose alarms are answered by a training."""
    waiting, found, seen = [settings.retraining.when], set(), set()
    while waiting:
        name = waiting.pop()
        if name is None or name in seen:
            continue
        seen.add(name)
        trigger = settings.triggers[name]
        found |= set(trigger.thresholds or ())
        waiting += [*(trigger.any or ()), *(trigger.all or ())]
    return found
