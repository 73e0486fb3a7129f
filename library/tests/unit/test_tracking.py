"""The embedded MLflow store comes whole or not at all; a server's experiment may be made by another clone."""

import os
import resource
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
import sqlalchemy as sa
from samples import write_project
from stagebook.project.errors import StepError
from stagebook.track.processes import Caller
from stagebook.track.runs import log_cost
from stagebook.track.tracking import connect_mlflow


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in which nothing has run."""
    monkeypatch.chdir(write_project(tmp_path))
    return tmp_path


def in_child(work):
    """Run `work` in a fork of this process; return its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = work() or 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at(words):
    """Kill this process when SQL with these words is about to be executed."""

    def look(connection, cursor, statement, *_):
        if words in statement:
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.Engine, "before_cursor_execute", look)


@pytest.mark.parametrize("words", ["CREATE TABLE experiments", "INSERT INTO _alembic_tmp_experiments"])
def test_killed_while_the_database_is_made_the_next_step_makes_it(project, words):
    assert in_child(lambda: die_at(words) or connect_mlflow()) == -signal.SIGKILL
    assert not (project / ".local" / "mlflow.db").exists()
    assert connect_mlflow()
    assert [file.name for file in (project / ".local").glob("*mlflow.db*")] == ["mlflow.db"]


def test_a_full_disk_is_an_error_and_leaves_no_half_database(project):
    def connect():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        with pytest.raises(StepError, match=r"\.local/mlflow\.db cannot be made"):
            connect_mlflow()

    assert in_child(connect) == 0
    assert not (project / ".local" / "mlflow.db").exists()
    assert connect_mlflow()


def test_a_database_that_mlflow_cannot_open_is_named_with_the_fix(project):
    (project / ".local").mkdir()
    (project / ".local" / "mlflow.db").write_text("not a database, but long enough to be taken for one" * 9)
    with pytest.raises(StepError, match=r"\.local/mlflow\.db cannot be used: .*\nMove it away"):
        connect_mlflow()


def run_and_register():
    """What a step and the registry leave: a run with a file, a version with its files there, one with them elsewhere."""
    connect_mlflow()
    with mlflow.start_run() as run:
        mlflow.log_text("kept", "a.txt")
    client = mlflow.MlflowClient()
    client.create_registered_model("m")
    for source in (f"{run.info.artifact_uri}/a.txt", "s3://elsewhere/.local/mlruns"):
        client.create_model_version("m", source, run.info.run_id)


def test_a_database_that_another_program_has_locked_is_not_to_be_moved(project):
    assert in_child(run_and_register) == 0
    with closing(sqlite3.connect(project / ".local" / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            StepError, match=r"mlflow\.db cannot be used: .*database is locked\nAnother program"
        ) as caught:
            connect_mlflow()
    assert "Move it away" not in str(caught.value)


@pytest.mark.parametrize("place", ["", ".local"])
def test_a_folder_that_cannot_be_written_is_named_at_once(project, monkeypatch, place):
    (project / ".local").mkdir()
    (project / ".dvc" / "tmp").mkdir(parents=True, exist_ok=True)
    if not place:
        (project / ".local").rmdir()
    refused = {project / place / name for name in (".local", ".partial-mlflow.db")}

    def refuse(original):
        def call(path, *words, **more):
            if path in refused:
                raise PermissionError(13, "Permission denied", str(path))
            return original(path, *words, **more)

        return call

    for name in ("mkdir", "touch"):
        monkeypatch.setattr(Path, name, refuse(getattr(Path, name)))
    began = time.monotonic()
    with pytest.raises(StepError, match=r"\.local.* cannot be made: .*Permission denied"):
        connect_mlflow()
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_runs_and_models_of_a_moved_project_are_in_its_new_place(project, tmp_path_factory, monkeypatch, how):
    assert in_child(run_and_register) == 0
    new = tmp_path_factory.mktemp("other") / "it's 100 % new_"
    how(project, new)
    monkeypatch.chdir(new)
    experiment, client = connect_mlflow(), mlflow.MlflowClient()
    place = (new / ".local" / "mlruns").as_uri()
    [run] = client.search_runs([experiment])
    assert run.info.artifact_uri == f"{place}/{run.info.run_id}/artifacts"
    assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a.txt") == "kept"
    sources = [client.get_model_version("m", version).source for version in ("1", "2")]
    assert sources == [f"{run.info.artifact_uri}/a.txt", "s3://elsewhere/.local/mlruns"]
    with mlflow.start_run():
        assert mlflow.get_artifact_uri().startswith(f"{place}/")


def test_two_clones_make_the_experiment_of_one_server_at_once(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/server.db")
    create = mlflow.create_experiment
    monkeypatch.setattr(mlflow, "create_experiment", lambda *a, **k: (create(*a, **k), create(*a, **k)))
    assert connect_mlflow() == mlflow.get_experiment_by_name("tiny").experiment_id


def test_a_clock_that_is_set_back_gives_no_negative_seconds(project, monkeypatch):
    connect_mlflow()
    with mlflow.start_run() as run, monkeypatch.context() as patch:
        caller = Caller(os.getpid(), time.monotonic() - 5)
        patch.setattr(time, "time", lambda: 1000.0)
        assert log_cost(run.info.run_id, 1.0, caller).startswith("5.")
    metrics = mlflow.get_run(run.info.run_id).data.metrics
    assert 5 <= metrics["system/wall_seconds"] < 60
    assert metrics["system/overhead_seconds"] == pytest.approx(metrics["system/wall_seconds"] - 1)
