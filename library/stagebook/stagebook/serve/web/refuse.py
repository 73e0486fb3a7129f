"""Requests that are refused: who may ask, and errors that name row, field and value."""

import hmac
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from time import perf_counter

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...project.errors import StagebookError
from ...project.yaml_values import suggest
from ...request.rows import LARGEST, PERSONAL
from ..service import new_request_id
from .metrics import Metrics

__all__ = [
    "KEY_VARIABLE",
    "LOOPBACK",
    "Guard",
    "Refused",
    "describe_errors",
    "refuse",
    "refuse_crash",
    "refuse_http",
    "show_value",
]

KEY_VARIABLE = "SERVE_API_KEY"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
OPEN = {
    "/",
    "/health",
    "/ready",
    "/docs",
    "/docs/swagger-ui.css",
    "/docs/swagger-ui-bundle.js",
    "/openapi.json",
}  # without a key
PORT = re.compile(r":\d*$")
REQUEST_ID = re.compile(r"[\w.-]{1,100}", re.ASCII)


class Refused(StagebookError):
    """A request that gets an error: its status, and what is wrong."""

    def __init__(self, status: int, *details: dict):
        super().__init__(details)
        self.status, self.details = status, details


class Guard:
    """What all requests pass: an id (that of the header `X-Request-ID` if given), host, key, limit of size, a clock.

    Without a key, only requests to a name of this machine, or to one of `hosts`, are answered: a page of another site
    whose name is made to point here would else be taken for our own (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, key: str, hosts: Sequence[str], megabytes: float, metrics: Metrics):
        self.app, self.key, self.metrics = app, key.encode(), metrics
        self.hosts = {"", *LOOPBACK, *hosts}  # a caller that names no host is no browser
        self.limit, self.too_large = int(megabytes * 1e6), {"message": f"the body is larger than {megabytes:g} MB"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = perf_counter(), 500
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if REQUEST_ID.fullmatch(given) else new_request_id()
        scope.setdefault("state", {})["id"] = request_id

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            if refused := self._refuse(scope["path"], headers):
                await _answer(request_id, refused.status, *refused.details)(scope, receive, send_with_id)
                return
            receive = receive if b"content-length" in headers else self._count(receive)
            await self.app(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", "")
            self.metrics.time(scope["method"], route, status, perf_counter() - started)

    def _refuse(self, path: str, headers: Mapping[bytes, bytes]) -> Refused | None:
        """Return why a request is refused by its head alone."""
        if not self.key and (host := _host(headers)) not in self.hosts:
            known = "this machine, nor in `hosts` of [tool.stagebook.serve] in pyproject.toml"
            return Refused(421, {"message": f"{show_value(host)!r} is no name of {known}"})
        if self.key and path not in OPEN and not self._has_key(headers):
            return Refused(401, {"message": "the header `Authorization: Bearer <key>` is missing or wrong"})
        length = headers.get(b"content-length", b"")
        return Refused(413, self.too_large) if length.isdigit() and int(length) > self.limit else None

    def _count(self, receive: Receive) -> Receive:
        """Return a `receive` that refuses a body without a length as soon as it is too large."""
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.limit:
                raise Refused(413, self.too_large)
            return message

        return counted

    def _has_key(self, headers: Mapping[bytes, bytes]) -> bool:
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), self.key)


def _host(headers: Mapping[bytes, bytes]) -> str:
    """Return the name that the request was sent to, without port and brackets."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    return PORT.sub("", host).strip("[]")


HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 413: {"Connection": "close"}, 503: {"Retry-After": "1"}}


def _answer(request_id: str, status: int, *details: dict, headers: Mapping[str, str] | None = None) -> JSONResponse:
    content = {"request_id": request_id, "detail": list(details)}
    return JSONResponse(content, status, {**HEADERS.get(status, {}), **(headers or {})})


async def refuse(request: Request, error: Refused) -> JSONResponse:
    """Answer a request that was refused."""
    return _answer(request.state.id, error.status, *error.details)


async def refuse_http(request: Request, error: HTTPException) -> JSONResponse:
    """Answer what no route knows, or what is too large, in the form of all errors."""
    message = str(error.detail)
    if error.status_code == 404 and message == HTTPStatus.NOT_FOUND.phrase:
        message = f"there is no {request.url.path}; see /docs"
    if error.status_code == 405:
        message = f"{request.method} is not allowed here, but {(error.headers or {}).get('Allow', 'another method')}"
    return _answer(request.state.id, error.status_code, {"message": message}, headers=error.headers)


async def refuse_crash(request: Request, error: Exception) -> JSONResponse:
    """Answer a request on which the service failed; the log has the traceback."""
    request_id = request.scope.get("state", {}).get("id", "")
    answer = _answer(request_id, 500, {"message": "the service failed; its log tells why, under this request id"})
    answer.headers["X-Request-ID"] = request_id
    return answer


def describe_errors(error: ValidationError, allowed: Mapping[str, str], personal: Sequence[str] = ()) -> list[dict]:
    """Return what is wrong with a body: row, field, value and message. `allowed` says what a field may be, in words.

    The value of a `personal` field is not shown, nor that of an unknown field: it may be a personal one, misspelt.
    """
    details, seen = [], set()
    for one in error.errors(include_url=False, include_context=False):
        place = [part for part in one["loc"] if part not in ("rows", "outcomes")]
        row = place[0] if place and isinstance(place[0], int) else None
        name = str(place[1]) if len(place) > 1 else None
        if (row, name) in seen:  # a union has an error for each of its types
            continue
        seen.add((row, name))
        shown = {"value": PERSONAL if name in personal else show_value(one["input"])} if name else {}
        shown = {} if one["type"] in ("missing", "extra_forbidden") else shown
        details.append({"row": row, "field": name, **shown, "message": _message(one, name, row, allowed)})
    return details[:20]


def _message(error: Mapping, name: str | None, row: int | None, allowed: Mapping[str, str]) -> str:
    if error["type"] == "extra_forbidden":
        if name is None:
            return f'{error["loc"][0]!r} is not known; the body is {{"rows": [{{...}}]}}'
        return f"is no field; there is {', '.join(allowed)}.{suggest(name, allowed)}"
    if error["type"] == "missing" and name:
        return f"is missing; it must be {allowed[name]}" if name in allowed else "is missing"
    if error["type"] == "json_invalid":
        return f"the body is no JSON: {error['msg'].removeprefix('Invalid JSON: ')}"
    if name is None and error["type"] not in ("too_short", "too_long"):
        return f'the body must be {{"rows": [{{...}}]}}: {error["msg"]}'
    if name in allowed:
        too_long = f" of {error['msg'].removeprefix('String should have ')}" if "too_long" in error["type"] else ""
        given = error["input"]
        huge = isinstance(given, int | float) and abs(given) > LARGEST
        return f"must be {allowed[name]}{too_long}" + f", between {-LARGEST:g} and {LARGEST:g}" * huge
    return error["msg"]


def show_value(value: object) -> object:
    """Return a wrong value as the answer shows it: JSON has no NaN, and nobody reads a long text."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, str):
        return value if len(value) <= 100 else f"{value[:100]}..."
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    return str(value) if isinstance(value, float) else type(value).__name__
