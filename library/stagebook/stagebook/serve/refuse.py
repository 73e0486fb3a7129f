"""Requests that are refused: who may ask, and errors that name row, field and value."""

import hmac
import re

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .service import new_request_id

__all__ = ["KEY_VARIABLE", "Guard", "Refused", "describe_errors", "refuse", "refuse_http"]

KEY_VARIABLE = "SERVE_API_KEY"
OPEN = {"/", "/health", "/ready", "/docs", "/openapi.json"}  # without a key
REQUEST_ID = re.compile(r"[\w.-]{1,100}", re.ASCII)


class Refused(Exception):
    """A request that gets an error: its status, and what is wrong."""

    def __init__(self, status: int, *details: dict):
        super().__init__(details)
        self.status, self.details = status, details


class Guard:
    """Gives each request an id, that of its header `X-Request-ID` if it has one, and asks for the key if there is one."""

    def __init__(self, app: ASGIApp, key: str):
        self.app, self.key = app, key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else new_request_id()
        scope.setdefault("state", {})["id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        if self.key and scope["path"] not in OPEN and not self._has_key(headers):
            message = "the header `Authorization: Bearer <key>` is missing or wrong"
            answer = JSONResponse({"request_id": request_id, "detail": [{"message": message}]}, 401)
            await answer(scope, receive, send_with_id)
            return
        await self.app(scope, receive, send_with_id)

    def _has_key(self, headers: Headers) -> bool:
        given = headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), self.key)


async def refuse(request: Request, error: Refused) -> JSONResponse:
    """Answer a request that was refused."""
    headers = {"Retry-After": "1"} if error.status == 503 else None
    content = {"request_id": request.state.id, "detail": list(error.details)}
    return JSONResponse(content, error.status, headers)


async def refuse_http(request: Request, error: HTTPException) -> JSONResponse:
    """Answer what no route knows, or what is too large, in the form of all errors."""
    return await refuse(request, Refused(error.status_code, {"message": str(error.detail)}))


def describe_errors(error: ValidationError, model: type[BaseModel]) -> list[dict]:
    """Return what is wrong with a body: row, field, value and message."""
    details, seen = [], set()
    for one in error.errors(include_url=False, include_context=False):
        place = [part for part in one["loc"] if part != "rows"]
        row = place[0] if place and isinstance(place[0], int) else None
        name = str(place[1]) if len(place) > 1 else None
        if (row, name) in seen:  # a union has an error for each of its types
            continue
        seen.add((row, name))
        value = (
            one["input"] if isinstance(one["input"], str | int | float | bool | None) else type(one["input"]).__name__
        )
        shown = (
            {"value": str(value) if isinstance(value, float) else value} if name and one["type"] != "missing" else {}
        )
        details.append({"row": row, "field": name, **shown, "message": one["msg"]})
    return details[:20]
