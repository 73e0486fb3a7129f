"""Programs and servers of this machine that tests need: other Pythons, PostgreSQL, free ports."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest


def find_python(version: str) -> Path | None:
    """Return an interpreter of this version, None if the machine has none."""
    found = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), shutil.which(f"python{version}")]
    return next((Path(python) for python in found if python), None)


def find_program(name: str, package: str) -> Path:
    """Return a program of a Debian package, installed now if it is not yet there."""

    def find() -> str | None:
        folders = [os.environ["PATH"], "/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
        return shutil.which(name, path=os.pathsep.join(folders))

    if not find():
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            pytest.skip(f"this machine has no {name} (Debian: {package})")
        with Path(tempfile.gettempdir(), "apt-get-of-tests.lock").open("w") as one_at_a_time:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            for words in (["update"], ["install", "--yes", package]):
                subprocess.run(["apt-get", "--quiet", *words], check=True, capture_output=True)
    return Path(find())


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@dataclass
class Postgres:
    """A PostgreSQL server on this machine: its address, and the URL of an empty database for its superuser."""

    tools: Path
    folder: Path
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"postgresql://tester:s3cret@{self.address}/postgres"

    def run(self, program: str, *words: str, text: str | None = None) -> None:
        user = "postgres" if os.geteuid() == 0 else None  # a server refuses to run as root
        command = [self.tools / program, *words]
        given = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
        subprocess.run(command, **given, text=True, user=user, cwd=self.folder, stdout=subprocess.DEVNULL, check=True)

    def start(self) -> None:
        options = f"--options=-p {self.port} -h 127.0.0.1 -k {self.folder}"
        self.run("pg_ctl", "--pgdata=data", "--wait", "--log=log", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "--pgdata=data", "--mode=immediate", "stop")

    def execute(self, sql: str) -> None:
        connect = [f"--host={self.folder}", f"--port={self.port}", "--username=tester", "--dbname=postgres"]
        self.run("psql", *connect, "--set=ON_ERROR_STOP=1", text=sql)
