"""What the README promises, in a project really installed: `make setup`, `make pipeline`, `make check`, `make test`."""

import json
import re

import nbformat
import pytest
from baked import STEPS, output_files, steps_run

pytestmark = pytest.mark.slow


def test_pipeline_ends_with_figures_and_where_to_look(finished):
    log = finished.read(".local/pipeline.log")
    assert steps_run(log) == STEPS
    assert "stale" not in log
    tail = log[log.index("Hold-out:") :]
    for words in ("roc_auc", "trivial", "baseline", "candidate", "reports/60_evaluate.html", "make ui"):
        assert words in tail
    metrics = finished.load("reports/metrics.json")
    assert 0.5 == metrics["trivial"]["roc_auc"] < metrics["baseline"]["roc_auc"] < metrics["candidate"]["roc_auc"]
    assert f"{metrics['candidate']['roc_auc']:.4f}" in tail
    assert "flight-delays version 1 is champion" in tail


def test_everything_a_step_writes_is_tracked_and_nothing_else_appears(finished):
    assert finished.run("git", "status", "--porcelain").stdout == ""
    ignored = {"data", "models", "reports"}
    there = {file for file in finished.files() if file.split("/")[0] in ignored and not file.endswith(".gitkeep")}
    by_git = {"data/README.md", "data/schema.yaml"}
    by_this_machine = {"data/raw/log.jsonl", "reports/timings.json", "reports/benchmark.csv"}
    assert there - by_git - by_this_machine == output_files(finished)


def test_reports_show_plots_and_no_noise(finished):
    for notebook in (finished.path / "reports").glob("*.ipynb"):
        executed = nbformat.read(notebook, as_version=4)
        outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output.get("name") == "stderr"], notebook.name
        assert str(finished.path) not in notebook.read_text()
        if notebook.stem != "70_register":
            assert any("image/png" in output.get("data", {}) for output in outputs), notebook.name
        page = notebook.with_suffix(".html").read_text()
        assert not re.findall(r'<script[^>]+src="http|<link[^>]+href="http', page), notebook.name


def test_it_passes_its_own_checks_and_tests(finished):
    """With the library in vendor/, from an environment that has nothing but what the project asks for."""
    where = finished.run("python", "-c", "import stagebook; print(stagebook.__file__)").stdout
    assert where.strip() == str(finished.path / "vendor" / "stagebook" / "stagebook" / "__init__.py")
    finished.run("make", "check")
    assert re.search(r"\d+ passed", finished.run("make", "test").stdout)
    assert finished.run("git", "status", "--porcelain").stdout == ""
    assert "dvc.lock" in json.dumps(sorted(finished.run("git", "ls-files").stdout.split()))
