"""The warm process: has libraries imported, and forks a process for each step that asks for one.

A script of its own, never imported by the package: it must not load the project's code, which changes between steps.
"""

import fcntl
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

# What the runner itself needs, in the order in which it needs it. pyproject.toml says what notebooks need besides.
RUNNER = """
    papermill ipykernel.inprocess.ipkernel ipykernel.debugger IPython.core.pylabtools
    mlflow mlflow.store.tracking.sqlalchemy_workspace_store sqlalchemy.dialects.sqlite alembic.command
    mlflow.tracing.export mlflow.tracing.processor.base_mlflow
    dvc.repo dvc.scm dvc.repo.index dvc.repo.stage dvc.repo.artifacts dvc.repo.datasets dvc.repo.metrics
    dvc.repo.params dvc.repo.plots dvc.data_cloud dvc.cachemgr dvc.lock dvc.utils.strictyaml
    dvc_data.hashfile.db.local openlineage.client nbconvert
"""


def serve(settings: dict) -> None:
    """Answer on the inherited listening socket until nobody has asked for anything for `idle_seconds`."""
    listener = socket.socket(fileno=settings["listener"])
    sys.path[:] = [folder for folder in sys.path if folder not in settings["project_folders"]]
    _hide_plugins()
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # NumPy's own threads
    gc.disable()
    to_import = [*RUNNER.split(), *settings["preload"]]
    children: set[int] = set()
    last_used = time.monotonic()
    while True:
        # The first step waits for what the runner needs; the rest is imported while it runs.
        ready = len(to_import) <= len(settings["preload"])
        if ready and select.select([listener], [], [], 0 if to_import else 5)[0]:
            children |= _answer(listener, settings)
            last_used = time.monotonic()
        elif to_import:
            _import(to_import.pop(0))
            if not to_import:
                _rehearse()
        elif children := {child for child in children if os.waitpid(child, os.WNOHANG) == (0, 0)}:
            last_used = time.monotonic()
        elif time.monotonic() - last_used > settings["idle_seconds"] or not _is_wanted(settings):
            _retire(settings, listener)


def _is_wanted(settings: dict) -> bool:
    return _is_reachable(settings) and Path(settings["project"]).exists()


def _is_reachable(settings: dict) -> bool:
    """Say whether the socket is still ours, neither removed nor that of a later warm process."""
    file = Path(settings["socket"])
    return file.exists() and file.stat().st_mtime_ns == settings["bound"]


def _hide_plugins() -> None:
    # Papermill loads all registered engines when it is imported, and ours is the project's code.
    entrypoints = importlib.import_module("entrypoints")
    entrypoints.get_group_all = lambda group, path=None: []


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception:  # noqa: BLE001  the step that needs it will say so
        traceback.print_exc()
    if threading.active_count() > 1:
        sys.exit(f"{module} starts threads when imported, which a fork does not take along: take it out of `preload`.")


def _rehearse() -> None:
    """Make a page and a picture, so that templates, expressions and fonts are loaded once and for all steps."""
    nbformat, nbconvert = importlib.import_module("nbformat.v4"), importlib.import_module("nbconvert")
    cells = [nbformat.new_markdown_cell("# *a*\n```python\n1\n```"), nbformat.new_code_cell("print(1)")]
    nbconvert.HTMLExporter().from_notebook_node(nbformat.new_notebook(cells=cells))
    if "matplotlib.figure" in sys.modules:
        figure = sys.modules["matplotlib.figure"].Figure()
        figure.subplots().set_title("a")
        figure.savefig(io.BytesIO(), format="png")


def _retire(settings: dict, listener: socket.socket | None = None) -> None:
    """End, so that the next step starts another; go on if a step waits at the `listener`."""
    with Path(settings["lock"]).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # nobody connects or starts another meanwhile
        if listener and select.select([listener], [], [], 0)[0]:
            return
        if _is_reachable(settings):
            Path(settings["socket"]).unlink()
    sys.exit()


def _answer(listener: socket.socket, settings: dict) -> set[int]:
    """Take one request and fork the process that carries it out; return its id."""
    caller, _ = listener.accept()
    with caller:
        try:
            caller.settimeout(5)
            _, user, _ = struct.unpack("3i", caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            _, streams, _, _ = socket.recv_fds(caller, 1, 3)
            request = json.loads(caller.makefile().readline())
        except (OSError, ValueError):
            return set()
        if user != os.geteuid():
            return set()
        if request["fingerprint"] != settings["fingerprint"]:
            _retire(settings)
        gc.freeze()  # the collector of a child does not touch, and so not copy, what was imported here
        child = os.fork()
        if child == 0:
            gc.enable()
            listener.close()
            _become_step(caller, streams, request)
        for stream in streams:
            os.close(stream)
        return {child}


def _become_step(caller: socket.socket, streams: list[int], request: dict) -> None:
    """Take over the caller's streams, environment and place, run what it asks for, end."""
    code = 1
    try:
        os.setpgid(0, 0)
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
            os.close(stream)
        sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = sys.__stdout__ = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", line_buffering=True)
        sys.stderr = sys.__stderr__ = io.TextIOWrapper(
            io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", line_buffering=True
        )
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(request["environment"])
        time.tzset()
        os.umask(request["umask"])
        os.chdir(request["folder"])
        sys.path[:0] = request["path"]
        sys.argv = [request["notebook"]]
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()  # Python's own generator does it by itself
        caller.settimeout(None)
        caller.sendall(b"started\n")
        code = importlib.import_module(request["module"]).answer(request, caller)
    except BaseException:  # noqa: BLE001  the caller waits for an exit code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        caller.sendall(b"%d\n" % code)
        os._exit(code)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
