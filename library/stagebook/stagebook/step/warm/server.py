"""The warm process: has libraries imported, and forks a process for each step that asks for one.

`python -m stagebook.step.warm.server` runs it. It never imports code of the project, which changes between steps.
"""

import ctypes
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
import tempfile
import threading
import time
import traceback
import warnings
from pathlib import Path

RUNNER = "stagebook.step.warm.step"


def serve(settings: dict) -> None:
    """Answer on the inherited listening socket until nobody has asked for anything for `idle_seconds`."""
    listener = socket.socket(fileno=settings["listener"])
    sys.path[:] = [folder for folder in sys.path if folder != settings["code"]]
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # NumPy's own threads
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
    gc.disable()
    learned = Path(settings["socket"]).with_suffix(".modules")
    learned.unlink(missing_ok=True)
    threaded = learned.with_suffix(".threaded")  # modules that ended an earlier warm process
    to_import = [RUNNER, *settings["preload"]]
    children: set[int] = set()
    last_used = time.monotonic()
    rehearsed, tried = False, set(_read_names(threaded))
    while True:
        to_import = to_import or [name for name in _take_names(learned) if name not in tried]
        tried |= set(to_import)
        # The first step waits for the runner only; the rest is imported while it runs.
        if RUNNER in sys.modules and select.select([listener], [], [], 0 if to_import else 1 if children else 5)[0]:
            children |= _answer(listener, settings)
            last_used = time.monotonic()
        elif to_import:
            _import(to_import.pop(0), settings["preload"], threaded)
        elif not rehearsed:
            _rehearse()
            rehearsed = True
        elif children := _forget_ended(children):
            last_used = time.monotonic()
        elif time.monotonic() - last_used > settings["idle_seconds"] or not _is_wanted(settings):
            _retire(settings, listener)


def _forget_ended(children: set[int]) -> set[int]:
    """Return the steps that still run; end what one that was killed has left running, which is our child by now."""
    running = {child for child in children if os.waitpid(child, os.WNOHANG) == (0, 0)}
    ours = sys.modules["psutil"].Process()
    while running != children and (left := [each for each in ours.children() if each.pid not in running]):
        for process in left:
            process.kill()
            process.wait()
    return running


def _is_wanted(settings: dict) -> bool:
    return _is_reachable(settings) and Path(settings["project"]).exists()


def _is_reachable(settings: dict) -> bool:
    """Say whether the socket is still ours, neither removed nor that of a later warm process."""
    file = Path(settings["socket"])
    return file.exists() and file.stat().st_mtime_ns == settings["bound"]


def _read_names(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split() if file.exists() else []


def _take_names(learned: Path) -> list[str]:
    """Return the modules that the last step's runner imported and that are not here yet; the next step finds them."""
    names = _read_names(learned)
    learned.unlink(missing_ok=True)
    return [name for name in names if name not in sys.modules]


def _import(module: str, preload: list[str], threaded: Path) -> None:
    try:
        importlib.import_module(module)
    except Exception:
        if module == RUNNER:
            raise  # no step could be run: those that wait find the process gone, and start a kernel
        if module in preload:
            traceback.print_exc()
    if threading.active_count() > 1:  # a fork does not take them along
        threaded.write_text("\n".join([*_read_names(threaded), module]), encoding="utf-8")
        sys.exit(f"{module} starts threads when imported; take it out of `preload` in pyproject.toml.")


def _rehearse() -> None:
    """Make a page and a plot, so that templates, expressions and fonts are loaded once and for all steps."""
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
            _become_step(caller, streams, request, settings)
        for stream in streams:
            os.close(stream)
        return {child}


def _become_step(caller: socket.socket, streams: list[int], request: dict, settings: dict) -> None:
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
        tempfile.tempdir = None  # the caller's TMPDIR, not that of the warm process
        os.umask(request["umask"])
        os.chdir(request["folder"])
        sys.path[:0] = request["path"]
        sys.argv = [request["notebook"]]
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()  # Python's own generator does it by itself
        caller.settimeout(None)
        caller.sendall(b"started\n")
        there = set(sys.modules)
        code = sys.modules[RUNNER].answer(request, caller)
        _leave_names(Path(settings["socket"]).with_suffix(".modules"), sys.modules.keys() - there)
    except BaseException:  # noqa: BLE001  the caller waits for an exit code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        caller.sendall(b"%d\n" % code)
        os._exit(code)


def _leave_names(learned: Path, names: set[str]) -> None:
    """Tell the warm process which modules it could have had imported; steps that run at once write the same."""
    if names:
        part = learned.with_suffix(f".{os.getpid()}")
        part.write_text("\n".join(sorted(names)), encoding="utf-8")
        part.replace(learned)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
