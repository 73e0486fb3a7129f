"""Bake the template, and run what a user runs in the project that comes out."""

import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cookiecutter.main import cookiecutter
from ruamel.yaml import YAML

TEMPLATE = Path(__file__).resolve().parents[1]
SAMPLE = {  # three months instead of twelve: the whole pipeline in well under a minute
    "months: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]": "months: [1, 2, 3]",
    '"2013-09-01"': '"2013-02-15"',
    '"2013-11-01"': '"2013-03-10"',
    "n_estimators: 50": "n_estimators: 10",
    "draws: 100": "draws: 20",
    "rows: 20000 #": "rows: 4000 #",
}


@dataclass
class Project:
    """A generated project."""

    path: Path

    def environment(self) -> dict[str, str]:
        """The environment of this process with the project's own tools first on PATH."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_", "GIT_", "MAKE"))}
        path = f"{self.path}/.venv/bin{os.pathsep}{os.environ['PATH']}"
        identity = {
            f"GIT_{who}_{what}": "tester@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        return inherited | identity | {"PATH": path}

    def run(self, *words: str, ok: bool | None = True, **env: str) -> subprocess.CompletedProcess:
        """Run a command in the project; `ok` is the expected outcome, None for either."""
        result = subprocess.run(
            words, cwd=self.path, env=self.environment() | env, capture_output=True, text=True, check=False
        )
        if ok is not None:
            assert (result.returncode == 0) is ok, f"{' '.join(words)}\n{result.stdout}\n{result.stderr}"
        return result

    def start(self, *words: str) -> subprocess.Popen:
        """Start a command in the project, in a process group of its own."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(words, cwd=self.path, env=self.environment(), start_new_session=True, **quiet)

    def read(self, file: str) -> str:
        return (self.path / file).read_text(encoding="utf-8")

    def edit(self, file: str, changes: dict[str, str]) -> None:
        """Replace text in a file; what is to be replaced must be there."""
        text = self.read(file)
        for old, new in changes.items():
            assert old in text, f"{file} has no {old!r}"
            text = text.replace(old, new)
        (self.path / file).write_text(text, encoding="utf-8")

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--no-verify", "--message", message)

    def files(self) -> set[str]:
        return {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()}


NOTHING_TO_DO = "Data and pipelines are up to date."


def steps_run(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def boosting(trees: int) -> dict[str, str]:
    """The change of params.yaml that makes the candidate a boosting of so many trees, whatever else would be better."""
    return {"model: best": "model: hist_gradient_boosting", "max_iter: 300": f"max_iter: {trees}"}


def fill_requirements(project: Project) -> None:
    """Write what only people can say into docs/requirements.yaml of own data: nobody but them can open the gate."""
    classes = json.loads(project.read("data/interim/task.json")).get("classes", [])
    costs = {actual: {said: 1 for said in classes if said != actual} for actual in classes}
    text = project.read("docs/requirements.yaml").replace('category: ""', "category: minimal")
    text = re.sub(r': ""', ": Somebody has thought about it.", text)
    (project.path / "docs" / "requirements.yaml").write_text(text, encoding="utf-8")
    costs = json.dumps(costs or {"too_high": 1, "too_low": 1}, ensure_ascii=False)
    reasons = "reasons: {error: All errors are alike to us.}"
    project.edit("docs/requirements.yaml", {"matrix: {}": f"matrix: {costs}", "reasons: {}": reasons})


def hashes(project: Project) -> dict[str, str]:
    stages = YAML(typ="safe").load(project.read("dvc.lock"))["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}


def output_files(project: Project) -> set[str]:
    """Return the files that dvc.lock lists, those in its folders included."""
    found = [project.path / path for path in hashes(project)]
    files = {file for path in found for file in (path.rglob("*") if path.is_dir() else [path])}
    return {file.relative_to(project.path).as_posix() for file in files if not file.is_dir()}


def contents(project: Project) -> dict[str, bytes]:
    """Return all that the pipeline has written, by path."""
    return {path: (project.path / path).read_bytes() for path in output_files(project)}


def script(project: Project, code: str) -> str:
    """Run Python code in the project's environment."""
    return project.run("python", "-c", code).stdout


def tracked(project: Project, code: str) -> str:
    """Run Python code that asks the project's MLflow."""
    connect = "import mlflow; from flight_delays.pipeline.tracking import connect_mlflow; connect_mlflow()"
    return script(project, f"{connect}; {code}")


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until `condition` holds; what it raises in the meantime is not yet an error."""
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "gave up waiting"
        time.sleep(0.2)


def bake_into(folder: Path, **answers: str) -> Project:
    """Bake the template with `answers` and defaults for the rest."""
    return Project(Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder), extra_context=answers)))


@pytest.fixture
def bake(tmp_path):
    """Bake into a folder of the test's own."""
    return lambda **answers: bake_into(tmp_path, **answers)


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Project:
    """The default project, set up as the README says and committed. Tests leave it as they found it."""
    project = bake_into(tmp_path_factory.mktemp("with a space"))
    project.run("make", "setup")
    project.commit("As generated")
    yield project
    project.run("python", "-m", "flight_delays.pipeline", "stop")


@pytest.fixture(scope="session")
def sample(installed) -> Project:
    """The installed project, its pipeline run on three months and committed."""
    installed.edit("params.yaml", SAMPLE)
    result = installed.run("make", "pipeline")
    (installed.path / ".venv" / "pipeline.log").write_text(result.stdout)
    installed.run("make", "catalog")
    installed.commit("Three months")
    return installed


@pytest.fixture
def project(sample) -> Project:
    """The sample, put back as it was when the test is over."""
    yield sample
    sample.run("git", "reset", "--hard", "--quiet")
    sample.run("git", "clean", "--quiet", "--force", "-d")
    sample.run("dvc", "checkout", "--force", "--quiet")
    for report in sample.path.glob("reports/*.failed.*"):
        report.unlink()


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
        subprocess.run(
            command, input=text, text=True, user=user, cwd=self.folder, stdout=subprocess.DEVNULL, check=True
        )

    def execute(self, sql: str) -> None:
        connect = [f"--host={self.folder}", f"--port={self.port}", "--username=tester", "--dbname=postgres"]
        self.run("psql", *connect, "--set=ON_ERROR_STOP=1", text=sql)


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server, really started."""
    tools = find_program("initdb", "postgresql").resolve().parent
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = Postgres(tools, Path(folder), free_port())
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        Path(folder, "password").write_text("s3cret")
        Path(folder, "password").chmod(0o644)
        access = ["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile=password", "--username=tester"]
        server.run("initdb", "--pgdata=data", *access, "--encoding=UTF8", "--no-sync")
        options = f"--options=-p {server.port} -h 127.0.0.1 -k {folder}"
        server.run("pg_ctl", "--pgdata=data", "--wait", "--log=log", options, "start")
        yield server
        server.run("pg_ctl", "--pgdata=data", "--mode=immediate", "stop")
