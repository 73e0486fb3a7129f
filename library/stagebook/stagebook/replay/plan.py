"""What a replay is given, and what was known at each time: rows, true values that had arrived, models and references."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..gate.requirements import Requirements
from ..model.package import load_model
from ..model.task import Task
from ..monitor.observed import Observed, feature_kinds, observe_table
from .calendar import arrival_times, cut_windows, rows_of
from .candidate import Recipe, split_gates, split_known

__all__ = ["FIRST", "POLICIES", "Replay", "Rules"]

POLICIES = ("frozen", "loop", "every window")
FIRST = "first"  # the model that learned from the first windows
REFERENCE_ROWS = 20_000


@dataclass(frozen=True)
class Rules:
    """What a replay assumes.

    Attributes
    ----------
    first_share : float
        Share of the windows that the first model learns from.
    outcome_days : float
        Days after which a true value arrives, on average.
    missing_outcomes : float
        Share of the true values that never arrive.
    holdout_share : float
        Rows of the gate's hold-out, as a share of the rows of the last window.
    seed : int
    """

    first_share: float = 0.25
    outcome_days: float = 2.0
    missing_outcomes: float = 0.01
    holdout_share: float = 0.5
    seed: int = 0


@dataclass
class Replay:
    """One replay: what it reads, and the folder in which it keeps what is done.

    Attributes
    ----------
    settings, how : Monitoring, MeasureSettings
        What `decide` and `measure` take.
    measure : callable
        `measure(observed, references, task, requirements, how)` returns a window record, as `measure_window` does.
    decide : callable
        `decide(history, settings, now, retrained, new_rows)` returns a verdict, as `monitor.triggers.decide` does.
    """

    folder: Path
    table: pd.DataFrame
    task: Task
    recipe: Recipe
    requirements: Requirements
    settings: object
    how: object
    measure: Callable[..., dict]
    decide: Callable[..., object]
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        self.first, self.windows = cut_windows(self.table, self.task, self.rules.first_share)
        late = {"days": self.rules.outcome_days, "missing": self.rules.missing_outcomes, "seed": self.rules.seed}
        self.arrives = arrival_times(self.table, self.task, self.windows, **late)
        self.asked = pd.to_datetime(self.table[self.task.time], utc=True)
        self.kinds = feature_kinds(self.table, self.task)
        self.gates, self.not_measured = split_gates(self.requirements)
        self.url = f"sqlite:///{self.folder / 'predictions.db'}"
        self._references: dict[str, dict[str, Observed]] = {}

    def known(self, now: pd.Timestamp) -> pd.DataFrame:
        """Return the rows whose true value had arrived."""
        return self.table[((self.asked < now) & (self.arrives <= now)).to_numpy()]

    def split(self, now: pd.Timestamp) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Return rows to fit on, to stop on, and the hold-out of a candidate that is trained at this time."""
        newest = [window for window in (self.first, *self.windows) if window.until <= now][-1]
        per_window = len(rows_of(self.table, self.task, newest))
        if newest == self.first:  # it has the length of several windows
            per_window = round(
                per_window * (self.windows[0].until - self.windows[0].since) / (newest.until - newest.since)
            )
        return split_known(self.known(now), self.recipe, round(self.rules.holdout_share * per_window))

    def model(self, version: str) -> Path:
        """Return the folder of a model."""
        return self.folder / "models" / version.replace(":", "-").replace(" ", "_")

    def trained_at(self, version: str) -> pd.Timestamp:
        """Return when a model was trained: at the end of the window that it is called by."""
        return next((window.until for window in self.windows if window.name == version), self.first.until)

    def references(self, version: str) -> dict[str, Observed]:
        """Return what the windows of a model are compared with: its training rows and its hold-out."""
        if version not in self._references:
            fit_on, stop, holdout = self.split(self.trained_at(version))
            training = pd.concat([fit_on, stop])
            even = np.linspace(0, len(training) - 1, min(len(training), REFERENCE_ROWS)).astype(int)
            predict = load_model(self.model(version) / "candidate", self.task)
            rows = {"training": training.iloc[even], "validation": stop, "holdout": holdout}
            asked = [name for name in getattr(self.settings, "references", ()) if name in rows]
            rows = {name: rows[name] for name in asked or ("training", "holdout")}
            self._references = {
                version: {
                    name: observe_table(one, self.task, predict, name=name, version=version)
                    for name, one in rows.items()
                }
            }
        return self._references[version]
