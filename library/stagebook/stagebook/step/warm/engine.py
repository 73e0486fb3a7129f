"""A papermill engine without a kernel process: papermill's own client, and IPython's kernel in this process."""

import asyncio
import os
from contextlib import suppress
from queue import Empty
from typing import TextIO

from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine

from .kernel import take_kernel

__all__ = ["InProcessEngine"]


class InProcessEngine(NBClientEngine):
    """Runs the cells in the process and thread that call papermill, with the outputs that a kernel would give.

    For processes that run one notebook and end: what the cells change in the process stays changed.
    """

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man,
        kernel_name,
        log_output=False,
        stdout_file=None,
        stderr_file=None,
        execution_timeout=None,
        **options,
    ):
        """Run all cells. Options as for papermill's NBClientEngine; those about a kernel's start have no effect."""
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            log_output=log_output,
            timeout=execution_timeout or options.get("timeout"),
        )
        client.files = {"stdout": _uncaptured(stdout_file), "stderr": _uncaptured(stderr_file)}
        return client.execute()


def _uncaptured(file: TextIO | None) -> TextIO | None:
    """Return a way round our own capture, if the file to copy outputs to is stdout or stderr."""
    with suppress(AttributeError, OSError):
        if file.fileno() in (1, 2):
            return os.fdopen(os.dup(file.fileno()), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    return file


class _Client(PapermillNotebookClient):
    """Papermill's client, which asks the kernel below instead of a socket."""

    def execute(self):
        self.reset_execution_trackers()
        self.kc = take_kernel()
        self.kc.show = self._show
        self.papermill_execute_cells()
        self.nb.metadata["language_info"] = self.kc.language_info
        self.set_widgets_metadata()
        return self.nb

    def execute_cell(self, cell, cell_index, **options):
        timeout = self._get_timeout(cell)
        error = None
        with self.kc.deadline(timeout):
            try:
                cell = super().execute_cell(cell, cell_index, **options)
            except (CellExecutionError, Empty) as caught:  # Empty: the end of its time came before its answer
                error = caught
            except KeyboardInterrupt as caught:
                error = caught
                _cancel_tasks()
        if self.kc.timed_out:
            raise CellTimeoutError.error_from_timeout_and_cell("Cell execution timed out", timeout, cell)
        if self.kc.interrupted:
            raise KeyboardInterrupt
        if error:
            raise error
        return cell

    async def _async_poll_kernel_alive(self) -> None:
        pass  # it lives as long as we do

    def _show(self, name: str, text: str) -> None:
        if file := self.files[name]:
            file.write(text)
            file.flush()


def _cancel_tasks() -> None:
    """Unwind what the interrupted event loop was at: a cell that awaits, and our own call of it."""
    loop = ensure_event_loop()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
