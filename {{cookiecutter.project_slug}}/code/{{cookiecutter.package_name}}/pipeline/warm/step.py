"""What a fork of the warm process does: the runner here, the notebook's cells in a process of their own below it."""

import atexit
import ctypes
import os
import select
import shutil
import signal
import socket
import sys
import threading
import traceback
from _thread import interrupt_main
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import nbformat
from papermill.engines import papermill_engines

from ..callers import Caller, are_running, processes_above
from ..execute import Execution, died, execute_notebook, finish
from ..project import exit_code
from ..run import run_step
from .engine import InProcessEngine
from .kernel import prepare_kernel

__all__ = ["answer"]


def answer(request: dict, connection: socket.socket) -> int:
    """Run the step that the caller asks for; return its exit code."""
    _name_process("runner", request["notebook"])
    cells = CellProcess()  # forked first, while there is one thread
    threading.Thread(target=_watch, args=(connection, request["caller"], cells), daemon=True).start()
    caller = Caller(request["caller"], request["began"])
    return exit_code(lambda: run_step(Path(request["notebook"]), caller, cells.execute))


class CellProcess:
    """A process that waits for a notebook and runs its cells: whatever they do, the runner is not touched by it."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        self.interrupts = 0
        self.pid = os.fork()
        if self.pid == 0:
            self.connection.close()
            _run_cells(theirs)
        os.setpgid(self.pid, self.pid)
        theirs.close()

    def execute(self, notebook: Path, output: Path, parameters: dict, root: Path, env: dict) -> Execution:
        """Run the cells as `execute_notebook` does."""
        self.connection.send((notebook, output, parameters, root, env, "inprocess"))
        try:
            outcome = self.connection.recv()
        except EOFError:
            outcome = None
        _, status = os.waitpid(self.pid, 0)
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is None:
            try:
                nbformat.read(output, as_version=4)
            except (OSError, ValueError):  # killed before papermill wrote it, or while it did
                shutil.copy(notebook, output)
            code = os.waitstatus_to_exitcode(status)
            how = f"exit code {code}" if code >= 0 else f"{signal.Signals(-code).name} (killed? out of memory?)"
            outcome = finish(output, root, died(notebook, output, f"its process ended with {how}"))
        return outcome

    def interrupt(self) -> None:
        """Interrupt the cell that runs and its subprocesses; the second time, end them."""
        self.interrupts += 1
        self.kill(signal.SIGINT if self.interrupts == 1 else signal.SIGKILL)

    def kill(self, signal_number: int = signal.SIGKILL) -> None:
        """Send a signal to the process and its subprocesses."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal_number)


def _run_cells(runner: Connection) -> None:
    outcome: object = None
    try:
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: if the runner is killed, so are the cells
        papermill_engines.register("inprocess", InProcessEngine)  # the warm process hides plug-ins from papermill
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        prepare_kernel()
        job = runner.recv()
        _name_process("cells", job[0])
        outcome = execute_notebook(*job)
    except (EOFError, KeyboardInterrupt):
        outcome = KeyboardInterrupt()
    except OSError as error:
        outcome = error
    except BaseException:  # noqa: BLE001  whatever it is, the runner waits for an answer
        traceback.print_exc()
    try:
        runner.send(outcome)
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0 if outcome else 1)


def _name_process(role: str, notebook: str | Path) -> None:
    Path("/proc/self/comm").write_text(f"{role} {Path(notebook).stem}", encoding="utf-8")  # for ps and top


def _watch(connection: socket.socket, caller: int, cells: CellProcess) -> None:
    """Pass interrupts on; end at once when the caller or the DVC above it is gone."""
    try:
        above = processes_above(caller)
        while are_running(above):
            if select.select([connection], [], [], 1)[0]:
                if not connection.recv(64):
                    break
                cells.interrupt()
                interrupt_main()
    finally:  # also when the caller was gone before we looked
        cells.kill()
        os._exit(137)
