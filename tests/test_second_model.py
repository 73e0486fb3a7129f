"""A second commit with a weaker model: what changed is shown and compared; it is refused, promoted, taken back, undone."""

import os
import re
import shutil
import signal
import socket
import urllib.request

import pytest
from baked import NOTHING_TO_DO, STEPS, Project, hashes, output_files, script, steps_run, tracked, wait_for
from model_registry import aliases, check_life, check_served_rows
from servers import free_port

pytestmark = pytest.mark.slow
NAME = "flight-delays"


def test_changed_parameter_runs_only_what_depends_on_it_and_dvc_shows_it(second):
    after_training = STEPS[STEPS.index("train") :]
    assert steps_run(second.read(".local/second.log")) == [step for step in after_training if step != "request"]
    assert "max_iter" in second.run("dvc", "params", "diff", "HEAD~1").stdout
    assert "candidate.roc_auc" in second.run("dvc", "metrics", "diff", "HEAD~1").stdout
    assert "candidate.roc_auc" in second.run("dvc", "metrics", "show").stdout
    assert "| train" in second.run("dvc", "dag").stdout.replace("*", "|")
    second.run("dvc", "plots", "diff", "HEAD~1", "--out", "build/plots")
    page = second.read("build/plots/index.html")
    assert "false_positive_rate" in page
    assert "candidate" in page
    plots = {
        file.relative_to(second.path).as_posix().replace("/", "_")
        for folder in ("evaluation", "inspection", "backtest")
        for file in (second.path / "reports" / folder).glob("*.png")
    }
    shown = {file.name for file in (second.path / "build" / "plots" / "static").glob("*.png")}
    assert shown == {f"{side}_{plot}" for side in ("HEAD~1", "workspace") for plot in plots}
    assert len(plots) >= 9


def test_going_back_to_an_earlier_commit_brings_its_data(second, sample):
    before, now = hashes(sample), hashes(second)
    assert now["models/candidate"] != before["models/candidate"]
    second.run("git", "checkout", "--quiet", "HEAD~1")
    second.run("dvc", "checkout")
    assert hashes(second) == before
    assert NOTHING_TO_DO in second.run("dvc", "repro").stdout


def test_a_worse_model_is_registered_but_not_champion(second):
    decision = second.load("reports/registration.json")
    assert (decision["alias"], decision["champion"]) == ("challenger", 1)
    assert decision["refused"][0].startswith("gain over the champion -")
    assert decision["refused"][0] in second.read(".local/second.log")
    assert aliases(second, NAME) == {"champion": 1, "challenger": decision["version"]}
    code = (
        "import pandas as pd;"
        "from stagebook.model.onnx_format import predict_onnx;"
        "rows = pd.read_parquet('data/processed/holdout.parquet').head(50);"
        f"model = mlflow.pyfunc.load_model('models:/{NAME}@challenger');"
        "same = model.predict(rows[model.metadata.get_input_schema().input_names()])['probability'].to_numpy();"
        "print(abs(same - predict_onnx('models/candidate/model.onnx', rows)).max())"
    )
    assert float(tracked(second, code)) == 0.0


def test_runs_carry_their_code_and_data_and_data_leads_back_to_them(second):
    commit = second.run("git", "rev-parse", "HEAD~1").stdout.strip()  # what it ran on, with an edit
    answer = second.run("stagebook", "find-run", "models/candidate").stdout
    md5 = hashes(second)["models/candidate"]
    assert f"md5 {md5}" in answer
    assert re.search(
        rf"wrote models/candidate  train FINISHED  run \w+  commit {commit[:10]}\S*$", answer, re.MULTILINE
    )
    assert "read  models/candidate  evaluate" in answer
    assert second.run("stagebook", "find-run", md5).stdout == answer
    said = second.run("stagebook", "find-run", "no/such/file", ok=False).stderr
    assert "no/such/file is not an output in dvc.lock" in said


# The catalog


def pages(project: Project) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in (project.path / "docs" / "data").glob("*.md")}


def test_each_table_has_a_page_with_the_figures_of_the_file(second):
    second.run("stagebook", "catalog")
    assert second.run("git", "status", "--porcelain").stdout == "", "`make pipeline` had not written it"
    tables = [path for path in hashes(second) if path.startswith("data/") and path.endswith(".parquet")]
    code = "import pandas as pd; print(*('%s %s' % pd.read_parquet(path).shape for path in {!r}), sep='\\n')"
    for path, line in zip(tables, script(second, code.format(tables)).splitlines(), strict=True):
        page = pages(second)[path.removeprefix("data/").replace("/", "-").replace(".parquet", ".md")]
        rows, columns = map(int, line.split())
        for line in (f"| rows | {rows:,} |", f"| columns | {columns:,} |", f"| md5 | `{hashes(second)[path]}` |"):
            assert line in page, path
        assert len(re.findall(r"^\| (?:`|<code>)", page, re.MULTILINE)) == columns
    flights = pages(second)["raw-flights.md"]
    assert re.search(r"^\| `tailnum` \| `string` \|  \| [\d.]+% \| yes: drop \| plane", flights, re.MULTILINE)
    assert "One row per flight" in flights


def test_lineage_names_each_step_and_ends_in_the_version_of_the_model(second):
    diagram = pages(second)["README.md"].partition("```mermaid\n")[2].partition("```")[0]
    for step in STEPS:
        assert f'(["{step}"])' in diagram
    decision = second.load("reports/registration.json")
    assert f"flight-delays version {decision['version']}<br>{decision['alias']}" in diagram


def test_a_stale_catalog_is_refused_until_it_is_written(second):
    """It is when somebody runs `dvc repro` and not `make pipeline`."""
    second.run("git", "checkout", "--quiet", "HEAD~1", "--", "docs/data")
    said = second.run("make", "check", ok=False).stderr
    assert "`stagebook catalog` writes it" in said
    assert "models/candidate has changed" in said
    assert "`stagebook catalog`" in second.run("git", "commit", "--message", "Stale", ok=False).stderr
    second.run("make", "fix")
    second.run("make", "check")
    assert second.run("git", "diff", "HEAD").stdout == ""
    second.run("git", "checkout", "--quiet", "HEAD~1", "--", "docs/data")
    assert steps_run(second.run("make", "pipeline").stdout) == []
    assert second.run("git", "diff", "HEAD").stdout == ""


def test_a_clone_without_data_passes_the_check(second):
    for file in second.path.glob("data/*/*.parquet"):
        file.unlink()
    second.run("make", "check")
    said = second.run("stagebook", "catalog", ok=False).stderr
    assert "data/raw/flights.parquet" in said
    assert "`dvc pull`" in said


# The registry


def test_compare_shows_what_differs(second):
    assert "2 parameters, " in second.run("stagebook", "compare", "HEAD~1").stdout
    page = second.read("reports/compare.html")
    assert re.search(r"max_iter</code></td><td class=\"value\">300</td><td class=\"value\">6</td>", page)
    assert re.search(r"<code>candidate.roc_auc</code></td><td class=\"n\">0\.\d+</td>", page)
    for plot in ("roc", "calibration"):
        assert page.count(f'alt="reports/evaluation/{plot}.png of ') == 2
    said = second.run("stagebook", "compare", "no-such", ok=False).stderr
    assert "ERROR: no-such: unknown Git revision" in said and "Traceback" not in said
    assert second.run("git", "status", "--porcelain").stdout == ""


def test_promoted_through_the_gate_only_and_rolled_back_in_one_command(second):
    check_life(second, NAME, before=1, worse=second.load("reports/registration.json")["version"])


def test_mlflow_serves_the_champion(second):
    check_served_rows(second, NAME)


def test_what_the_verbs_refuse_is_said_on_one_line(second):
    refused = [
        (("make", "promote"), "which version? `make promote VERSION=2"),
        (("make", "promote", "VERSION=two", "WHY=x"), "'two' is no version"),
        (("make", "promote", "VERSION=99", "WHY=x"), "has no version 99"),
        (("make", "promote", "VERSION=1"), "There must be a reason"),
        (("make", "rollback"), "There must be a reason"),
    ]
    for words, reason in refused:
        error = second.run(*words, ok=False).stderr
        assert reason in error
        assert "Traceback" not in error
    gone = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    said = second.run("stagebook", "models", ok=False, **gone).stderr
    assert "ERROR: MLflow at http://127.0.0.1:9 cannot be used" in said


def test_mlflow_page_is_served_unless_its_port_is_taken(second):
    port = free_port()
    server = second.start("make", "ui", f"PORT={port}")
    try:
        wait_for(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).status == 200)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = second.run("make", "ui", f"PORT={port}", ok=False)
    assert f"port {port} is taken" in (said.stdout + said.stderr).lower()


# The remote


def test_lost_cache_and_files_come_back_from_the_remote(second, sample):
    # One by one: `dvc push --all-commits` takes a relative address of the remote from the root of the file system.
    for commit in ("HEAD~1", "main"):
        second.run("git", "checkout", "--quiet", commit)
        second.run("dvc", "checkout")
        second.run("dvc", "push")
    before = {
        path: (sample.path / path).read_bytes() for path in ("models/candidate/model.onnx", "reports/metrics.json")
    }
    shutil.rmtree(second.path / ".dvc" / "cache")
    for path in output_files(second):
        (second.path / path).unlink()
    second.run("git", "restore", "--source", "HEAD~1", "--staged", "--worktree", ".")
    assert "Checkout failed" in second.run("dvc", "checkout", ok=False).stderr
    second.run("dvc", "pull")
    assert {path: (second.path / path).read_bytes() for path in before} == before
    assert NOTHING_TO_DO in second.run("dvc", "status", "dvc.yaml").stdout
    second.run("git", "commit", "--no-verify", "--message", "Back to the first model")
    assert second.run("git", "diff", "HEAD", "HEAD~2").stdout == ""
    second.run("git", "reset", "--hard", "--quiet", "HEAD~1")
    second.run("dvc", "pull", "--force")
