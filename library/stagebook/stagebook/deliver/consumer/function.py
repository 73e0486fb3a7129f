"""The model as a function: `handler` for events of AWS Lambda, `app` for ASGI servers. Needs nothing beside this package."""

import base64
import json
from collections.abc import Awaitable, Callable

from .check import find_problems
from .predict import describe, predict, predict_raw

__all__ = ["answer", "app", "handler"]

MOST_ROWS, MOST_BYTES = 1000, 5_000_000
JSON = "application/json"


def answer(method: str, path: str, body: bytes = b"") -> tuple[int, dict]:
    """Return status and content for a request.

    POST /predict/inputs takes `{"rows": [...]}`, inputs of the model; POST /predict raw requests, if the package takes them.
    GET /model says what the model is, GET /health that it answers as it must.
    """
    routes = {"/predict/inputs": ("POST", predict), "/predict": ("POST", predict_raw)}
    routes |= {"/model": ("GET", describe), "/health": ("GET", find_problems)}
    if path not in routes:
        return _refuse(404, f"there is no {path!r}; there is {', '.join(routes)}")
    allowed, function = routes[path]
    if method != allowed:
        return _refuse(405, f"{path} takes {allowed}, not {method}")
    if allowed == "GET":
        found = function()
        return (200, found) if path == "/model" else _report(found)
    if len(body) > MOST_BYTES:
        return _refuse(413, f"the body is larger than {MOST_BYTES // 1_000_000} MB")
    try:
        rows = json.loads(body)["rows"]
    except (ValueError, KeyError, TypeError):
        return _refuse(400, 'the body must be JSON as {"rows": [{...}]}')
    return _predict(function, rows)


def _predict(function: Callable, rows: object) -> tuple[int, dict]:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        return _refuse(422, "`rows` must be a list of at least one object")
    if len(rows) > MOST_ROWS:
        return _refuse(413, f"{len(rows)} rows; at most {MOST_ROWS} are answered at once")
    try:
        predictions = function(rows)
    except (ValueError, TypeError) as error:
        return _refuse(422, str(error))
    about = describe()
    return 200, {"model": about["name"], "version": about["version"], "predictions": predictions}


def _report(problems: list[str]) -> tuple[int, dict]:
    return (500, {"detail": [{"message": each} for each in problems]}) if problems else (200, {"status": "ok"})


def _refuse(status: int, message: str) -> tuple[int, dict]:
    return status, {"detail": [{"message": message}]}


def handler(event: dict, context: object = None) -> dict:
    """Answer an event: of API Gateway (both formats), of a function URL, or `{"rows": [...]}` from a direct call."""
    if "rows" in event:
        status, content = _predict(predict, event["rows"])
        return content | {"status": status}
    http = event.get("requestContext", {}).get("http", {})
    method = event.get("httpMethod") or http.get("method") or "POST"
    path = event.get("rawPath") or event.get("path") or "/predict/inputs"
    body = event.get("body") or ""
    try:
        sent = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    except ValueError:
        sent = b""
    status, content = answer(method, path, sent)
    return {"statusCode": status, "headers": {"Content-Type": JSON}, "body": json.dumps(content)}


async def app(scope: dict, receive: Callable[[], Awaitable[dict]], send: Callable[[dict], Awaitable[None]]) -> None:
    """Answer a request as an ASGI server passes it."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more and len(body) <= MOST_BYTES:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    status, content = answer(scope["method"], scope["path"], body)
    sent = json.dumps(content).encode()
    headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(sent)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sent})
