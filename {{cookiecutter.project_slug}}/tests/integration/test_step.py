"""A step from end to end, with real DVC, papermill and MLflow, in a project of one notebook."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import mlflow
import nbformat
import pytest

from {{ cookiecutter.package_name }}.pipeline import run as runner

PACKAGE = runner.__name__.split(".")[0]
DVC_YAML = f"""
stages:
  count:
    cmd: python -m {PACKAGE}.pipeline run notebooks/10_count.ipynb
    deps: [notebooks/10_count.ipynb]
    params: [count]
    outs: [data/counted.txt, reports/10_count.ipynb, reports/10_count.html]
    metrics: [reports/count.json]
  double:
    cmd: python -m {PACKAGE}.pipeline run notebooks/20_double.ipynb
    deps: [notebooks/20_double.ipynb, data/counted.txt]
    outs: [data/doubled.txt, reports/20_double.ipynb, reports/20_double.html]
"""
COUNT = """
from pathlib import Path
import json, mlflow
Path("../data/counted.txt").write_text("x" * up_to)
Path("../reports/count.json").write_text(json.dumps({"letters": up_to}))
mlflow.log_metric("own_metric", 7)
print("counted", up_to, object())
assert up_to < 10, f"cannot count to {up_to}"
print("done")
"""
DOUBLE = 'from pathlib import Path\nPath("../data/doubled.txt").write_text(Path("../data/counted.txt").read_text() * 2)'


def write_notebook(path, parameters, source):
    cells = [
        nbformat.v4.new_markdown_cell(f"# {path.stem}", id="title"),
        nbformat.v4.new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(source.strip(), id="work"),
    ]
    metadata = {"kernelspec": {"name": "stale", "display_name": "a kernel that is not here"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)


class Project:
    """A project of two steps."""

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment
        for name in (".dvc", "notebooks", "data", "reports"):
            (folder / name).mkdir()
        (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
        (folder / ".gitignore").write_text("/data\n/reports\n/mlflow.db\n/mlruns\n/.dvc/tmp\n/.dvc/cache\n")
        (folder / "dvc.yaml").write_text(DVC_YAML)
        self.set("up_to: 3")
        write_notebook(folder / "notebooks" / "10_count.ipynb", "up_to = 1", COUNT)
        write_notebook(folder / "notebooks" / "20_double.ipynb", "", DOUBLE)
        self.call("git", "init", "--quiet")

    def call(self, *words):
        return subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)

    def repro(self, *options):
        return self.call(sys.executable, "-m", "dvc", "repro", *options)

    def set(self, line):
        (self.folder / "params.yaml").write_text(f"count:\n  {line}\n")

    def read(self, path):
        return (self.folder / path).read_text()

    def runs(self):
        mlflow.set_tracking_uri(f"sqlite:///{self.folder}/mlflow.db")
        return mlflow.search_runs(experiment_names=["counting"], output_format="list")


@pytest.fixture(scope="module")
def project(root, tmp_path_factory):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_", "NOTEBOOK_"))}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    preload = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["warm-process"]["preload"]
    project = Project(tmp_path_factory.mktemp("counting project"), environment)
    (project.folder / "pyproject.toml").write_text(
        f"[project]\nname = 'counting'\n[tool.warm-process]\npreload = {preload}"
    )
    result = project.repro()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "No warm process" not in result.stderr
    yield project
    project.call(sys.executable, "-m", f"{PACKAGE}.pipeline", "stop")


def test_each_step_is_a_run_below_one_run_of_the_pipeline(project):
    runs = {run.info.run_name: run for run in project.runs()}
    assert set(runs) == {"count", "double", "pipeline"}
    for step in ("count", "double"):
        assert runs[step].data.tags["mlflow.parentRunId"] == runs["pipeline"].info.run_id
        assert runs[step].data.tags["mlflow.source.name"].startswith("notebooks/")
        assert runs[step].data.tags["mlflow.source.git.commit"] == "none"  # there is no commit yet
        assert runs[step].info.status == "FINISHED"
        artifacts = mlflow.MlflowClient().list_artifacts(runs[step].info.run_id, "report")
        assert [file.path.split(".")[-1] for file in artifacts] == ["html", "ipynb"]
    assert runs["count"].data.params == {"up_to": "3"}
    metrics = runs["count"].data.metrics
    assert {name: metrics[name] for name in metrics if not name.startswith("system/")} == {
        "letters": 3,
        "own_metric": 7,
    }
    assert runs["pipeline"].data.params == {"count.up_to": "3"}
    assert runs["pipeline"].data.metrics == {"letters": 3}


def test_what_a_step_costs_is_on_its_run(project):
    for run in project.runs():
        if run.info.run_name != "pipeline":
            cost = {name: value for name, value in run.data.metrics.items() if name.startswith("system/")}
            assert 30 < cost["system/peak_memory_megabytes"] < 2000
            assert 0.01 < cost["system/cpu_seconds"] < 60
            assert 0 < cost["system/cells_seconds"] < cost["system/wall_seconds"]
            parts = cost["system/cells_seconds"] + cost["system/overhead_seconds"]
            assert parts == pytest.approx(cost["system/wall_seconds"])


def test_data_leads_to_its_runs_and_runs_to_their_data(project):
    [md5] = [
        line.split()[-1]
        for line in project.read("dvc.lock").split("- path: data/counted.txt")[1].splitlines()
        if "md5:" in line
    ][:1]
    for question in ("data/counted.txt", md5):
        answer = project.call(sys.executable, "-m", f"{PACKAGE}.pipeline", "find-run", question)
        assert answer.returncode == 0, answer.stderr
        assert f"md5 {md5}" in answer.stdout
        assert "wrote data/counted.txt  count FINISHED" in answer.stdout
        assert "read  data/counted.txt  double FINISHED" in answer.stdout


def test_second_run_does_nothing_and_a_forced_one_changes_nothing(project):
    before = project.read("dvc.lock")
    assert "Data and pipelines are up to date." in project.repro().stdout
    forced = project.repro("--force")
    assert forced.returncode == 0, forced.stdout + forced.stderr
    assert project.read("dvc.lock") == before


def test_a_kernel_gives_the_same(project):
    before = project.read("dvc.lock")
    project.environment["NOTEBOOK_ENGINE"] = "kernel"
    forced = project.repro("--force")
    del project.environment["NOTEBOOK_ENGINE"]
    assert forced.returncode == 0, forced.stdout + forced.stderr
    assert project.read("dvc.lock") == before


def test_failing_cell_is_named_and_the_last_good_outputs_stay(project):
    good = {path: project.read(path) for path in ("data/counted.txt", "reports/10_count.ipynb", "dvc.lock")}
    project.set("up_to: 12")
    result = project.repro()
    assert result.returncode != 0
    assert "10_count.ipynb, cell 3 of 3 (work)" in result.stderr
    assert "`assert up_to < 10" in result.stderr  # the line that failed, not the last one
    assert "AssertionError: cannot count to 12" in result.stderr
    assert "Traceback" not in result.stderr
    assert "cannot count to 12" in project.read("reports/10_count.failed.ipynb")
    assert (project.folder / "reports" / "10_count.failed.html").is_file()
    assert {path: project.read(path) for path in good} == good
    newest = project.runs()[0]
    assert (newest.info.run_name, newest.info.status) in {("count", "FAILED"), ("pipeline", "FAILED")}


def test_wrong_parameter_stops_before_anything_runs(project):
    before = len(project.runs())
    project.set("up_too: 3")
    result = project.repro()
    assert result.returncode != 0
    assert "did you mean `up_to`?" in result.stderr
    assert "`count.up_to` is missing" in result.stderr
    assert project.read("data/counted.txt") == "xxx"
    assert len(project.runs()) == before


def test_output_that_the_notebook_forgets_is_named(project):
    dvc_yaml = project.folder / "dvc.yaml"
    text = dvc_yaml.read_text()
    project.set("up_to: 3")
    dvc_yaml.write_text(text.replace("outs: [data/counted.txt,", "outs: [data/counted.txt, data/forgotten.txt,"))
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
