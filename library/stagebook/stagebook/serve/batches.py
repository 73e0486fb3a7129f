"""Requests that wait together are prepared together: pandas takes as long for fifty rows as for one."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

from ..project.errors import StagebookError

__all__ = ["Batches", "Busy"]

LINGER = 0.002  # seconds


class Busy(StagebookError):
    """More rows wait than may."""


@dataclass(eq=False, slots=True)
class _Waiting:
    rows: list
    context: object
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future
    since: float = field(default_factory=perf_counter)


class Batches:
    """One thread that answers waiting requests, all that wait at once by one call.

    Parameters
    ----------
    answer : callable
        `answer(rows, context)` returns an answer for each row, in their order, or raises for all of them. An error that
        has `row` and `name` is about one row only.
    most : int
        Rows of one call.
    waiting : int
        Rows that may wait. More raise `Busy`.
    """

    def __init__(self, answer: Callable[[list, object], list], most: int = 256, waiting: int = 5_000):
        self.answer, self.most, self.limit = answer, most, waiting
        self._queue: deque[_Waiting] = deque()
        self._some = threading.Condition()
        self.waiting, self._open = 0, True
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    async def submit(self, rows: list, context: object = None) -> list:
        """Return the answers for the rows of one request; raise what `answer` raises for them.

        Only requests of the same context, the model that checked them, are answered by one call.
        """
        loop = asyncio.get_running_loop()
        one = _Waiting(rows, context, loop, loop.create_future())
        with self._some:
            if not self._open or (self.waiting and self.waiting + len(rows) > self.limit):
                raise Busy
            self.waiting += len(rows)
            self._queue.append(one)
            self._some.notify()
        return await one.future

    def close(self) -> None:
        """Answer what waits, and end the thread."""
        with self._some:
            self._open = False
            self._some.notify()
        self._thread.join()

    def _work(self) -> None:
        while batch := self._take():
            if there := [one for one in batch if not one.future.cancelled()]:  # the other callers went away
                self._answer(there)
            if self._queue:  # others came meanwhile: those that are answered now ask again, and share the next call
                time.sleep(LINGER)

    def _take(self) -> list[_Waiting]:
        """Wait for requests and return as many as one call may have; none once it is closed."""
        with self._some:
            self._some.wait_for(lambda: self._queue or not self._open)
            batch, rows = [], 0
            while self._queue and (not batch or self._fits(batch, rows)):
                batch.append(self._queue.popleft())
                rows += len(batch[-1].rows)
            self.waiting -= rows
            return batch

    def _fits(self, batch: list[_Waiting], rows: int) -> bool:
        first = self._queue[0]
        return first.context is batch[0].context and rows + len(first.rows) <= self.most

    def _answer(self, batch: list[_Waiting]) -> None:
        """Answer the batch by one call; if that fails, only the request that is wrong gets the error."""
        try:
            answers = self.answer([row for one in batch for row in one.rows], batch[0].context)
        except Exception as error:  # noqa: BLE001 it goes to the caller
            if len(batch) == 1:
                _resolve(batch[0], error=error)
            elif getattr(error, "name", ""):
                self._leave_out(batch, error)
            else:
                for one in batch:
                    self._answer([one])
            return
        start = 0
        for one in batch:
            _resolve(one, answers[start : start + len(one.rows)])
            start += len(one.rows)

    def _leave_out(self, batch: list[_Waiting], error: Exception) -> None:
        """Give the error to the request that its row is of, and answer the others."""
        for one in batch:
            if error.row < len(one.rows):
                break
            error.row -= len(one.rows)
        _resolve(one, error=error)
        self._answer([other for other in batch if other is not one])


def _resolve(one: _Waiting, answers: list | None = None, error: Exception | None = None) -> None:
    def resolve() -> None:
        if not one.future.done():
            one.future.set_exception(error) if error else one.future.set_result(answers)

    with suppress(RuntimeError):  # the loop has ended: nobody waits any more
        one.loop.call_soon_threadsafe(resolve)
