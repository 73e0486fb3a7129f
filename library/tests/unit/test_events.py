"""OpenLineage events: each step's go whole to the server that OPENLINEAGE_URL names, and never stop a step."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import uuid4

import mlflow
import pandas as pd
import pytest
from collector import Collector
from samples import write_project
from stagebook.track import lineage
from stagebook.track.data_file import DataFile
from stagebook.track.events import StepEvents


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose runs all have one parent; MLflow itself is not asked."""
    tags = {"mlflow.parentRunId": uuid4().hex}
    run = SimpleNamespace(data=SimpleNamespace(tags=tags))
    monkeypatch.setattr(mlflow, "MlflowClient", lambda: SimpleNamespace(get_run=lambda _: run, log_inputs=list))
    monkeypatch.setattr(lineage, "_log_data", lambda *_: None)
    return write_project(tmp_path)


@pytest.fixture
def collector(monkeypatch):
    with Collector() as collector:
        monkeypatch.setenv("OPENLINEAGE_URL", collector.url)
        yield collector


def record(project, step="train", writes=(), fails=None):
    with lineage.record_data(project, step, uuid4().hex, [], lambda: list(writes)):
        if fails:
            raise fails


def test_steps_at_once_send_whole_events(project, collector):
    def emit(step):
        writes = [DataFile(f"data/{'x' * 100}/{number}", "0" * 32) for number in range(500)]
        for _ in range(10):
            StepEvents(project, step, uuid4().hex, []).emit("COMPLETE", writes)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(emit, ["one", "two", "three"]))
    names = sorted(event["job"]["name"] for event in collector.events())
    assert names == ["one"] * 10 + ["three"] * 10 + ["two"] * 10
    assert {len(event["outputs"]) for event in collector.events()} == {500}


def test_columns_of_a_parquet_file_are_told(project, collector):
    (project / "data").mkdir()
    pd.DataFrame({"a": [1], "b": ["x"]}).to_parquet(project / "data" / "t.parquet")
    record(project, writes=[DataFile("data/t.parquet", "0" * 32)])
    [dataset] = collector.events()[-1]["outputs"]
    assert [field["name"] for field in dataset["facets"]["schema"]["fields"]] == ["a", "b"]


@pytest.mark.parametrize(("error", "state"), [(ValueError(), "FAIL"), (KeyboardInterrupt(), "ABORT")])
def test_a_step_that_ends_early_is_told_too(project, collector, error, state):
    with pytest.raises(type(error)):
        record(project, fails=error)
    assert [event["eventType"] for event in collector.events()] == ["START", state]


def test_without_a_url_nothing_is_sent_or_said(project, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "stagebook.track.events", None)  # an import of it would fail
    record(project)
    assert capsys.readouterr().err == ""


def test_without_the_extra_there_is_one_line_of_warning(project, monkeypatch, capsys):
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "openlineage.client", None)
    monkeypatch.delitem(sys.modules, "stagebook.track.events", raising=False)
    record(project)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("WARNING: no OpenLineage events of train: ")
    assert line.endswith("Install stagebook[openlineage].")


def test_a_server_that_is_not_there_is_one_line_of_warning(project, monkeypatch, capsys):
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    record(project, step="count")
    assert capsys.readouterr().err.count("WARNING: no OpenLineage events of count: ") == 1


def test_events_can_be_turned_off(project, collector, monkeypatch):
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    record(project)
    assert collector.events() == []
