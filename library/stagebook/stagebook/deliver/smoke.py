"""The smoke test of a deployment: the right artefact answers, as the champion does."""

import json
import time
from collections.abc import Callable
from math import isclose
from pathlib import Path

import requests

from ..project.errors import StepError
from .artefact import VECTOR, Artefact

__all__ = ["SmokeError", "run_smoke_test", "wait_until_ready"]

TOLERANCE = 1e-4  # of a probability, between processors


class SmokeError(StepError):
    """The service that was deployed does not do what it must."""


def wait_until_ready(
    address: str, artefact: Artefact, key: str = "", seconds: float = 120, ended: Callable[[], str] = lambda: ""
) -> None:
    """Wait until `artefact` answers at `address` and nothing is wrong with it; SmokeError if it does not in time.

    `ended` returns why there is nothing to wait for any more, if so.
    """
    until, state = time.monotonic() + seconds, "nothing answers"
    while time.monotonic() < until:
        if reason := ended():
            raise SmokeError(reason)
        try:
            with _session(key) as session:  # another connection each time: two services may share the port
                ready = session.get(f"{address}/ready", timeout=10).json()
            if ready.get("artefact") != artefact.digest:
                state = f"artefact {str(ready.get('artefact'))[:12]} answers, not {artefact.short}"
            elif ready["status"] == "ready":
                return
            else:
                state = "; ".join(f"{name}: {error}" for name, error in ready["problems"].items())
        except (requests.RequestException, ValueError, KeyError, AttributeError) as error:
            state = f"no answer that can be read ({type(error).__name__})"
        time.sleep(0.1)
    raise SmokeError(f"{address} is not ready after {seconds:g} s: {state}")


def run_smoke_test(address: str, artefact: Artefact, key: str = "") -> dict:
    """Send the test vector and the contract's example to `address`; return how many rows it answered, in which time.

    Raises
    ------
    SmokeError
        An answer is another than the champion gives, or none.
    """
    session, began = _session(key), time.perf_counter()
    vector = read_vector(artefact.folder)
    got = _post(session, f"{address}/predict/inputs", vector["inputs"], artefact)
    for row, (answer, expected) in enumerate(zip(got, vector["answers"], strict=True)):
        for name, value in expected.items():
            if not _same(answer.get(name), value):
                raise SmokeError(
                    f"{address}: row {row} of the test vector has {name} {answer.get(name)!r}; "
                    f"the champion gives {value!r}."
                )
    example = _get(session, f"{address}/example")["rows"]
    _post(session, f"{address}/predict", example, artefact)
    return {"rows": len(got) + len(example), "seconds": round(time.perf_counter() - began, 3)}


def read_vector(folder: Path) -> dict[str, list[dict]]:
    """Return the test vector of an artefact."""
    return json.loads((folder / VECTOR).read_text(encoding="utf-8"))


def _session(key: str) -> requests.Session:
    session = requests.Session()
    session.headers.update({"Authorization": f"Bearer {key}"} if key else {})
    return session


def _get(session: requests.Session, url: str) -> dict:
    return _answer(url, lambda: session.get(url, timeout=60))


def _post(session: requests.Session, url: str, rows: list[dict], artefact: Artefact) -> list[dict]:
    name = {"X-Request-ID": f"smoke-{artefact.short}-{time.time_ns()}"}  # by which the log tells it from real requests
    answers = _answer(url, lambda: session.post(url, json={"rows": rows}, headers=name, timeout=60))["predictions"]
    if len(answers) != len(rows):
        raise SmokeError(f"{url}: {len(answers)} predictions for {len(rows)} rows.")
    return answers


def _answer(url: str, ask: Callable[[], requests.Response]) -> dict:
    try:
        response = ask()
        if response.status_code != 200:
            raise SmokeError(f"{url} answers {response.status_code}: {response.text[:300]}")
        return response.json()
    except (requests.RequestException, ValueError) as error:
        raise SmokeError(f"{url} gives no answer that can be read: {error}") from error


def _same(answer: object, expected: object) -> bool:
    if isinstance(expected, float) and isinstance(answer, int | float):
        return isclose(answer, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return answer == expected
