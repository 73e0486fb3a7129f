"""Debian's Chromium without a screen, driven through chromedriver's HTTP interface (W3C WebDriver)."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from serving import free_port, wait_for

__all__ = ["Browser", "browser"]

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id, by the W3C standard


class Browser:
    """One window."""

    def __init__(self, driver: httpx.Client, session: str):
        self.driver, self.session = driver, f"/session/{session}"

    def _ask(self, path: str, **body: object) -> object:
        reply = self.driver.post(f"{self.session}{path}", json=body).json()["value"]
        assert not (isinstance(reply, dict) and "error" in reply), reply
        return reply

    def open(self, url: str, width: int = 1280, height: int = 900) -> None:
        self._ask("/window/rect", width=width, height=height)
        self._ask("/url", url=url)

    def run(self, script: str) -> object:
        """Return what a script returns in the page."""
        return self._ask("/execute/sync", script=script, args=[])

    def click(self, selector: str) -> None:
        found = self._ask("/element", using="css selector", value=selector)
        self._ask(f"/element/{found[ELEMENT]}/click")

    def write(self, selector: str, text: str) -> None:
        found = self._ask("/element", using="css selector", value=selector)[ELEMENT]
        self._ask(f"/element/{found}/clear")
        if text:
            self._ask(f"/element/{found}/value", text=text)

    def text(self, selector: str) -> str:
        """Return the text that an element shows; none if it is hidden or not there."""
        found = f"const found = document.querySelector({json.dumps(selector)})"
        return self.run(f"{found}; return found && found.getClientRects().length ? found.innerText : ''")

    def read(self, selector: str, words: str) -> str:
        """Wait until an element shows these words; return its text."""
        wait_for(lambda: words in self.text(selector), 15)
        return self.text(selector)

    def press(self, keys: str) -> None:
        """Press keys wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._ask("/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def errors(self) -> list[str]:
        """Return the console's errors since the last call: scripts that fail, what the policy blocks."""
        return [one["message"] for one in self._ask("/se/log", type="browser") if one["level"] == "SEVERE"]

    def picture(self, file: Path) -> None:
        data = self.driver.get(f"{self.session}/screenshot").json()["value"]
        file.write_bytes(base64.b64decode(data))


@contextmanager
def browser(folder: Path, **options: object) -> Iterator[Browser]:
    """Start Chromium with an empty profile in `folder`; `options` are chromedriver's, such as `mobileEmulation`."""
    program = shutil.which("chromedriver")
    if not program:
        pytest.skip("this machine has no chromedriver (Debian: chromium-driver)")
    port = free_port()
    process = subprocess.Popen([program, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as driver:
        try:
            wait_for(lambda: _is_ready(driver))
            options = {"args": [*FLAGS, f"--user-data-dir={folder / 'profile'}"], **options}
            wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            session = driver.post("/session", json={"capabilities": {"alwaysMatch": wanted}}).json()["value"]
            assert "sessionId" in session, session
            yield Browser(driver, session["sessionId"])
            driver.delete(f"/session/{session['sessionId']}")
        finally:
            process.terminate()
            process.wait(30)


def _is_ready(driver: httpx.Client) -> bool:
    try:
        return driver.get("/status").json()["value"]["ready"]
    except httpx.TransportError:
        return False
