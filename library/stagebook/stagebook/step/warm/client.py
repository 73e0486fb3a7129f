"""Run a step in a fork of the warm process, which has the libraries imported already. Linux only."""

import fcntl
import hashlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ...project.errors import StagebookError, StepError
from ...project.root import project_home
from ...project.settings import read_settings
from ..environment import socket_folder, step_environment

__all__ = ["WarmProcessError", "run_in_warm_process", "stop_warm_process"]

# What interpreter and libraries read when they start: with other values it takes another warm process.
READ_AT_START = ("PYTHON", "OMP_", "OPENBLAS_", "MKL_", "KMP_", "MPL", "LD_", "MALLOC_", "LANG", "LC_", "MLFLOW_LOG")
# What the system lets a step use, which a fork has from the warm process: with other limits it takes another one, too.
LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE)


class WarmProcessError(StagebookError):
    """There is no warm process to be had; nothing was run."""


class OrphanError(StepError):
    """Who asked for the step is gone."""


def run_in_warm_process(root: Path, notebook: Path, began: float) -> int:
    """Run a step in a fork of the warm process, which is started if there is none.

    Ctrl-C and SIGTERM are passed on to the step; if this process is killed, so is the step.

    Returns
    -------
    int
        The exit code of the step.
    """
    if sys.platform != "linux":
        raise WarmProcessError("it needs Linux")
    request = {
        "notebook": str(notebook),
        "caller": os.getpid(),
        "began": began,
        "folder": str(Path.cwd()),
        "path": [str(root / "code")],  # in the copy that `dvc exp run --temp` makes, the copy's
        "environment": dict(os.environ),
        "umask": _umask(),
        "fingerprint": _fingerprint(root),
    }
    try:
        connection = _ask(root, request)
    except OrphanError:
        raise
    except (OSError, StepError) as error:
        raise WarmProcessError(str(error)) from error

    def interrupt(*_) -> None:
        with suppress(BrokenPipeError):
            connection.sendall(b"interrupt\n")

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, interrupt)
    if reply := connection.makefile().readline():
        return int(reply)
    print(f"ERROR: the process that ran {notebook.name} was killed. `dvc repro` goes on from there.", file=sys.stderr)
    return 137


def stop_warm_process(root: Path) -> None:
    """End the project's warm process. Steps that run in its forks go on."""
    _address(root).unlink(missing_ok=True)  # it looks every few seconds whether it can still be reached


def _ask(root: Path, request: dict) -> socket.socket:
    """Return a connection on which the request was accepted."""
    for attempt in range(3):  # one that has just ended, or is out of date, makes room for the next
        if attempt and _has_lost_dvc():  # after a kill of all others the step must not start once more
            raise OrphanError("DVC was killed; the step did not run.")
        connection = _connect(root, request["fingerprint"])
        try:
            socket.send_fds(connection, [b"\n"], [0, 1, 2])
            connection.sendall(json.dumps(request).encode() + b"\n")
            if connection.recv(len(b"started\n"), socket.MSG_WAITALL):
                return connection
        except ConnectionError:
            continue
    raise WarmProcessError(f"it does not answer; see {_address(root).with_suffix('.log')}")


def _has_lost_dvc() -> bool:
    from ...track.processes import has_lost_dvc  # takes a while to import

    return has_lost_dvc(os.getpid())


def _connect(root: Path, fingerprint: str) -> socket.socket:
    address = _address(root)
    connection = socket.socket(socket.AF_UNIX)
    with address.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another step may be starting it
        try:
            connection.connect(str(address))
        except (FileNotFoundError, ConnectionRefusedError):
            _start(root, address, fingerprint)
            connection.connect(str(address))
    return connection


def _start(root: Path, address: Path, fingerprint: str) -> None:
    """Start the warm process on a socket that listens already: who connects waits until it is there."""
    settings = read_settings(root)["warm_process"]
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener, address.with_suffix(".log").open("w") as log:
        listener.bind(str(address))
        address.chmod(0o600)
        listener.listen(64)
        job = {
            "listener": listener.fileno(),
            "socket": str(address),
            "bound": address.stat().st_mtime_ns,
            "project": str(project_home(root)),
            "lock": str(address.with_suffix(".lock")),
            "fingerprint": fingerprint,
            "code": str(root / "code"),
            "preload": settings["preload"],
            "idle_seconds": settings["idle_minutes"] * 60,
        }
        subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.server", json.dumps(job)],
            cwd="/",
            env=os.environ | step_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )


def _address(root: Path) -> Path:
    """Return the path of the project's socket, in a folder that only this user can enter."""
    folder = socket_folder() / f"notebook-steps-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise WarmProcessError(f"{folder} is open to others; remove it.")
    return folder / f"{hashlib.sha256(bytes(project_home(root))).hexdigest()[:16]}.sock"


def _fingerprint(root: Path) -> str:
    """Name all that the warm process has loaded: interpreter, library, packages, what they read when they start."""
    library = sorted(Path(__file__).parents[2].rglob("*.py"))
    places = [place for place in sys.path if place.startswith((sys.prefix, sys.base_prefix)) and Path(place).is_dir()]
    parts = [
        sys.version,
        sys.executable,
        str(Path("/proc/self/ns/mnt").readlink()),  # what is mounted where
        [resource.getrlimit(each) for each in LIMITS],
        sorted(os.sched_getaffinity(0)),
        read_settings(root)["warm_process"],
        [(place, Path(place).stat().st_mtime_ns) for place in places],
        sorted(item for item in (os.environ | step_environment()).items() if item[0].startswith(READ_AT_START)),
        [(str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in library],
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _umask() -> int:
    os.umask(mask := os.umask(0))
    return mask
