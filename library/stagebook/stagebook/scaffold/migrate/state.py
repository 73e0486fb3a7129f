"""Move the state of a former project into `.local/`: MLflow's runs and models, trials, the online store, logs."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlparse

from ...project.errors import StepError
from ...project.root import local_folder, project_home
from ...project.settings import package_name
from ...track.tracking import LOCATIONS
from .renames import read_renames

__all__ = ["move_state"]


def move_state(root: Path) -> list[str]:
    """Move what a former project keeps beside its files; return a line for each file or folder.

    The database is renamed last, so that a second call completes what a first one could not.

    Raises
    ------
    StepError
        There is such a file in `.local/` already, or the database is in use. Nothing has changed then.
    """
    home = project_home(root)
    places = {home / old: home / new for old, new in read_renames(package_name(root)).state.items()}
    moves = {old: new for old, new in places.items() if old.exists()}
    if not moves:
        return []
    for old, new in moves.items():
        if new.exists() and old.suffix != ".jsonl":
            raise StepError(
                f"{old.relative_to(home)} cannot be moved: {new.relative_to(home)} is there already. "
                f"To keep the former one, delete {new.relative_to(home)}; else delete {old.relative_to(home)}."
            )
    databases = [old for old in moves if old.suffix == ".db"]
    for database in databases:
        _check_unused(database)
    local_folder(root)
    for old, new in sorted(moves.items(), key=lambda pair: pair[0].suffix == ".db"):
        if old.name == "mlflow.db":
            _move_locations(old, home)
        _move(old, new)
    return [f"{old.relative_to(home)} -> {new.relative_to(home)}" for old, new in moves.items()]


def _check_unused(database: Path) -> None:
    """Write what is in the log of a database into it; StepError if another process has it open for writing."""
    try:
        with closing(sqlite3.connect(database, timeout=1)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("BEGIN EXCLUSIVE")
            connection.rollback()
    except sqlite3.DatabaseError as error:
        raise StepError(
            f"{database.name} cannot be moved: {error}. End what uses it (`make ui`, a pipeline, a notebook) and repeat."
        ) from error


def _move(old: Path, new: Path) -> None:
    """Rename a file or folder; append a log to the one that is there."""
    if new.exists():
        later = new.read_text(encoding="utf-8")
        old.write_text(old.read_text(encoding="utf-8") + later, encoding="utf-8")
    old.replace(new)


def _move_locations(database: Path, home: Path) -> None:
    """Let the runs and models of an MLflow database have their files in .local/mlruns."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, columns in LOCATIONS.items():  # a version of MLflow may not have all of them
            there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            for column in there.intersection(columns):
                values = [row[0] for row in connection.execute(f"SELECT DISTINCT {column} FROM {table}") if row[0]]
                changes = [(new, value) for value in values if (new := _new_location(value, home)) != value]
                connection.executemany(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", changes)


def _new_location(value: str, home: Path) -> str:
    """Return an artifact location with .local/mlruns for mlruns; other locations as they are.

    A location below the `mlruns` of a folder that is gone belongs to this project too, if it has that file: it was moved.
    """
    parsed = urlparse(value)
    if parsed.scheme not in ("", "file"):
        return value
    path = Path(unquote(parsed.path)) if parsed.scheme else Path(value)
    path = path if path.is_absolute() else home / path
    parts = path.parts
    if "mlruns" not in parts or path.is_relative_to(home / ".local"):
        return value
    place = len(parts) - 1 - parts[::-1].index("mlruns")
    former, rest = Path(*parts[:place]), Path(*parts[place + 1 :])
    new = home / ".local" / "mlruns" / rest
    if former != home and (path.exists() or not new.exists()):
        return value
    return new.as_uri() if parsed.scheme else new.as_posix()
