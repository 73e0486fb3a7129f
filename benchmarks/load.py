"""Load an HTTP service: a closed loop of some connections, and what each request took. `serving.py` runs it.

A client of its own, because it must cost less than the service: it writes prepared bytes and reads as many as
`content-length` says. It runs in a process of its own, on the other core.
"""

import asyncio
import json
import statistics
import sys
import time

import psutil
import uvloop

__all__ = ["measure"]


class Connection(asyncio.Protocol):
    """One connection that asks again as soon as it has the answer."""

    def __init__(self, request: bytes, until: float, taken: list[float], done: asyncio.Future):
        self.request, self.until, self.taken, self.done = request, until, taken, done
        self.read, self.length = b"", None

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.started = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.read += data
        if self.length is None:
            head, found, _ = self.read.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 200 " not in head[:20]:
                self.fail(f"the answer is no 200: {self.read[:500]!r}")
                return
            lines = head.lower().split(b"\r\n")
            self.length = len(head) + 4 + next(int(one[15:]) for one in lines if one.startswith(b"content-length:"))
        if len(self.read) < self.length:
            return
        now = time.perf_counter()
        self.taken.append(now - self.started)
        self.read, self.length = b"", None
        if now < self.until:
            self.ask()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None) if time.perf_counter() >= self.until else self.fail("it closed the connection")

    def fail(self, message: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(message))
        self.transport.close()


async def ask(host: str, port: int, path: str, body: bytes, connections: int, seconds: float) -> list[float]:
    """Return the seconds of each request."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    loop, taken, until = asyncio.get_running_loop(), [], time.perf_counter() + seconds
    waiting = []
    for _ in range(connections):
        done = loop.create_future()
        await loop.create_connection(lambda done=done: Connection(request, until, taken, done), host, port)
        waiting.append(done)
    await asyncio.gather(*waiting)
    return taken


def measure(port: int, path: str, body: bytes, connections: int, seconds: float, server: int) -> dict[str, float]:
    """Return requests per second, latencies, and CPU of the server with its children, all times in milliseconds."""
    processes = [psutil.Process(server), *psutil.Process(server).children(recursive=True)]
    before = sum(sum(process.cpu_times()[:2]) for process in processes)
    own, started = time.process_time(), time.perf_counter()
    taken = uvloop.run(ask("127.0.0.1", port, path, body, connections, seconds))
    wall = time.perf_counter() - started
    cpu = sum(sum(process.cpu_times()[:2]) for process in processes) - before
    cuts = statistics.quantiles(taken, n=100)
    return {
        "requests": len(taken) / wall,
        "p50": cuts[49] * 1000,
        "p99": cuts[98] * 1000,
        "cpu": cpu / len(taken) * 1000,
        "client": (time.process_time() - own) / wall,
    }


if __name__ == "__main__":
    given = json.loads(sys.stdin.read())
    print(json.dumps(measure(**given | {"body": given["body"].encode()})))
