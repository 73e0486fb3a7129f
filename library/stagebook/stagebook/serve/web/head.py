"""A time limit for the head of a request: uvicorn waits for it without end, and each connection counts."""

from asyncio import TimerHandle, Transport

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["timed_head"]


def timed_head(seconds: float) -> type[HttpToolsProtocol]:
    """Return uvicorn's protocol that also closes a connection whose next head is not there within `seconds`.

    The time begins with the connection, and with the first byte of each further request; in between, uvicorn's own
    limit for idle connections holds.
    """

    class TimedHead(HttpToolsProtocol):
        timer: TimerHandle | None = None

        def connection_made(self, transport: Transport) -> None:
            super().connection_made(transport)
            self._start()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._stop()
            self._start()

        def on_headers_complete(self) -> None:
            self._stop()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _start(self) -> None:
            self.timer = self.loop.call_later(seconds, self.transport.close)

        def _stop(self) -> None:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

    return TimedHead
