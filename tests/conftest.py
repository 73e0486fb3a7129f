"""Fixtures: a fresh bake, the finished project that the workers share, and copies of it."""

import compileall
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from baked import SAMPLE, TEMPLATE, Project, bake_into, bake_ready, boosting, copy_project, put_back
from filelock import FileLock
from servers import Postgres, find_program, free_port


def pytest_configure(config) -> None:
    """Compile the library before the workers start: a bake copies its folder, in which no file may come and go."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(TEMPLATE / "library" / "stagebook" / "stagebook", quiet=1)


@pytest.fixture
def bake(tmp_path):
    """Bake into a folder of the test's own."""
    return lambda **answers: bake_into(tmp_path, **answers)


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id) -> Callable[[str, Callable[[Path], Project]], Project]:
    """Make a project once for all workers: the first that needs it makes it, the others wait for it.

    Nobody writes to it: tests get copies.
    """
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent

    def share(name: str, make: Callable[[Path], Project]) -> Project:
        with FileLock(folder / f"{name}.lock"):
            if not (folder / f"{name}.path").exists():
                (folder / name).mkdir()
                (folder / f"{name}.path").write_text(str(make(folder / name).path))
        return Project(Path((folder / f"{name}.path").read_text()))

    return share


def run_readme(folder: Path) -> Project:
    """Do what the README says: bake, `make setup`, commit, `make pipeline`; on three months of flights."""
    (folder / "with a space").mkdir()
    project = bake_into(folder / "with a space")
    project.run("make", "setup")
    project.commit("As generated")
    project.edit("params.yaml", SAMPLE)
    result = project.run("make", "pipeline")
    (project.path / ".local" / "pipeline.log").write_text(result.stdout)
    project.stop()
    project.commit("Three months")
    copy_project(project, folder / "untouched")
    return project


def add_weaker_model(original: Project, folder: Path) -> Project:
    """Commit a weaker model on top, by the commands that a user types; the subject is hard to carry."""
    project = copy_project(original, folder)
    project.edit("params.yaml", boosting(6))
    result = project.run("make", "pipeline")
    (project.path / ".local" / "second.log").write_text(result.stdout)
    project.stop()
    project.commit("Fewer <b>trees</b> & `less` $x$ | {y}")
    return project


@pytest.fixture(scope="session")
def finished(shared) -> Project:
    """The default project as the README makes it, really installed, its pipeline run on three months."""
    return shared("finished", run_readme)


@pytest.fixture(scope="session")
def untouched(finished) -> Project:
    """A copy of it that nobody uses, to make more copies from."""
    return Project(finished.path.parents[1] / "untouched" / finished.path.name)


@pytest.fixture(scope="session")
def with_weaker_model(shared, untouched) -> Project:
    """A copy with a second commit, of a weaker model; nobody uses it either."""
    return shared("weaker", lambda folder: add_weaker_model(untouched, folder))


def lend(project: Project) -> Iterator[Project]:
    """Let a test use a project; put it back when the test is over. MLflow remembers what was done."""
    commit = project.run("git", "rev-parse", "HEAD").stdout.strip()
    yield project
    project.run("git", "checkout", "--quiet", "--force", "main")
    put_back(project, commit)


@pytest.fixture(scope="session")
def sample(untouched, tmp_path_factory) -> Iterator[Project]:
    """A copy of the finished project for this worker, in the shared environment. Tests do not change it."""
    project = copy_project(untouched, tmp_path_factory.mktemp("sample"))
    yield project
    project.stop()


@pytest.fixture(scope="session")
def _second(with_weaker_model, tmp_path_factory) -> Iterator[Project]:
    project = copy_project(with_weaker_model, tmp_path_factory.mktemp("second"))
    yield project
    project.stop()


@pytest.fixture
def project(sample) -> Iterator[Project]:
    """The sample, for a test that changes it."""
    yield from lend(sample)


@pytest.fixture
def second(_second) -> Iterator[Project]:
    """The project of two commits, the second with a weaker model, for a test that changes it."""
    yield from lend(_second)


@pytest.fixture
def own_copy(untouched, tmp_path) -> Iterator[Project]:
    """A copy of the finished project for one test: it may leave anything in it."""
    project = copy_project(untouched, tmp_path)
    yield project
    project.stop()


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> Project:
    """The default project in the shared environment, committed; nothing has run. Tests leave it as they found it."""
    project = bake_ready(tmp_path_factory.mktemp("generated"))
    yield project
    project.stop()


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server, really started."""
    tools = find_program("initdb", "postgresql").resolve().parent
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = Postgres(tools, Path(folder), free_port())
        if Path(folder).owner() == "root":
            shutil.chown(folder, "postgres")
        Path(folder, "password").write_text("s3cret")
        Path(folder, "password").chmod(0o644)
        access = ["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile=password", "--username=tester"]
        server.run("initdb", "--pgdata=data", *access, "--encoding=UTF8", "--no-sync")
        server.start()
        yield server
        server.stop()
