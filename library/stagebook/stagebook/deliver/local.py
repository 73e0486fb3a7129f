"""An environment on this machine: a folder with releases, and a service that runs one of them on a port."""

import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from ..features.online import connect_store
from ..project.errors import StepError
from ..project.files import replace_folder, write_json
from ..project.settings import load_views
from ..request.contract import FILE as CONTRACT
from ..request.contract import read_contract
from ..request.online import fill_store
from ..request.prepare import load_prepare
from ..serve.app import ARTEFACT_VARIABLE
from ..serve.web.refuse import KEY_VARIABLE
from .artefact import FACTS, LIBRARY, MODEL, Artefact, read_artefact
from .environments import Environment
from .smoke import run_smoke_test, wait_until_ready

__all__ = ["LocalTarget", "Releases"]

SERVICE, NEXT, CANDIDATE, LOG = "service.json", "next.json", "candidate.json", "service.log"
# The last is how GitHub's runner finds what a job left running, to end it.
NOT_HANDED_ON = (KEY_VARIABLE, ARTEFACT_VARIABLE, "RUNNER_TRACKING_ID")
KEPT = 5  # releases, to go back to


class Releases:
    """The folder of an environment: its releases, named by their digests."""

    def __init__(self, environment: Environment):
        self.environment, self.folder = environment, Path(environment.folder)

    def find(self, digest: str) -> Artefact:
        """Return a release that is kept; StepError if it is not, or was changed."""
        folder = self.folder / "releases" / digest
        if not (folder / FACTS).is_file():
            raise StepError(f"{folder} is not kept any more. Check out the commit of that release and deploy it.")
        return read_artefact(folder)

    def find_kept(self, digest: str) -> Artefact | None:
        """Return a release, None if it cannot be used any more."""
        try:
            return self.find(digest)
        except StepError as error:
            print(f"NOTE: {self.environment.name} cannot go back to {digest[:12]}: {error}", flush=True)
            return None

    def put(self, artefact: Artefact) -> Artefact:
        """Copy an artefact into the environment; nothing runs it yet."""
        with replace_folder(self.folder / "releases" / artefact.digest) as new:
            shutil.copytree(artefact.folder, new, dirs_exist_ok=True)
        return read_artefact(self.folder / "releases" / artefact.digest)

    def forget_old(self, newest: Artefact) -> None:
        """Remove all but the newest releases."""
        releases = sorted((self.folder / "releases").iterdir(), key=lambda path: path.stat().st_mtime)
        for release in releases[:-KEPT]:
            if release.name != newest.digest:
                shutil.rmtree(release, ignore_errors=True)


class LocalTarget(Releases):
    """Runs releases of an environment on this machine.

    Parameters
    ----------
    root : Path
        The project: its feature store is used if the environment names none.
    environment : Environment
    """

    def __init__(self, root: Path, environment: Environment):
        super().__init__(environment)
        self.root, self.key = root, environment.secret(environment.api_key)
        self.variables = self._variables()

    def _variables(self) -> dict[str, str]:
        one, stores = self.environment, self.environment.stores
        log = one.secret(stores.prediction_log) or f"sqlite:///{(self.folder / 'predictions.db').as_posix()}"
        online = one.secret(stores.feature_store) or connect_store(self.root).url.render_as_string(hide_password=False)
        found = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_ON}
        found |= {"PREDICTION_LOG_URL": log, "FEATURE_STORE_URL": online}
        return found | ({KEY_VARIABLE: self.key} if self.key else {})

    def settle(self, recorded: str) -> None:
        """Bring the environment back to the artefact that the history has, after a deployment that was cut off."""
        self._stop(CANDIDATE)
        self._stop(NEXT)
        for left in (self.folder / "releases").glob(".partial-*"):
            shutil.rmtree(left)
        if self.running() == recorded:
            return
        if recorded and (kept := self.find_kept(recorded)):
            print(
                f"{self.environment.name}: {recorded[:12]}, the last that was recorded, is started again.", flush=True
            )
            self._replace(kept)
        else:
            self._stop(SERVICE)

    def running(self) -> str:
        """Return the digest of the artefact that runs; empty if none does."""
        state = self._read(SERVICE)
        return state["digest"] if state and _find(state) else ""

    def try_out(self, artefact: Artefact) -> dict:
        """Run a release beside the one that serves, on a port of its own and without a log, and test it."""
        self._fill_store(artefact)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        try:
            process = self._run(artefact, port, CANDIDATE, "--no-log")
            wait_until_ready(address, artefact, self.key, ended=lambda: self._why_ended(process))
            return run_smoke_test(address, artefact, self.key)
        finally:
            self._stop(CANDIDATE)

    def _fill_store(self, artefact: Artefact) -> None:
        """Fill the project's own feature store if it is empty, as `stagebook serve` does."""
        views = () if self.environment.stores.feature_store else load_views(self.root)
        if views:
            contract = read_contract(artefact.folder / MODEL / CONTRACT)
            fill_store(self.root, connect_store(self.root), views, contract, load_prepare(self.root))

    def _served_with(self) -> dict[str, str]:
        """Return the variables that the present service was started with: to go back means to go back to them, too."""
        with suppress(psutil.Error):
            if process := _find(self._read(SERVICE)):
                return process.environ()
        return self.variables

    @contextmanager
    def exchange(self, artefact: Artefact, before: Artefact | None):
        """Run `artefact` instead of `before` for the block; go back if it does not start or the block fails."""
        variables, key = self._served_with(), self.key
        self._replace(artefact)
        try:
            yield {}
        except BaseException:
            if before:
                self.variables, self.key = variables, variables.get(KEY_VARIABLE, key)
                self._replace(before)
            else:
                self._stop(SERVICE)
            raise
        self.forget_old(artefact)

    def _replace(self, artefact: Artefact) -> None:
        """Let a release answer on the port of the environment, then end the service that did; it stays if that fails."""
        port = self.environment.port
        try:
            socket.create_server(("127.0.0.1", port), reuse_port=True).close()
        except OSError as error:
            raise StepError(
                f"port {port} of {self.environment.name} is taken by another program ({error.strerror}). "
                "End that, or change `address` in docs/environments.yaml."
            ) from error
        try:
            process = self._run(artefact, port, NEXT, "--share-port")
            wait_until_ready(self.environment.address, artefact, self.key, ended=lambda: self._why_ended(process))
        except BaseException:
            self._stop(NEXT)
            raise
        old = _find(self._read(SERVICE))
        (self.folder / NEXT).replace(self.folder / SERVICE)
        _end(old)
        wait_until_ready(self.environment.address, artefact, self.key, ended=lambda: self._why_ended(process))

    def _run(self, artefact: Artefact, port: int, state: str, *words: str) -> subprocess.Popen:
        """Start the service of a release; it stays when this process ends."""
        command = [sys.executable, "-m", "stagebook", "serve", f"--port={port}", f"--model={MODEL}", *words]
        library = {"PYTHONPATH": str(artefact.folder / LIBRARY), ARTEFACT_VARIABLE: artefact.digest}
        with (self.folder / LOG).open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=artefact.folder,
                env=self.variables | library,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        created = psutil.Process(process.pid).create_time()
        write_json({"pid": process.pid, "created": created, "digest": artefact.digest}, self.folder / state)
        return process

    def _why_ended(self, process: subprocess.Popen) -> str:
        if process.poll() is None:
            return ""
        with suppress(OSError):
            lines = (self.folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return f"the service ended ({process.returncode}): {lines[-1][:500] if lines else 'it said nothing'}"
        return f"the service ended ({process.returncode})"

    def stop(self) -> bool:
        """End the service; return False if none ran."""
        return self._stop(SERVICE)

    def _stop(self, state: str) -> bool:
        """End a process by its own file; it answers its open requests first."""
        found = _find(self._read(state))
        _end(found)
        (self.folder / state).unlink(missing_ok=True)
        return found is not None

    def _read(self, state: str) -> dict:
        try:
            return json.loads((self.folder / state).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}


def _end(process: psutil.Process | None) -> None:
    """Let a service answer its open requests and end; kill it if it does not."""
    if process is None:
        return
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(40)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(10)


def _find(state: dict) -> psutil.Process | None:
    """Return the process that a file tells of; None if it has ended, even if another has its number now."""
    with suppress(psutil.Error, KeyError):
        process = psutil.Process(state["pid"])
        if abs(process.create_time() - state["created"]) < 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None
