"""IPython's kernel in this process: its outputs and errors, without a process or ports to start."""

import codecs
import json
import multiprocessing.process
import os
import select
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Empty
from types import SimpleNamespace

from ipykernel.inprocess.ipkernel import InProcessInteractiveShell, InProcessKernel
from ipykernel.iostream import OutStream
from IPython.core.autocall import ExitAutocall
from jupyter_client.jsonutil import json_default
from traitlets.config import Config

__all__ = ["Kernel", "prepare_kernel", "take_kernel"]

_prepared: list["Kernel"] = []


def prepare_kernel() -> None:
    """Make the kernel for the next notebook, if there is none: it takes a while and can be done ahead."""
    if not _prepared:
        os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # no warning from the kernel's debugger
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as a kernel does
        InProcessInteractiveShell.clear_instance()  # of the notebook before: no variable is left over
        _prepared.append(Kernel())


def take_kernel() -> "Kernel":
    """Return a kernel that has run nothing yet, for a notebook in the current folder."""
    prepare_kernel()
    if "" not in sys.path:  # modules beside the notebook come after the standard library, as for a kernel
        installed = [Path(folder).name in ("site-packages", "dist-packages") for folder in sys.path]
        sys.path.insert([*installed, True].index(True), "")
    multiprocessing.process.ORIGINAL_DIR = str(Path.cwd())  # where children that are spawned import from
    pandas = sys.modules.get("pandas")
    if pandas and pandas.get_option("display.max_columns") == 0:  # imported without IPython it took us for a terminal
        pandas.set_option("display.max_columns", 20)
    return _prepared.pop()


class Kernel(InProcessKernel):
    """IPython's kernel for one notebook, and at once the client of it that nbclient expects.

    A cell runs while nbclient asks for it: when that returns, all of its messages wait in the channels.
    """

    _supports_kernel_subshells = False

    show: Callable[[str, str], None]

    def __init__(self) -> None:
        super().__init__(config=Config({"HistoryManager": {"enabled": False}}))
        self.session.pack = partial(_pack, self.session.pack)
        self.shell_channel, self.iopub_channel = _Channel(), _Channel()
        self.interrupted = self.timed_out = False
        self.stdout, self.stderr = _Stream(self, "stdout", 1), _Stream(self, "stderr", 2)
        self.shell_channel_thread = SimpleNamespace(parent_thread=None)
        leave = _Exit(self.shell)
        for names in (self.shell.user_ns, self.shell.user_ns_hidden):
            names.update(exit=leave, quit=leave)

    async def execute(self, code: str, store_history: bool = True, stop_on_error: bool = True) -> str:
        request = {"code": code, "store_history": store_history, "stop_on_error": stop_on_error, "allow_stdin": False}
        message = self.session.msg("execute_request", request)
        self.session.send(self.shell_stream, message)
        with self._redirected_io(), self.stdout, self.stderr:
            await self.dispatch_shell(self.shell_stream.recv_multipart())
        self.shell_channel.put(self.session.recv(self.shell_stream, copy=False)[1])
        return message["header"]["msg_id"]

    def _io_dispatch(self, change):
        message = self.session.recv(self.iopub_socket.io_thread.socket, copy=False)[1]
        if message["msg_type"] == "stream":
            self.show(**message["content"])
        self.iopub_channel.put(message)

    def pre_handler_hook(self):
        self.saved_sigint_handler = signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, *_):
        self.interrupted = True
        raise KeyboardInterrupt

    def _time_out(self, *_):
        self.timed_out = True
        raise KeyboardInterrupt

    @contextmanager
    def deadline(self, seconds: float | None) -> Iterator[None]:
        """Interrupt what runs inside after `seconds`, and again every 10 s if it goes on: to unwind takes a while."""
        if not seconds:
            yield
            return
        before = signal.signal(signal.SIGALRM, self._time_out)
        signal.setitimer(signal.ITIMER_REAL, seconds, 10)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def _pack(pack: Callable[[dict], bytes], message: dict) -> bytes:
    """Write a message as Jupyter does, but replace a lone surrogate: Jupyter loses the message, even that of an error."""
    try:
        return pack(message)
    except UnicodeEncodeError:
        text = json.dumps(message, default=json_default, ensure_ascii=False)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


class _Exit(ExitAutocall):
    """`exit` and `quit`: end the notebook as sys.exit does. IPython's own only ask for the end of a kernel process."""

    def __call__(self, code: object = None) -> None:
        sys.exit(code)


class _Channel:
    """What nbclient reads messages from. Neighbouring pieces of one stream become one message: each costs a while."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[dict, list[str]]] = deque()
        self.changed = threading.Condition()

    def put(self, message: dict) -> None:
        with self.changed:
            if self.waiting and _stream(message) and _stream(message) == _stream(self.waiting[-1][0]):
                self.waiting[-1][1].append(message["content"]["text"])
            else:
                self.waiting.append((message, []))
            self.changed.notify()

    async def get_msg(self, timeout: float | None = None) -> dict:
        with self.changed:
            if not self.changed.wait_for(lambda: self.waiting, timeout):
                raise Empty
            message, pieces = self.waiting.popleft()
        if pieces:
            message["content"]["text"] += "".join(pieces)
        return message


def _stream(message: dict) -> tuple | None:
    """Return the cell and stream of a piece of text; None for other messages."""
    if message["header"]["msg_type"] == "stream":
        return message["parent_header"].get("msg_id"), message["content"]["name"]
    return None


class _Stream(OutStream):
    """sys.stdout or sys.stderr of the cells.

    While it is entered it also hands on what is written to its file descriptor: by a subprocess, C code, a forked child.
    """

    def __init__(self, kernel: InProcessKernel, name: str, descriptor: int) -> None:
        super().__init__(kernel.session, kernel.iopub_thread, name, watchfd=False)
        self.descriptor, self.original = descriptor, os.dup(descriptor)
        self.source, self.pipe = os.pipe()
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.lock = threading.Lock()
        threading.Thread(target=self._copy, daemon=True).start()

    def write(self, string: str) -> int:
        if self._is_master_process():
            self._drain()  # what was written before comes before
            return super().write(string)
        os.write(self.descriptor, string.encode(errors="replace"))
        return len(string)

    def flush(self) -> None:
        if self._is_master_process():
            self._drain()
            super().flush()

    def __enter__(self):
        os.dup2(self.pipe, self.descriptor)
        return self

    def __exit__(self, *_) -> None:
        os.dup2(self.original, self.descriptor)
        self._drain()

    def _copy(self) -> None:
        while select.select([self.source], [], []):
            self._drain()

    def _drain(self) -> None:
        with self.lock:
            while select.select([self.source], [], [], 0)[0]:
                super().write(self.decoder.decode(os.read(self.source, 65536)))
