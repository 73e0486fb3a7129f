"""The prediction log: predictions are kept in memory for a moment, and one thread writes them to the database."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from ..project.database import reason, shown
from ..project.errors import StoreError
from .prediction import Prediction, encode, waiting_record
from .retention import delete_old
from .store import (
    META,
    PREDICTIONS,
    clean_text,
    connect_log,
    insert_new,
    open_log,
    read_records,
)

__all__ = ["Prediction", "PredictionLog", "connect_log"]

LONGEST_PAUSE = 15.0  # seconds between two attempts to reach a database that is away
RETENTION_EVERY = 60.0  # seconds


class PredictionLog:
    """Writes predictions in batches, off the path of a request.

    Parameters
    ----------
    url : str or URL
        As `connect_log` returns it.
    capacity : int
        Predictions held in memory at most; more are counted in `lost`.
    batch : int
        Rows of one insert at most.
    interval : float
        Seconds between two writes. A process that is killed loses at most this time and one batch.
    retention_days : int, optional
        Older predictions are deleted, with their true values.

    Attributes
    ----------
    url : str or URL
    written, waiting, lost : int
        Rows given to the database (a repeated id counts, too), rows in memory, and rows that were not logged.
    error : str or None
        Why the database cannot be written now.
    """

    def __init__(
        self,
        url: str | sa.URL,
        *,
        capacity: int = 100_000,
        batch: int = 1_000,
        interval: float = 0.5,
        retention_days: int | None = None,
    ) -> None:
        self.capacity, self.batch, self.interval, self.retention_days = capacity, batch, interval, retention_days
        self.lost = self.written = 0
        self.error: str | None = None
        self.url, self._engine = url, open_log(url)
        self._queue: deque[Prediction] = deque()
        self._hand: list[Prediction] = []  # being written
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._closing = self._hurry = self._ready = False
        self._next_retention = 0.0
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Rows in memory."""
        with self._lock:
            return len(self._queue) + len(self._hand)

    def write(self, predictions: Sequence[Prediction]) -> None:
        """Take predictions for the log. Never waits for the database and never raises."""
        with self._lock:
            room = 0 if self._closing else self.capacity - len(self._queue) - len(self._hand)
            if room < len(predictions):
                self.lost += len(predictions) - max(room, 0)
                predictions = predictions[: max(room, 0)]
            self._queue.extend(predictions)
            full = len(self._queue) >= self.batch and self.error is None
        if full:
            self._wake.set()

    def find(self, request_id: str) -> list[dict]:
        """Return the predictions of a request, written or waiting, in the order of rows, with their true values."""
        wanted = clean_text(request_id)
        with self._lock:
            memory = [*self._hand, *self._queue]
        found = {each.row: waiting_record(each) for each in reversed(memory) if clean_text(each.request_id) == wanted}
        try:
            stored = read_records(self._engine, [PREDICTIONS.c.request_id == wanted])
        except StoreError:
            if not found:
                raise
            stored = []
        found |= {record["row"]: record for record in stored}
        return [found[row] for row in sorted(found)]

    def flush(self, timeout: float) -> bool:
        """Write what is waiting; return True if all of it was written within `timeout` seconds."""
        end = time.monotonic() + timeout
        while self.waiting and time.monotonic() < end:
            self._hurry = True
            self._wake.set()
            time.sleep(0.005)
        self._hurry = False
        return not self.waiting

    def close(self, timeout: float = 10) -> None:
        """Write what is waiting and stop. What a database that is away did not take in `timeout` seconds is lost."""
        with self._lock:
            self._closing = True
        self.flush(timeout)
        self._hurry = True
        self._wake.set()
        self._thread.join(1)
        with self._lock:
            self.lost += len(self._queue)
            self._queue.clear()
        if not self._thread.is_alive():
            self.lost += len(self._hand)
            self._hand = []
            self._engine.dispose()

    def _run(self) -> None:
        pause = 0.0
        while True:
            self._wake.wait(pause or self.interval)
            self._wake.clear()
            written = self._write_all()
            if self._closing and (self._hurry or not self.waiting):
                return
            pause = 0.0 if written else min(max(2 * pause, 0.1), LONGEST_PAUSE)
            if not written and self._hurry:
                time.sleep(0.1)  # flush() asks again at once

    def _write_all(self) -> bool:
        """Write all batches; return False if the database did not take one, which is kept."""
        while True:
            with self._lock:
                if not self._hand:
                    self._hand = [self._queue.popleft() for _ in range(min(self.batch, len(self._queue)))]
            try:
                refused = self._store(self._hand)
                self.error = None
                with self._lock:
                    self.written += len(self._hand) - refused
                    self.lost += refused
                    more, self._hand = bool(self._hand and self._queue), []
                self._delete_old()
            except Exception as error:  # noqa: BLE001  the thread must live on: the batch is kept and tried again
                self._ready = False
                self._engine.dispose()
                self.error = f"Prediction log {shown(self._engine.url)}: {reason(error, self._engine.url)}"
                return False
            if not more:
                return True

    def _store(self, predictions: list[Prediction]) -> int:
        """Insert a batch in one transaction; return how many rows cannot be stored at all."""
        self._make_tables()
        rows = [row for row in map(encode, predictions) if row is not None]
        try:
            self._insert(rows)
            return len(predictions) - len(rows)
        except SQLAlchemyError as error:
            if not isinstance(error, DataError | IntegrityError):
                raise
        except (OverflowError, TypeError, ValueError):
            pass
        return len(predictions) - sum(map(self._insert_one, rows))

    def _insert(self, rows: list[dict]) -> None:
        if rows:
            with self._engine.execution_options(writes=True).begin() as connection:
                connection.execute(insert_new(self._engine, PREDICTIONS), rows)

    def _insert_one(self, row: dict) -> bool:
        try:
            self._insert([row])
        except (DataError, IntegrityError, OverflowError, TypeError, ValueError):
            return False
        return True

    def _make_tables(self) -> None:
        file = self._engine.url.database if self._engine.dialect.name == "sqlite" else None
        if file and self._ready and not Path(file).exists():  # deleted: the open connection would write to nowhere
            self._ready = False
            self._engine.dispose()
        if not self._ready:
            with self._engine.execution_options(writes=True).begin() as connection:
                META.create_all(connection)
            self._ready = True

    def _delete_old(self) -> None:
        if self.retention_days is None or self._closing or time.monotonic() < self._next_retention:
            return
        if not delete_old(self._engine, datetime.now(UTC) - timedelta(days=self.retention_days)):
            self._next_retention = time.monotonic() + RETENTION_EVERY
