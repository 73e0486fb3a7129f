"""What a run of the monitoring reads: the champion, the references to compare with, and the windows that are due."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pandas as pd

from ..data.tables import read_table
from ..model.package import load_model
from ..model.task import Task
from ..project.errors import RegistryError
from ..registry.champion import fetch_package
from ..registry.history import find_champion
from ..track.tracking import connect_mlflow
from .measure import MeasureSettings
from .observed import Observed, Window, feature_kinds, observe_table, read_observed
from .settings import STORED, Monitoring

__all__ = ["due_windows", "measure_settings", "open_champion", "read_references", "read_window"]

FILES = {"training": "train", "validation": "validation", "holdout": "holdout"}


def measure_settings(monitoring: Monitoring) -> MeasureSettings:
    """Return how windows are measured by docs/monitoring.yaml."""
    windows, drift = monitoring.windows, monitoring.drift
    return MeasureSettings(
        alpha=drift.alpha,
        min_psi=drift.min_psi,
        min_rows=windows.min_rows,
        late_after_days=windows.outcomes_after_days,
        confidence=drift.confidence,
    )


def due_windows(monitoring: Monitoring, now: datetime, most: int) -> list[Window]:
    """Return the newest windows that are over, at most `most`, the oldest first.

    All of them are measured each time: true values have arrived since the last time.
    """
    windows, moment = [], now
    for _ in range(most):
        windows.append(monitoring.windows.last(moment))
        moment = windows[-1].since
    return windows[::-1]


def open_champion(name: str, holdout: pd.DataFrame, task: Task) -> tuple[str, Path]:
    """Return version and package of the champion in the registry.

    Raises
    ------
    RegistryError
        There is no champion, or it needs columns that the hold-out does not have.
    """
    connect_mlflow()
    version = find_champion(name).version
    folder = fetch_package(name, version, holdout, task)
    if folder is None:
        raise RegistryError(
            f"{name} version {version}, the champion, cannot be compared with data/processed/holdout.parquet: it needs other "
            "columns or has another task. `make pipeline` and `make promote` bring a champion that fits."
        )
    return str(version), folder


def read_references(
    processed: Path, monitoring: Monitoring, task: Task, champion: tuple[str, Path]
) -> dict[str, Observed]:
    """Return the splits that docs/monitoring.yaml names as references, with the champion's predictions.

    Parameters
    ----------
    processed : Path
        data/processed.
    champion : tuple of str and Path
        As `open_champion` returns it.
    """
    version, folder = champion
    predict = load_model(folder, task)
    tables = {
        name: read_table(processed / f"{FILES[name]}.parquet") for name in STORED if name in monitoring.references
    }
    return {name: observe_table(table, task, predict, name=name, version=version) for name, table in tables.items()}


def read_window(
    url, window: Window, task: Task, references: Mapping[str, Observed], monitoring: Monitoring
) -> tuple[Observed, dict[str, Observed]]:
    """Return a window of the prediction log, and what it is compared with: `references` and those that are in the log.

    A reference of the log with fewer rows than a window needs is left out: the log does not go back that far.
    """
    any_one = next(iter(references.values())).table
    kinds = feature_kinds(any_one.assign(**{task.target: 0}), Task(task.kind, task.target, task.classes))
    logged = {name: read_observed(url, span, task, kinds) for name, span in monitoring.log_references(window).items()}
    enough = {name: one for name, one in logged.items() if len(one.table) >= monitoring.windows.min_rows}
    return read_observed(url, window, task, kinds), {**references, **enough}
