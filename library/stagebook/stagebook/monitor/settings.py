"""docs/monitoring.yaml: what is watched, when it counts as an alarm, and when the model is trained again; read and checked."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pandas as pd
from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from ..gate.thresholds import Owner
from ..project.yaml_files import read_yaml
from ..project.yaml_values import CONFIG, Number, Problem, Section, TextLine, give_names, suggest
from .measure import MeasureSettings
from .observed import Window

__all__ = ["FILE", "KINDS", "Monitoring", "Threshold", "Trigger", "read_monitoring"]

FILE = "docs/monitoring.yaml"
# First parts of a path in a window record: those that tell how good the model is, what moved, and how the service is.
PERFORMANCE = ("performance", "performance_drop", "estimate", "estimate_drop", "value", "calibration", "segments")
PERFORMANCE += ("concept", "control")
DISTRIBUTION = ("drift", "label_shift")
SYSTEM = ("system", "rows", "labelled", "missing_outcomes", "late_outcomes", "duplicates", "clock_skew")
METRICS = (*PERFORMANCE, *DISTRIBUTION, *SYSTEM)
# Kinds of triggers, and the keys that each must have
KINDS = {
    "schedule": ("every_days",),
    "new data": ("rows",),
    "performance": ("thresholds",),
    "distribution": ("thresholds",),
    "on demand": (),
    "hybrid": ("any", "all"),
}
STORED = ("training", "validation", "holdout")
SAME_SEASON = "same season"
PERIOD = re.compile(r"(\d{4}-\d\d-\d\d) to (\d{4}-\d\d-\d\d)")
LENGTHS = {"day": ("D", "%Y-%m-%d"), "week": ("W", "%Y-%m-%d"), "month": ("M", "%Y-%m")}


def _filled(text: str) -> str:
    if not text:
        raise Problem("is empty; a threshold has a metric, an owner and a reason.")
    return text


def _positive(value: float) -> float:
    if value <= 0:
        raise Problem(f"is {value!r}; it must be above 0.")
    return value


def _reference(name: str) -> str:
    found = PERIOD.fullmatch(name)
    try:
        if name in (*STORED, SAME_SEASON) or (found and pd.Timestamp(found[1]) < pd.Timestamp(found[2])):
            return name
    except ValueError:
        pass
    raise Problem(
        f"is {name!r}; it must be training, validation, holdout, same season, or two dates: 2013-01-01 to 2013-04-01."
        f"{suggest(name, (*STORED, SAME_SEASON))}"
    )


Positive = Annotated[Number, AfterValidator(_positive)]
Count = Annotated[int, Field(strict=True, ge=1)]
Reference = Annotated[TextLine, AfterValidator(_reference)]


@dataclass(frozen=True, config=CONFIG)
class Windows(Section):
    """How the prediction log is cut, and how many rows tell something."""

    length: Literal["day", "week", "month"] = Field(default="week", description="Calendar day, week or month, in UTC")
    outcomes_after_days: Positive = Field(default=7, description="True values that arrive later are counted as late")
    min_rows: Count = Field(default=30, description="With fewer rows, or fewer true values, a window tells nothing")
    alarm: Count = Field(default=2, description="A threshold alarms if this many of the last windows are beyond it")
    of_last: Count = Field(default=3, description="The number of last windows; the newest must be beyond it too")

    @model_validator(mode="after")
    def _check_rule(self) -> "Windows":
        if self.alarm > self.of_last:
            raise Problem(f"is {self.alarm}; it cannot be more than `of_last`, {self.of_last}.", "alarm")
        return self

    def last(self, now: datetime) -> Window:
        """Return the newest window that is over at `now`."""
        return self.newest(now, 1)[0]

    def newest(self, now: datetime, count: int) -> list[Window]:
        """Return the newest windows that are over at `now`, the oldest first."""
        code, shown = LENGTHS[self.length]
        moment = pd.Timestamp(now)
        moment = moment.tz_convert("UTC").tz_localize(None) if moment.tzinfo else moment
        found = []
        for back in range(count, 0, -1):
            period = moment.to_period(code) - back
            since, until = (one.start_time.tz_localize("UTC") for one in (period, period + 1))
            found.append(Window(since.strftime(shown), since, until))
        return found


@dataclass(frozen=True, config=CONFIG)
class Drift(Section):
    """When a feature counts as moved."""

    alpha: Positive = Field(
        default=0.01, description="Share of windows without drift in which a feature moves by chance"
    )
    min_psi: Number = Field(default=0.1, description="A feature moves only if its PSI is at least this")
    confidence: Annotated[Number, Field(gt=0, lt=1)] = Field(default=0.95, description="Of each interval in a record")


@dataclass(frozen=True, config=CONFIG)
class Threshold(Section):
    """A metric of a window record and how far it may go; of one with an interval, the whole interval must be beyond."""

    metric: Annotated[TextLine, AfterValidator(_filled)] = Field(
        description="A path in a window record, such as performance_drop or drift.share"
    )
    owner: Owner = Field(description="who may change the threshold, and gets the alarm")
    reason: Annotated[TextLine, AfterValidator(_filled)] = Field(description="why the threshold is where it is")
    at_most: Number | None = Field(default=None, description="The metric must not be above this threshold")
    at_least: Number | None = Field(default=None, description="The metric must not be below this threshold")

    @model_validator(mode="after")
    def _check(self) -> "Threshold":
        given = [key for key in ("at_most", "at_least") if getattr(self, key) is not None]
        if len(given) != 1:
            raise Problem(f"has {' and '.join(given) or 'no threshold'}; give it either `at_most` or `at_least`.")
        if self.room not in METRICS:
            sentence = f"is {self.metric!r}; it must begin with one of {', '.join(METRICS)}."
            raise Problem(f"{sentence}{suggest(self.room, METRICS)}", "metric")
        return self

    @property
    def room(self) -> str:
        """The first part of the path."""
        return self.metric.partition(".")[0]


@dataclass(frozen=True, config=CONFIG)
class Trigger(Section):
    """A reason to train again."""

    RENAMED: ClassVar = {"threshold": "thresholds"}

    kind: Literal[tuple(KINDS)] = Field(description="What it looks at")
    every_days: Positive | None = Field(default=None, description="schedule: days since the last training")
    rows: Count | None = Field(default=None, description="new data: rows with a true value since the last training")
    thresholds: list[TextLine] | None = Field(default=None, description="performance, distribution: any of them alarms")
    any: list[TextLine] | None = Field(default=None, description="hybrid: one of these triggers fires")
    all: list[TextLine] | None = Field(default=None, description="hybrid: each of these triggers fires")

    @model_validator(mode="after")
    def _check_keys_of_kind(self) -> "Trigger":
        given = [key for key in dict.fromkeys(sum(KINDS.values(), ())) if getattr(self, key) is not None]
        wanted = KINDS[self.kind]
        if wrong := [key for key in given if key not in wanted]:
            raise Problem(f": `{wrong[0]}` is not for a trigger of kind {self.kind}.", wrong[0])
        if wanted and len([key for key in given if getattr(self, key)]) != 1:
            raise Problem(f"of kind {self.kind} needs {' or '.join(f'`{key}`' for key in wanted)}, not empty.")
        return self


@dataclass(frozen=True, config=CONFIG)
class Retraining(Section):
    """Which trigger trains again, and what holds it back."""

    when: TextLine | None = Field(default=None, description="Name of the trigger; without it, only people train again")
    cool_down_days: Number = Field(default=0, description="Days after a training in which none is started")
    min_new_rows: Annotated[int, Field(strict=True, ge=0)] = Field(
        default=0, description="Rows with a true value since the last training, below which none is started"
    )
    most_per_month: Count = Field(default=4, description="Trainings in 30 days, beyond which none is started")


@dataclass(frozen=True, config=CONFIG)
class Monitoring(Section):
    """The file; the attributes are its sections."""

    BLANK: ClassVar = {"thresholds": {}, "triggers": {}}

    windows: Windows = Field(default_factory=Windows)
    references: list[Reference] = Field(
        default_factory=lambda: ["training", "holdout"],
        description="A feature moved only if it moved against each: training, holdout, same season, 2013-01-01 to 2013-04-01",
    )
    drift: Drift = Field(default_factory=Drift)
    thresholds: dict[str, Threshold] = Field(default_factory=dict, description="What must not happen")
    triggers: dict[str, Trigger] = Field(default_factory=dict, description="Reasons to train again")
    retraining: Retraining = Field(default_factory=Retraining)

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, content: object) -> object:
        for part in ("thresholds", "triggers"):
            if isinstance(content, dict) and isinstance(content.get(part), dict):
                try:
                    give_names(content[part])
                except Problem as problem:
                    raise Problem(str(problem), part, *problem.keys) from None
        return content

    def measure_settings(self, **more: object) -> MeasureSettings:
        """Return how windows are measured; `more` are fields that the file does not have, such as `seed`."""
        given = {"min_rows": self.windows.min_rows, "late_after_days": self.windows.outcomes_after_days}
        return MeasureSettings(**given, **vars(self.drift), **more)

    def log_references(self, window: Window) -> dict[str, Window]:
        """Return the references that are spans of the prediction log, for a window: the same season, periods."""
        found = {}
        for name in self.references:
            if name == SAME_SEASON:
                back = (
                    pd.DateOffset(years=1) if self.windows.length == "month" else pd.Timedelta(364, "D")
                )  # same weekday
                ends = [end - back for end in (window.since, window.until)]
                found[name] = Window(name, *ends)
            elif dates := PERIOD.fullmatch(name):
                found[name] = Window(name, *(pd.Timestamp(date, tz="UTC") for date in dates.groups()))
        return found


def read_monitoring(path: str | Path) -> Monitoring:
    """Read the file.

    Raises
    ------
    DataError
        The file is missing, is not YAML, or has a key or a value that cannot be; the message names line, key and fix.
    """
    return read_yaml(path, Monitoring, check=_check_references)


def _check_references(settings: Monitoring) -> Iterator[Problem]:
    """Yield each name that nothing has, and each trigger that waits for itself."""
    rooms = {"performance": PERFORMANCE, "distribution": DISTRIBUTION}
    for name, trigger in settings.triggers.items():
        for one in trigger.thresholds or ():
            if one not in settings.thresholds:
                yield _unknown(one, settings.thresholds, "triggers", name, "thresholds")
            elif settings.thresholds[one].room not in rooms[trigger.kind]:
                sentence = (
                    f"has {one!r}, whose metric is {settings.thresholds[one].metric}: not of kind {trigger.kind}."
                )
                yield Problem(sentence, "triggers", name, "thresholds")
        for key in ("any", "all"):
            for one in getattr(trigger, key) or ():
                if one not in settings.triggers:
                    yield _unknown(one, settings.triggers, "triggers", name, key)
                elif name in _members(settings, one, {name}):
                    yield Problem(f"has {one!r}, which waits for {name!r} itself.", "triggers", name, key)
    when = settings.retraining.when
    if when is not None and when not in settings.triggers:
        yield _unknown(when, settings.triggers, "retraining", "when")


def _unknown(name: str, known: dict, *keys: str) -> Problem:
    there = ", ".join(known) or "none in the file"
    return Problem(f"has {name!r}; it must be one of {there}.{suggest(name, known)}", *keys)


def _members(settings: Monitoring, name: str, seen: set[str]) -> set[str]:
    """Return the triggers that a trigger is made of, itself too, each followed once."""
    trigger = settings.triggers.get(name)
    found = {name}
    for one in (*(trigger.any or ()), *(trigger.all or ())) if trigger else ():
        found |= {one} if one in seen else _members(settings, one, seen | {name})
    return found
