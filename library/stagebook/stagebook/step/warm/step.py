"""What a fork of the warm process does: the runner here, the notebook's cells in a process of their own below it."""

import atexit
import ctypes
import errno
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
import psutil
from papermill.engines import papermill_engines

from ...project.root import exit_code, memory_limit
from ...track.processes import Caller, are_running, processes_above
from ..execute import Execution, died, execute_notebook, finish
from ..run import run_step
from .engine import InProcessEngine
from .kernel import prepare_kernel

__all__ = ["answer"]

# What the process of the cells has to end in after the last cell, for threads and functions registered with atexit;
# a kernel has as long before Jupyter kills it.
GRACE_SECONDS = 5


def answer(request: dict, connection: socket.socket) -> int:
    """Run the step that the caller asks for; return its exit code."""
    _name_process("runner", request["notebook"])
    cells = CellProcess(connection)  # forked first, while there is one thread
    threading.Thread(target=_watch, args=(connection, request["caller"], cells), daemon=True).start()
    caller = Caller(request["caller"], request["began"])
    return exit_code(lambda: run_step(Path(request["notebook"]), caller, cells.execute))


class CellProcess:
    """A process that waits for a notebook and runs its cells: nothing that they do touches the runner."""

    def __init__(self, caller: socket.socket) -> None:
        self.connection, theirs = Pipe()
        self.interrupts = 0
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what the cells leave running becomes our child
        self.pid = os.fork()
        if self.pid == 0:
            self.connection.close()
            caller.close()  # else it looks to the caller as if we ran while a child of a cell does
            _run_cells(theirs)
        os.setpgid(self.pid, self.pid)
        theirs.close()

    def execute(self, notebook: Path, output: Path, parameters: dict, root: Path, env: dict) -> Execution:
        """Run the cells as `execute_notebook` does."""
        own = [child for child in psutil.Process().children() if child.pid != self.pid]
        outcome, threads = None, []
        try:
            with suppress(EOFError, ConnectionError):  # it has been killed
                self.connection.send((notebook, output, parameters, root, env, "stagebook"))
                outcome, threads = self.connection.recv()
        finally:  # also after an interrupt
            try:
                code = self._wait(notebook, threads)
            finally:
                _end_leftovers(notebook, own)
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is None:
            try:
                nbformat.read(output, as_version=4)
            except (OSError, ValueError):  # killed before papermill wrote it, or while it did
                shutil.copy(notebook, output)
            outcome = finish(output, root, died(notebook, output, f"its process {_ending(code)}"))
        return outcome

    def _wait(self, notebook: Path, threads: list[str]) -> int:
        """Wait until the process has ended, and return its exit code; kill it when its time is up."""
        process = psutil.Process(self.pid)
        with suppress(psutil.TimeoutExpired):
            return process.wait(GRACE_SECONDS)
        named = f" ({', '.join(threads)})" if threads else ""
        print(
            f"WARNING: {notebook.name}: a thread{named} or an exit function still ran {GRACE_SECONDS} s after the "
            "last cell and was killed. Join threads and processes, or make them daemons.",
            file=sys.stderr,
        )
        self.kill()
        return process.wait()

    def interrupt(self) -> None:
        """Interrupt the cell that runs and its subprocesses; the second time, end them."""
        self.interrupts += 1
        self.kill(signal.SIGINT if self.interrupts == 1 else signal.SIGKILL)

    def kill(self, signal_number: int = signal.SIGKILL) -> None:
        """Send a signal to the process and its subprocesses."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal_number)


def _ending(code: int) -> str:
    """Say how the process ended, by its exit code or minus the signal."""
    if code == errno.ENOMEM:
        return f"ran out of memory{memory_limit()}"
    if code < 0:
        return f"ended with {signal.Signals(-code).name} (killed? out of memory?)"
    return f"ended with exit code {code}"


def _run_cells(runner: Connection) -> None:
    outcome: object = None
    try:
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: if the runner is killed, so are the cells
        papermill_engines.register("stagebook", InProcessEngine)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        prepare_kernel()
        os.register_at_fork(after_in_child=runner.close)  # a child of a cell must not keep the pipe open after our end
        job = runner.recv()
        _name_process("cells", job[0])
        os.chdir(job[0].parent)  # papermill does too, but goes back before threads and exit functions have ended
        outcome = execute_notebook(*job)
    except (EOFError, KeyboardInterrupt):
        outcome = KeyboardInterrupt()
    except OSError as error:
        outcome = error
    except MemoryError:
        os._exit(errno.ENOMEM)  # what else there is to do would need memory
    except BaseException:  # noqa: BLE001  the runner waits for an answer in any case
        traceback.print_exc()
    try:
        others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
        runner.send((outcome, [thread.name for thread in others if not thread.daemon]))
        _shut_down()
    finally:
        os._exit(0 if outcome else 1)


def _shut_down() -> None:
    """Do what an interpreter does when it ends, in its order: a pool's exit function relies on the threads' end."""
    for part in (threading._shutdown, atexit._run_exitfuncs, sys.stdout.flush, sys.stderr.flush):
        try:
            part()
        except BaseException:  # noqa: BLE001  an interpreter says it too, and goes on
            traceback.print_exc()


def _end_leftovers(notebook: Path, own: list[psutil.Process]) -> None:
    """End the processes that the cells left running; as they have no parent any more, they are ours."""
    leftovers = [process for process in psutil.Process().children(recursive=True) if process not in own]
    if not leftovers:
        return
    _, running = psutil.wait_procs(leftovers, timeout=0.3)  # a resource tracker ends when it has cleaned up
    for process in running:
        with suppress(psutil.Error):
            print(f"WARNING: {notebook.name} left a process running, now ended: {_describe(process)}", file=sys.stderr)
            process.terminate()
    psutil.wait_procs(running, timeout=1)
    for process in psutil.Process().children(recursive=True):
        if process not in own:
            with suppress(psutil.Error):
                process.kill()


def _describe(process: psutil.Process) -> str:
    return f"{process.pid} {' '.join(process.cmdline()) or process.name()}"[:100]


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
