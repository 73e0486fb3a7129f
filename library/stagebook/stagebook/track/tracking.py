"""One MLflow store for the project, whichever directory a notebook is run from."""

import logging
import os
import socket
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
from filelock import FileLock
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from ..project.errors import StepError
from ..project.files import replace_file
from ..project.root import find_root, local_folder, project_home, project_name

__all__ = ["LOCATIONS", "connect_mlflow", "find_server", "serve_ui", "store_lock"]

SERVER = Path("environments", "tracking.toml")
# What to do about an error of the embedded store, by words of the error.
_AGAIN = (
    "Move it away, and the next step makes another, without the runs and registered models of this one; or bring it back "
    "from a backup."
)
FIXES = {
    "database is locked": "Another program writes to it: end that (a notebook, `make ui`, a copy or backup) and repeat.",
    "readonly database": "Give yourself the right to write to it and to its folder.",
    "_alembic_tmp_": _AGAIN,  # its making was cut off
    "not a database": _AGAIN,
    "malformed": _AGAIN,
}
# Where MLflow keeps the places of files in its database.
LOCATIONS = {
    "experiments": ["artifact_location"],
    "runs": ["artifact_uri"],
    "logged_models": ["artifact_location"],
    "model_versions": ["source", "storage_location"],
}


def connect_mlflow() -> str:
    """Point MLflow at the project's store and experiment; return the experiment's id.

    The store is that of `find_server`, else mlflow.db and mlruns/ in .local/.
    """
    logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)  # it tells of each table that it makes
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # not in a report
    root = find_root()
    artifacts = None
    if server := find_server(root):
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # seven take four minutes
        mlflow.set_tracking_uri(server)
    else:
        mlflow.set_tracking_uri(_embedded_store(root))
        artifacts = (local_folder(root) / "mlruns").as_uri()
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or project_name(root)
    with store_lock(root), _explained(root, server):
        if (found := mlflow.get_experiment_by_name(name)) is None:
            _make_experiment(name, artifacts)
        elif artifacts and found.artifact_location.endswith("/.local/mlruns"):
            _move_locations(local_folder(root) / "mlflow.db", found.artifact_location, artifacts)
        return mlflow.set_experiment(name).experiment_id


def _make_experiment(name: str, artifacts: str | None) -> None:
    """Make the experiment, unless another clone that uses the same server is faster: the lock is the clone's own."""
    try:
        mlflow.create_experiment(name, artifact_location=artifacts)
    except MlflowException:
        if mlflow.get_experiment_by_name(name) is None:
            raise


def _embedded_store(root: Path) -> str:
    """Return the address of .local/mlflow.db, which is made if there is none; StepError if it cannot be."""
    database = local_folder(root) / "mlflow.db"
    with store_lock(root):
        if not database.exists():
            try:
                _make_database(database)
            except (MlflowException, SQLAlchemyError, OSError) as error:
                raise StepError(
                    f"{database.relative_to(project_home(root))} cannot be made: {_reason(error)}"
                ) from error
    return f"sqlite:///{database.as_posix()}"


def _make_database(database: Path) -> None:
    """Make MLflow's tables under another name and rename the file.

    MLflow can neither use nor complete a database whose making was cut off (killed, disk full).
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with replace_file(database) as partial:
        for left in partial.parent.glob(f"{partial.name}*"):  # by a process that was killed
            left.unlink()
        partial.touch()  # MLflow tries for two minutes where it may not write
        store = SqlAlchemyStore(f"sqlite:///{partial.as_posix()}", (database.parent / "mlruns").as_uri())
        store.engine.dispose()


def _move_locations(database: Path, old: str, new: str) -> None:
    """Let runs and models have their files below `new`: MLflow keeps whole paths, and the project was moved or copied."""
    if old == new:
        return
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        for table, columns in LOCATIONS.items():
            for column in columns:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column} || '/', 1, ?) = ?",
                    (new, len(old) + 1, len(old) + 1, f"{old}/"),
                )


@contextmanager
def _explained(root: Path, server: str | None) -> Iterator[None]:
    """Add what to do to an error of the embedded store."""
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        fix = next((fix for words, fix in FIXES.items() if words in str(error)), None)
        if server or not fix:
            raise
        database = (local_folder(root) / "mlflow.db").relative_to(project_home(root))
        raise StepError(f"{database} cannot be used: {_reason(error)}\n{fix}") from error


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def find_server(root: Path) -> str | None:
    """Return the store that `MLFLOW_TRACKING_URI` names, else `uri` in environments/tracking.toml; None if neither does."""
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return uri
    if not (root / SERVER).is_file():
        return None
    try:
        return tomllib.loads((root / SERVER).read_text(encoding="utf-8"))["uri"]
    except (KeyError, ValueError) as error:
        raise StepError(f'{SERVER} must have a line `uri = "http://..."`: {error!r}') from error


def store_lock(root: Path) -> FileLock:
    """Return a lock for what one step at a time may do in the MLflow store of the project."""
    folder = project_home(root) / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "mlflow.lock")


def serve_ui(root: Path, port: int) -> int:
    """Serve MLflow's page for the embedded store on 127.0.0.1 until Ctrl-C; StepError if the port is taken."""
    if server := find_server(root):
        raise StepError(f"The runs are on a server: {server}")
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise StepError(f"port {port} is taken; choose another: make ui PORT={port + 1}") from error
    print(f"Open http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning  (Ctrl-C ends it)", flush=True)
    options = [
        "--backend-store-uri",
        _embedded_store(root),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    return subprocess.run([sys.executable, "-m", "mlflow", "ui", *options], check=False).returncode
