"""The pipeline of a generated project, on three months of real flights, with DVC, papermill and MLflow as they are."""

import json
import re

import nbformat
import pytest
from conftest import NOTHING_TO_DO, Project, boosting, hashes, output_files, steps_run, tracked

pytestmark = pytest.mark.slow

STEPS = ["ingest", "validate", "clean", "features", "train", "evaluate", "inspect", "backtest", "register"]


def test_pipeline_ends_with_figures_and_where_to_look(sample):
    log = sample.read(".venv/pipeline.log")
    assert steps_run(log) == STEPS
    tail = log[log.index("Hold-out:") :]
    for words in ("roc_auc", "trivial", "baseline", "candidate", "reports/60_evaluate.html", "make ui"):
        assert words in tail
    metrics = json.loads(sample.read("reports/metrics.json"))
    assert 0.5 == metrics["trivial"]["roc_auc"] < metrics["baseline"]["roc_auc"] < metrics["candidate"]["roc_auc"]
    assert f"{metrics['candidate']['roc_auc']:.4f}" in tail


def test_everything_a_step_writes_is_tracked_and_nothing_else_appears(sample):
    assert sample.run("git", "status", "--porcelain").stdout == ""
    ignored = {"data", "models", "reports"}
    there = {file for file in sample.files() if file.split("/")[0] in ignored and not file.endswith(".gitkeep")}
    by_git = {"data/README.md", "data/schema.yaml"}
    by_this_machine = {"data/raw/log.jsonl", "reports/timings.json", "reports/benchmark.csv"}
    assert there - by_git - by_this_machine == output_files(sample)


def test_second_repro_does_nothing_and_a_forced_one_changes_no_byte(project):
    before = project.read("dvc.lock")
    assert NOTHING_TO_DO in project.run("dvc", "repro").stdout
    assert steps_run(project.run("dvc", "repro", "--force").stdout) == STEPS
    assert project.read("dvc.lock") == before


def test_reports_show_pictures_and_no_noise(project):
    for notebook in (project.path / "reports").glob("*.ipynb"):
        executed = nbformat.read(notebook, as_version=4)
        outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output.get("name") == "stderr"], notebook.name
        assert str(project.path) not in notebook.read_text()
        if notebook.stem != "70_register":
            assert any("image/png" in output.get("data", {}) for output in outputs), notebook.name
        page = notebook.with_suffix(".html").read_text()
        assert not re.findall(r'<script[^>]+src="http|<link[^>]+href="http', page), notebook.name


def test_changed_parameter_runs_only_what_depends_on_it_and_dvc_shows_it(project):
    project.edit("params.yaml", {"max_iter: 300": "max_iter: 20"})
    assert "max_iter" in project.run("dvc", "params", "diff").stdout
    assert steps_run(project.run("dvc", "repro").stdout) == STEPS[STEPS.index("train") :]
    assert "candidate.roc_auc" in project.run("dvc", "metrics", "diff").stdout
    assert "candidate.roc_auc" in project.run("dvc", "metrics", "show").stdout
    assert "| train" in project.run("dvc", "dag").stdout.replace("*", "|")
    project.run("dvc", "plots", "diff", "--out", "build/plots")
    page = project.read("build/plots/index.html")
    assert "false_positive_rate" in page
    assert "candidate" in page
    pictures = {
        file.relative_to(project.path).as_posix().replace("/", "_")
        for folder in ("evaluation", "inspection", "backtest")
        for file in (project.path / "reports" / folder).glob("*.png")
    }
    shown = {file.name for file in (project.path / "build" / "plots" / "static").glob("*.png")}
    assert shown == {f"{side}_{picture}" for side in ("HEAD", "workspace") for picture in pictures}
    assert len(pictures) >= 9


def test_experiment_in_a_copy_is_tracked_with_the_project(project):
    setting = "train.hist_gradient_boosting.max_iter=25"
    project.run("dvc", "exp", "run", "--temp", "--set-param", setting, "--name", "few-trees")
    assert "few-trees" in project.run("dvc", "exp", "show", "--csv").stdout
    code = (
        "runs = mlflow.search_runs(filter_string=\"tags.`dvc.experiment` = 'few-trees'\");"
        "print(*runs['params.hist_gradient_boosting.max_iter'].dropna())"
    )
    assert tracked(project, code).split() == ["25"], "the experiment's run went elsewhere"
    project.run("dvc", "exp", "remove", "few-trees")


def test_days_counted_back_and_labels_by_rule_are_a_matter_of_parameters(project):
    changes = {'"2013-02-15"': "-45 days", '"2013-03-10"': "-22 days", "label_diverted: false": "label_diverted: true"}
    project.edit("params.yaml", changes)
    project.run("dvc", "repro", "features")
    report = json.loads(project.read("reports/cleaning.json"))
    assert report["labels"]["by_rule"]["used"] > 0
    assert report["dropped"]["diverted"] > 0, "those of validation and hold-out stay out"
    project.run("pytest", "--quiet", "tests/data_validation")


def test_another_season_is_recorded_as_value_skew_and_stops_nothing(project):
    assert json.loads(project.read("reports/validation.json"))["value_skew"] is False
    project.edit("params.yaml", {"months: [1, 2, 3]": "months: [1, 2, 3, 7]"})
    project.run("dvc", "repro", "validate")
    verdict = json.loads(project.read("reports/validation.json"))
    assert verdict["value_skew"] is True
    found = {(finding["table"], finding["column"], finding["family"]) for finding in verdict["findings"]}
    assert {("weather", "temp", "distribution"), ("weather", "temp", "out_of_distribution")} <= found
    assert "Value skew: " in project.run("python", "-m", "flight_delays.pipeline", "summary").stdout


def test_edited_notebook_is_exported_before_it_is_used(project):
    project.edit("notebooks/40_features.ipynb", {'LABEL = \\"late\\"': 'LABEL = \\"late\\"  # the outcome'})
    output = project.run("make", "pipeline").stdout
    assert "# the outcome" in project.read("code/flight_delays/features/build.py")
    assert steps_run(output)[0] == "features"


def test_pushed_data_comes_back_in_a_fresh_clone(project, tmp_path):
    project.run("dvc", "push")
    clone = Project(project.path.parent / "clone")
    project.run("git", "clone", "--quiet", str(project.path), str(clone.path))
    (clone.path / ".venv").symlink_to(project.path / ".venv")
    clone.run("dvc", "pull")
    for path in output_files(project):
        assert (clone.path / path).read_bytes() == (project.path / path).read_bytes(), path
    assert NOTHING_TO_DO in clone.run("dvc", "repro").stdout


def test_going_back_to_an_earlier_commit_brings_its_data(project):
    before = hashes(project)
    project.edit("params.yaml", boosting(10))
    project.run("dvc", "repro")
    project.commit("Ten trees")
    assert hashes(project)["models/candidate"] != before["models/candidate"]
    project.run("git", "reset", "--hard", "--quiet", "HEAD~1")
    project.run("dvc", "checkout")
    assert hashes(project) == before
    assert NOTHING_TO_DO in project.run("dvc", "repro").stdout


def test_stock_papermill_runs_a_step(project, tmp_path):
    out = tmp_path / "out.ipynb"
    before = (project.path / "models" / "candidate" / "model.onnx").read_bytes()
    (project.path / "models" / "candidate" / "model.onnx").unlink()
    project.run("papermill", "notebooks/50_train.ipynb", str(out), "-k", "python3", "--cwd", "notebooks")
    assert (project.path / "models" / "candidate" / "model.onnx").read_bytes() == before
    assert "has the lowest loss" in out.read_text()


def test_every_notebook_runs_top_to_bottom_with_its_defaults(project):
    for notebook in sorted((project.path / "notebooks").glob("*.ipynb")):
        project.run("jupyter", "execute", "--kernel_name=python3", str(notebook))
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert not (project.path / "notebooks" / "mlflow.db").exists()
    assert json.loads(project.read("data/raw/source.json"))["tables"]["flights"]["rows"] == 336776
    assert json.loads(project.read("reports/cleaning.json"))["dropped"] == {
        "expired": 0,
        "cancelled": 8255,
        "diverted": 1175,
    }
