"""Start the service: find the model, fill the feature store if it is empty, listen."""

import asyncio
import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

import uvicorn

from ..features.online import connect_store
from ..predictions.log import PredictionLog
from ..predictions.store import connect_log
from ..project.errors import StepError
from ..project.files import write_json
from ..project.root import local_folder
from ..project.settings import load_object, load_views, read_settings
from ..request.online import fill_store
from ..request.prepare import load_prepare
from .app import create_app
from .follow import CURRENT, STATUS, find_folder
from .package import open_package
from .service import Service, utc_now
from .web.head import timed_head
from .web.metrics import exports_telemetry
from .web.refuse import KEY_VARIABLE, LOOPBACK

__all__ = ["serve"]

PATIENCE = 10.0  # seconds to wait for the registry where a copy of a champion is there
LOG_FORMAT = '{"time": "%(asctime)s", "level": "%(levelname)s", "logger": "%(name)s", "message": %(message)r}'


def serve(
    root: Path,
    name: str,
    host: str,
    port: int,
    model: str,
    certificate: str,
    key_file: str,
    log: bool,
    behind_proxy: bool = False,
    share_port: bool = False,
) -> int:
    """Serve a model until SIGTERM or Ctrl-C, which first answers all open requests and writes the log.

    Parameters
    ----------
    root : Path
    name : str
        Of the model in the registry.
    host, port : str, int
        Another host than this machine's own (127.0.0.1) needs a certificate and an API key in SERVE_API_KEY.
    model : str
        Folder of a model; empty: the champion of the registry.
    certificate, key_file : str
        PEM files for TLS; empty: plain HTTP.
    log : bool
        Whether predictions are logged.
    behind_proxy : bool
        Another host needs no certificate: a proxy in front of it has one. It still needs the key.
    share_port : bool
        Another service that shares it may listen on the port: `stagebook deploy` lets the new one answer before the old ends.
    """
    check_address(host, port, certificate, key_file, behind_proxy, share_port)
    exports_telemetry()  # fails now, not at the first request
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn sends it again when all is answered
    settings = read_settings(root)["serve"]
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    with _followed(root, name, model, settings["follow_seconds"]) as source:
        service = _open_service(root, settings, source, name, log)
        app = (load_object(root, "service") or create_app)(service)
        package, scheme = service.current.package, "https" if certificate else "http"
        print(
            f"{package.name} version {package.version}: {scheme}://{host}:{port}/  API: /docs  (Ctrl-C ends it)",
            flush=True,
        )
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=timed_head(settings["seconds"]),
            log_level="warning",
            access_log=False,
            ssl_certfile=certificate or None,
            ssl_keyfile=key_file or None,
            timeout_graceful_shutdown=int(settings["seconds"]),
            limit_concurrency=1_000,
            server_header=False,
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[_listen(host, port, share_port)])
    return 0


def check_address(
    host: str, port: int, certificate: str, key_file: str, behind_proxy: bool = False, share_port: bool = False
) -> None:
    """Raise StepError for an open address without TLS and key, for a bad certificate, and for a port that is taken."""
    if host not in LOOPBACK and not ((certificate or behind_proxy) and os.environ.get(KEY_VARIABLE)):
        raise StepError(
            f"{host} can be reached from other machines. That needs `--certificate FILE --key FILE` and an API key in the "
            f"environment variable {KEY_VARIABLE}; or put a proxy that has both in front of 127.0.0.1. In a container whose "
            f"proxy has TLS: `--behind-proxy` and {KEY_VARIABLE}."
        )
    if certificate:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key_file or None)
        except (OSError, ssl.SSLError) as error:
            raise StepError(f"--certificate {certificate}, --key {key_file}: {error}") from error
    try:
        _listen(host, port, share_port).close()
    except OverflowError as error:
        raise StepError(f"there is no port {port}; the highest is 65535.") from error
    except OSError as error:
        raise StepError(
            f"port {port} of {host} cannot be used ({error.strerror}); try another: make serve PORT={port + 1}"
        ) from error


def _listen(host: str, port: int, share_port: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048, reuse_port=share_port)


@contextmanager
def _followed(root: Path, name: str, model: str, seconds: float) -> Iterator[Path]:
    """Yield the folder of the model; for the champion, one that a process of its own keeps up to date."""
    if model:
        yield (root / model).resolve()
        return
    folder = local_folder(root) / "serving"
    folder.mkdir(exist_ok=True)
    (folder / STATUS).unlink(missing_ok=True)
    command = [sys.executable, "-m", "stagebook.serve.follow", name, str(folder), str(seconds)]
    process = subprocess.Popen(command, cwd=root, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        asyncio.run(_wait_for(folder, process))
        yield folder
    finally:
        process.terminate()
        process.wait()


async def _wait_for(folder: Path, process: subprocess.Popen) -> None:
    """Wait for the first answer of the registry. If it has none in time, the last champion that was copied will do."""
    copied, until = (folder / CURRENT).is_file(), monotonic() + PATIENCE
    while not (folder / STATUS).is_file() and not (copied and monotonic() > until):
        if process.poll() is not None:
            raise StepError("the process that asks the registry ended; its error is above.")
        await asyncio.sleep(0.05)
    error = f"the registry has not answered within {PATIENCE:g} s"
    if not (folder / STATUS).is_file():
        write_json({"checked_at": utc_now().isoformat(), "error": error}, folder / STATUS)  # /ready says it
    else:
        error = json.loads((folder / STATUS).read_text(encoding="utf-8"))["error"]
    if not (folder / CURRENT).is_file():
        raise StepError(f"{error} To try a model that is no champion: make serve MODEL=models/candidate")
    if error:
        print(f"WARNING: {error} The champion that was copied last is served.", flush=True)


def _open_service(root: Path, settings: dict, source: Path, name: str, log: bool) -> Service:
    if views := load_views(root):
        contract = open_package(find_folder(source), root, name).contract
        if time := fill_store(root, connect_store(root), views, contract, load_prepare(root)):
            newest = "`stagebook features` writes the newest."
            print(f"The feature store was empty: filled with what was known at {time}. {newest}")
    kept = PredictionLog(connect_log(root), retention_days=settings["retention_days"]) if log else None
    return Service(root, settings, source, name, kept)
