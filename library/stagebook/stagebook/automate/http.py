"""A JSON API over HTTP: pages followed, refusals said in a line."""

import os
from collections.abc import Iterator

import requests

from ..project.errors import StepError

__all__ = ["Api", "required"]

SECONDS = 30


def required(name: str) -> str:
    """Return an environment variable; StepError if it is not set."""
    if value := os.environ.get(name):
        return value
    raise StepError(f"{name} is not set; CI sets it. By hand: export {name}=...")


class Api:
    """Calls below one address, all with the same headers."""

    def __init__(self, address: str, headers: dict[str, str]) -> None:
        self.address = address
        self.session = requests.Session()
        self.session.headers.update(headers)

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """Send `body` as JSON, return the answer, {} if it is empty; StepError if the server cannot be reached or refuses."""
        answer = self._send(method, self.address + path, json=body)
        return answer.json() if answer.content else {}

    def pages(self, path: str, query: dict[str, str] | None = None) -> Iterator[dict]:
        """Yield the elements of a list, over all its pages."""
        address, query = self.address + path, {**(query or {}), "per_page": "100"}
        while address:
            answer = self._send("GET", address, params=query)
            yield from answer.json()
            address, query = answer.links.get("next", {}).get("url"), None

    def _send(self, method: str, address: str, **content) -> requests.Response:
        try:
            answer = self.session.request(method, address, timeout=SECONDS, **content)
        except requests.RequestException as error:
            raise StepError(f"{method} {address} failed: {error}") from error
        if not answer.ok:
            raise StepError(f"{method} {address} was refused: {answer.status_code} {answer.reason}. {_reason(answer)}")
        return answer


def _reason(answer: requests.Response) -> str:
    try:
        return str(answer.json().get("message", ""))
    except (ValueError, AttributeError):
        return answer.text[:200]
