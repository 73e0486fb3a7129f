"""Keep a copy of the registry's champion in a folder. A process of its own: the service imports no MLflow."""

import json
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from ..project.errors import DataError, StagebookError
from ..project.files import replace_folder, write_json
from .package import ABOUT, CARD

__all__ = ["CURRENT", "STATUS", "fetch_champion", "find_folder", "follow"]

CURRENT, STATUS = "current.json", "status.json"
KEPT = 3  # copies: those of older versions go


def find_folder(source: Path) -> Path:
    """Return the folder that `current.json` in `source` names; `source` itself if there is none."""
    pointer = source / CURRENT
    if not pointer.is_file():
        return source
    try:
        return source / json.loads(pointer.read_text(encoding="utf-8"))["folder"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{pointer} cannot be read ({error!r}); delete it and start again.") from error


def fetch_champion(name: str, folder: Path) -> str:
    """Copy the champion into `folder`, if it is not there yet, and let `current.json` name it; return its version.

    Raises
    ------
    RegistryError
        There is no champion.
    """
    from ..registry.history import find_champion
    from ..registry.versions import find_versions

    entry = find_champion(name)
    version = find_versions(name)[entry.version]
    copy = folder / f"{entry.version}-{version.tags.get('package_md5', version.creation_timestamp)}"
    if not copy.is_dir():
        with replace_folder(copy) as new:
            _download(name, version, new)
    about = {key: value for key, value in asdict(entry).items() if key in ("who", "when", "why", "metrics")}
    _write_if_changed({"model": name, "version": entry.version, **about}, copy / ABOUT)
    _write_if_changed({"folder": copy.name, "version": entry.version}, folder / CURRENT)
    _forget_old(folder, copy)
    return str(entry.version)


def _download(name: str, version, folder: Path) -> None:
    """Put the model of a version into `folder`, and its card, if the registry has one: a champion from git has none."""
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.artifacts.download_artifacts(f"models:/{name}/{version.version}", dst_path=str(folder))
    with suppress(MlflowException, OSError), TemporaryDirectory() as scratch:
        card = mlflow.artifacts.download_artifacts(
            run_id=version.run_id, artifact_path=f"card/{CARD}", dst_path=scratch
        )
        shutil.copy(card, folder / CARD)


def _write_if_changed(content: dict, file: Path) -> None:
    if _read(file) != content:
        write_json(content, file)


def _forget_old(folder: Path, copy: Path) -> None:
    """Remove all but the newest copies; one that is served is open already."""
    copies = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in copies[:-KEPT]:
        if path != copy:
            shutil.rmtree(path, ignore_errors=True)


def _read(file: Path) -> dict:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def follow(name: str, folder: Path, seconds: float) -> None:
    """Fetch the champion again and again, and keep the outcome in `status.json`, until the parent process ends."""
    import mlflow.store.db.utils

    from ..track.tracking import connect_mlflow

    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # the loop tries again; MLflow would for minutes
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    mlflow.store.db.utils.MAX_RETRY_COUNT = 2
    parent, connected = os.getppid(), False
    lock = FileLock(folder / "follow.lock")  # two services of one project share the folder
    while os.getppid() == parent:
        error = None
        with lock:
            try:
                connected = connected or bool(connect_mlflow())
                fetch_champion(name, folder)
            except StagebookError as problem:
                error = str(problem)
            except Exception as problem:  # noqa: BLE001 the registry is away, in one of MLflow's many ways; try again
                error = f"the registry cannot be reached: {(str(problem).splitlines() or [repr(problem)])[0][:300]}"
            with suppress(OSError):  # a full disk: the service sees that the file gets old
                write_json({"checked_at": datetime.now(UTC).isoformat(), "error": error}, folder / STATUS)
        time.sleep(seconds)


if __name__ == "__main__":
    follow(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
