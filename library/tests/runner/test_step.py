"""A step from end to end, with real DVC, papermill and MLflow, in the sample project."""

import json

import mlflow
import pytest
from collector import Collector
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from stagebook.cli.main import main
from stagebook.scaffold.wiring import check_wiring

pytestmark = pytest.mark.slow
STEPS = ["count", "double", "tabulate"]


def typed(event):
    """Return an OpenLineage event through the library's own model, which checks what it is given."""
    event = dict(event)
    event |= {"run": Run(**event["run"]), "job": Job(**event["job"]), "eventType": RunState(event["eventType"])}
    event["inputs"] = [InputDataset(**dataset) for dataset in event["inputs"]]
    event["outputs"] = [OutputDataset(**dataset) for dataset in event["outputs"]]
    assert event.pop("schemaURL").endswith("OpenLineage.json#/$defs/RunEvent")
    return RunEvent(**event)


def runs(project):
    mlflow.set_tracking_uri(f"sqlite:///{project.folder}/.local/mlflow.db")
    return mlflow.search_runs(experiment_names=["sample"], output_format="list")


@pytest.fixture(scope="module")
def collector():
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def project(sample, collector):
    """The sample project after its first run, which told OpenLineage of it."""
    result = sample.repro(OPENLINEAGE_URL=collector.url)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "No warm process" not in result.stderr and "WARNING" not in result.stderr
    sample.first_events = [typed(event) for event in collector.events()]
    return sample


def test_the_sample_project_is_wired_as_a_real_one(project):
    check_wiring(project.folder)


def test_each_step_is_a_run_below_one_run_of_the_pipeline(project):
    found = {run.info.run_name: run for run in runs(project)}
    assert set(found) == {*STEPS, "pipeline"}
    for step in STEPS:
        assert found[step].data.tags["mlflow.parentRunId"] == found["pipeline"].info.run_id
        assert found[step].data.tags["mlflow.source.name"].startswith("notebooks/")
        assert found[step].data.tags["mlflow.source.git.commit"] == "none"  # there is no commit yet
        assert found[step].info.status == "FINISHED"
        artifacts = mlflow.MlflowClient().list_artifacts(found[step].info.run_id, "report")
        assert [file.path.split(".")[-1] for file in artifacts] == ["html", "ipynb"]
    assert found["count"].data.params == {"up_to": "3"}
    metrics = found["count"].data.metrics
    assert {name: metrics[name] for name in metrics if not name.startswith("system/")} == {
        "letters": 3,
        "own_metric": 7,
    }
    assert found["pipeline"].data.params == {"count.up_to": "3", "tabulate.column": "letters"}
    assert found["pipeline"].data.metrics == {"letters": 3}


def test_each_step_tells_openlineage_what_it_read_and_wrote(project):
    ids = {run.info.run_name: run.info.run_id for run in runs(project)}
    states, versions, columns = [], {}, {}
    for event in project.first_events:
        states.append((event.job.namespace, event.job.name, event.eventType.value))
        facets = event.run.facets
        assert facets["mlflow_run"]["run_id"] == ids[event.job.name] == event.run.runId.replace("-", "")
        assert facets["parent"]["run"]["runId"].replace("-", "") == ids["pipeline"]
        for did, datasets in (("read", event.inputs), ("wrote", event.outputs)):
            for dataset in datasets:
                versions[event.job.name, did, dataset.name] = dataset.facets["version"]["datasetVersion"]
                if "schema" in dataset.facets:
                    columns[dataset.name] = [field["name"] for field in dataset.facets["schema"]["fields"]]
    assert states == [("sample", step, state) for step in STEPS for state in ("START", "COMPLETE")]
    assert versions["count", "wrote", "data/counted.txt"] == versions["double", "read", "data/counted.txt"]
    assert columns == {"data/letters.parquet": ["file", "letters"]}
    for (_, did, path), md5 in versions.items():
        assert did == "read" or f"path: {path}\n      hash: md5\n      md5: {md5}" in project.read("dvc.lock")


def test_without_a_url_no_event_is_sent_or_missed(project, collector):
    before = collector.events()
    result = project.repro("--force", "--single-item", "count")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "OpenLineage" not in result.stdout + result.stderr
    assert collector.events() == before
    assert not list(project.folder.rglob("lineage.jsonl"))


def test_a_dead_openlineage_server_is_one_line_of_warning(project, collector):
    before = collector.events()
    result = project.repro("--force", "--single-item", "count", OPENLINEAGE_URL="http://127.0.0.1:9")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr.count("WARNING: no OpenLineage events of count: ") == 1
    assert "Traceback" not in result.stderr
    assert collector.events() == before


def test_what_a_step_costs_is_on_its_run(project):
    for run in runs(project):
        if run.info.run_name != "pipeline":
            cost = {name: value for name, value in run.data.metrics.items() if name.startswith("system/")}
            assert 30 < cost["system/peak_memory_megabytes"] < 2000
            assert 0.01 < cost["system/cpu_seconds"] < 60
            assert 0 < cost["system/cells_seconds"] < cost["system/wall_seconds"]
            parts = cost["system/cells_seconds"] + cost["system/overhead_seconds"]
            assert parts == pytest.approx(cost["system/wall_seconds"])


def test_data_leads_to_its_runs_and_runs_to_their_data(project, monkeypatch, capsys):
    [md5] = [
        line.split()[-1]
        for line in project.read("dvc.lock").split("- path: data/counted.txt")[1].splitlines()
        if "md5:" in line
    ][:1]
    answer = project.stagebook("find-run", "data/counted.txt")
    assert answer.returncode == 0, answer.stderr
    monkeypatch.chdir(project.folder)
    assert main(["find-run", md5]) == 0
    for said in (answer.stdout, capsys.readouterr().out):
        assert f"md5 {md5}" in said
        assert "wrote data/counted.txt  count FINISHED" in said
        assert "read  data/counted.txt  double FINISHED" in said


def test_second_run_does_nothing_and_a_forced_one_changes_nothing(project):
    before = project.read("dvc.lock")
    assert "Data and pipelines are up to date." in project.repro().stdout
    forced = project.repro("--force")
    assert forced.returncode == 0, forced.stdout + forced.stderr
    assert project.read("dvc.lock") == before


def test_a_kernel_gives_the_same(project):
    before = project.read("dvc.lock")
    forced = project.repro("--force", "--single-item", "count", "tabulate", NOTEBOOK_ENGINE="kernel")
    assert forced.returncode == 0, forced.stdout + forced.stderr
    assert project.read("dvc.lock") == before


def test_failing_cell_is_named_and_the_last_good_outputs_stay(project, collector):
    good = {path: project.read(path) for path in ("data/counted.txt", "reports/10_count.ipynb", "dvc.lock")}
    project.set("up_to: 12")
    result = project.repro(OPENLINEAGE_URL=collector.url)
    assert result.returncode != 0
    assert "10_count.ipynb, cell 4 of 4 (work)" in result.stderr
    assert "`assert up_to < 10" in result.stderr  # the line that failed, not the last one
    assert "AssertionError: cannot count to 12" in result.stderr
    assert "Traceback" not in result.stderr
    assert "cannot count to 12" in project.read("reports/10_count.failed.ipynb")
    assert (project.folder / "reports" / "10_count.failed.html").is_file()
    assert {path: project.read(path) for path in good} == good
    newest = runs(project)[0]
    assert (newest.info.run_name, newest.info.status) in {("count", "FAILED"), ("pipeline", "FAILED")}
    assert [event["eventType"] for event in collector.events()[-2:]] == ["START", "FAIL"]


def test_wrong_parameter_stops_before_anything_runs(project):
    before = len(runs(project))
    project.set("up_too: 3")
    result = project.repro()
    assert result.returncode != 0
    assert "did you mean `up_to`?" in result.stderr
    assert "`count.up_to` is missing" in result.stderr
    assert project.read("data/counted.txt") == "xxx"
    assert len(runs(project)) == before


def test_output_that_the_notebook_forgets_is_named(project):
    dvc_yaml = project.folder / "dvc.yaml"
    text = dvc_yaml.read_text()
    project.set("up_to: 3")
    dvc_yaml.write_text(text.replace("outs:\n", "outs:\n      - data/forgotten.txt\n", 1))
    result = project.repro("--force", "--single-item", "count")
    dvc_yaml.write_text(text)
    assert result.returncode != 0
    assert "10_count.ipynb did not write data/forgotten.txt" in result.stderr
    assert project.read("data/counted.txt") == "xxx"


def test_mended_step_goes_on_and_clears_the_failure(project):
    project.set("up_to: 4")
    result = project.repro()
    assert result.returncode == 0, result.stdout + result.stderr
    assert project.read("data/doubled.txt") == "x" * 8
    assert json.loads(project.read("reports/count.json")) == {"letters": 4}
    assert not list((project.folder / "reports").glob("*.failed.*"))
    assert not list(project.folder.rglob(".partial-*"))
