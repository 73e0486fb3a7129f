"""A generated project, used as its README says: set up, checked, run on real flights, and broken on purpose."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from conftest import SAMPLE, Project, bake_into
from ruamel.yaml import YAML

pytestmark = pytest.mark.slow

STEPS = ["ingest", "validate", "clean", "features", "train", "evaluate", "register"]
NOTHING_TO_DO = "Data and pipelines are up to date."


def steps_run(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def hashes(project: Project) -> dict[str, str]:
    stages = YAML(typ="safe").load(project.read("dvc.lock"))["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}


def script(project: Project, code: str) -> str:
    """Run Python code in the project's environment."""
    return project.run("python", "-c", code).stdout


def spoil_raw(project: Project, table: str, change: str) -> None:
    """Change a raw table with pandas code on `frame`."""
    path = f"data/raw/{table}.parquet"
    script(project, f"import pandas as pd; frame = pd.read_parquet({path!r}); {change}; frame.to_parquet({path!r})")


def champions(project: Project) -> dict[str, str]:
    code = (
        "import json, mlflow; from flight_delays.pipeline.tracking import connect_mlflow; connect_mlflow();"
        "print(json.dumps(dict(mlflow.MlflowClient().get_registered_model('late-arrival').aliases)))"
    )
    return {alias: str(version) for alias, version in json.loads(script(project, code)).items()}


# As generated


def test_fresh_project_passes_its_own_checks_and_stays_clean(installed):
    installed.run("make", "setup", "check")
    tests = installed.run("make", "test")
    assert re.search(r"\d+ passed", tests.stdout)
    assert installed.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.parametrize("change", ["output", "metadata", "module", "lint"])
def test_check_and_pre_commit_refuse_what_fix_mends(installed, change):
    path = installed.path / "notebooks" / "40_features.ipynb"
    notebook = nbformat.read(path, as_version=4)
    if change == "output":
        notebook.cells[3].outputs = [nbformat.v4.new_output("stream", text="left over")]
    elif change == "metadata":
        notebook.cells[3].metadata["collapsed"] = True
    elif change == "lint":
        notebook.cells[3].source += "\nimport os"
    nbformat.write(notebook, path)
    if change == "module":
        installed.edit("code/flight_delays/features/build.py", {"// 100 * 60": "// 100 * 61"})
    try:
        said = installed.run("make", "check", ok=False)
        assert "40_features" in said.stdout + said.stderr or "build.py" in said.stderr
        installed.run("git", "add", "--all")
        assert "make check" in installed.run("git", "commit", "--message", "dirty", ok=False).stderr
        installed.run("make", "fix")
        installed.run("make", "check")
        if change != "lint":
            assert installed.run("git", "diff", "HEAD", "--stat").stdout == ""
            assert "parameters" in path.read_text()
    finally:
        installed.run("git", "reset", "--hard", "--quiet")


def test_notebooks_merge_cell_by_cell(installed):
    path = installed.path / "notebooks" / "30_clean.ipynb"

    def change(branch, cell, text):
        installed.run("git", "checkout", "--quiet", "-b", branch, "main")
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[cell].source += text
        nbformat.write(notebook, path)
        installed.commit(branch)

    try:
        change("one", 0, "\nFrom branch one.")
        change("two", 0, "\nFrom branch two.")
        merge = installed.run("git", "merge", "--no-edit", "one", ok=False)
        assert "conflict" in (merge.stdout + merge.stderr).lower()
        merged = nbformat.read(path, as_version=4)
        nbformat.validate(merged)
        text = "\n".join(cell.source for cell in merged.cells)
        assert "From branch one." in text
        assert "From branch two." in text
    finally:
        installed.run("git", "reset", "--hard", "--quiet")
        installed.run("git", "checkout", "--quiet", "main")
        installed.run("git", "branch", "-D", "one", "two")


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_other_names_and_pythons_work(tmp_path, version):
    names = {"project_name": "Żółw \"x\" 'y' \\ 🐢\nz", "project_slug": "zolw", "package_name": "z" * 30}
    project = bake_into(tmp_path, **names, python_version=version)
    pythons = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), shutil.which(f"python{version}")]
    if not (python := next(filter(None, pythons), None)):
        assert f"ERROR: no Python {version} to 3.13 found" in project.run("make", "setup", ok=False).stdout
        pytest.skip(f"this machine has no Python {version}")
    project.run("make", "setup", f"PYTHON={python}")
    assert f"Python {version}" in project.run(".venv/bin/python", "--version").stdout
    project.commit("As generated")
    project.run("make", "check")
    project.run("nbdev-test")
    project.run("pytest", "tests/unit")
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_another_environment_can_be_named(bake, tmp_path):
    project = bake()
    said = project.run("make", "setup", "PYTHON=/no/such/python", ok=False)
    assert "/no/such/python" in said.stdout + said.stderr
    said = project.run("make", "setup", "PYTHON=", ok=False)
    assert "ERROR: no Python 3.11 to 3.13 found" in said.stdout


# The pipeline


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
    there = {
        file for file in sample.files() if file.split("/")[0] in ignored and not file.endswith((".gitkeep", ".md"))
    }
    assert there == set(hashes(sample))


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
    assert steps_run(project.run("dvc", "repro").stdout) == ["train", "evaluate", "register"]
    assert "candidate.roc_auc" in project.run("dvc", "metrics", "diff").stdout
    assert "candidate.roc_auc" in project.run("dvc", "metrics", "show").stdout
    assert "| train" in project.run("dvc", "dag").stdout.replace("*", "|")
    project.run("dvc", "plots", "diff", "--out", "build/plots")
    page = project.read("build/plots/index.html")
    assert "false_positive_rate" in page
    assert "candidate" in page
    assert len(list((project.path / "build" / "plots" / "static").glob("*.png"))) == 4


def test_experiment_runs_in_the_workspace_and_in_a_copy(project):
    project.run("dvc", "exp", "run", "--set-param", "train.max_iter=30", "--name", "few-trees")
    project.run("dvc", "exp", "run", "--temp", "--set-param", "train.max_iter=25", "--name", "fewer-trees")
    shown = project.run("dvc", "exp", "show", "--csv").stdout
    assert "few-trees" in shown
    assert "fewer-trees" in shown
    code = (
        "import mlflow; from flight_delays.pipeline.tracking import connect_mlflow; connect_mlflow();"
        "print(*mlflow.search_runs(filter_string=\"tags.`mlflow.runName` = 'train'\")['params.max_iter'])"
    )
    assert {"30", "25"} <= set(script(project, code).split()), "an experiment's run went elsewhere"
    project.run("dvc", "exp", "remove", "few-trees", "fewer-trees")


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
    for path in hashes(project):
        assert (clone.path / path).read_bytes() == (project.path / path).read_bytes(), path
    assert NOTHING_TO_DO in clone.run("dvc", "repro").stdout


def test_going_back_to_an_earlier_commit_brings_its_data(project):
    before = hashes(project)
    project.edit("params.yaml", {"max_iter: 300": "max_iter: 10"})
    project.run("dvc", "repro")
    project.commit("Ten trees")
    assert hashes(project)["models/candidate.onnx"] != before["models/candidate.onnx"]
    project.run("git", "reset", "--hard", "--quiet", "HEAD~1")
    project.run("dvc", "checkout")
    assert hashes(project) == before
    assert NOTHING_TO_DO in project.run("dvc", "repro").stdout


# Notebooks without the runner


def test_stock_papermill_runs_a_step(project, tmp_path):
    out = tmp_path / "out.ipynb"
    before = (project.path / "models" / "candidate.onnx").read_bytes()
    (project.path / "models" / "candidate.onnx").unlink()
    project.run("papermill", "notebooks/50_train.ipynb", str(out), "-k", "python3", "--cwd", "notebooks")
    assert (project.path / "models" / "candidate.onnx").read_bytes() == before
    assert "Log loss of the candidate" in out.read_text()


def test_every_notebook_runs_top_to_bottom_with_its_defaults(project):
    for notebook in sorted((project.path / "notebooks").glob("*.ipynb")):
        project.run("jupyter", "execute", "--kernel_name=python3", str(notebook))
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert not (project.path / "notebooks" / "mlflow.db").exists()
    assert json.loads(project.read("data/raw/source.json"))["tables"]["flights"]["rows"] == 336776
    assert json.loads(project.read("reports/cleaning.json"))["dropped"] == {"cancelled": 8255, "diverted": 1175}


# Tracking


def test_runs_carry_their_code_and_data_and_data_leads_back_to_them(project):
    commit = project.run("git", "rev-parse", "HEAD").stdout.strip()
    project.run("dvc", "repro", "--force", "--single-item", "train")
    answer = project.run("make", "find-run", "DATA=models/candidate.onnx").stdout
    md5 = hashes(project)["models/candidate.onnx"]
    assert f"md5 {md5}" in answer
    assert re.search(
        rf"wrote models/candidate.onnx  train FINISHED  run \w+  commit {commit[:10]}$", answer, re.MULTILINE
    )
    assert "read  models/candidate.onnx  evaluate" in answer
    assert project.run("make", "find-run", f"DATA={md5}").stdout == answer
    said = project.run("make", "find-run", "DATA=no/such/file", ok=False).stderr
    assert "no/such/file is not an output in dvc.lock" in said


def test_a_worse_model_is_registered_but_not_champion(project):
    before = champions(project)
    project.edit("params.yaml", {"max_iter: 300": "max_iter: 5"})
    output = project.run("make", "pipeline").stdout
    decision = json.loads(project.read("reports/registration.json"))
    assert decision["alias"] == "challenger"
    assert f"above champion (version {before['champion']})" in decision["refused"][0]
    assert decision["refused"][0] in output
    aliases = champions(project)
    assert aliases["champion"] == before["champion"]
    assert aliases["challenger"] == str(decision["version"]) != before["champion"]
    code = (
        "import mlflow, pandas as pd; from flight_delays.pipeline.tracking import connect_mlflow; connect_mlflow();"
        "from flight_delays.models.onnx_format import predict_onnx;"
        "rows = pd.read_parquet('data/processed/holdout.parquet').head(50);"
        "model = mlflow.pyfunc.load_model('models:/late-arrival@challenger');"
        "same = model.predict(rows[model.metadata.get_input_schema().input_names()])['probability'].to_numpy();"
        "print(abs(same - predict_onnx('models/candidate.onnx', rows)).max())"
    )
    assert float(script(project, code)) == 0.0


def test_server_by_environment_variable(project, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            *(f"{project.path}/.venv/bin/mlflow", "server", "--host=127.0.0.1", f"--port={port}"),
            *(f"--backend-store-uri=sqlite:///{tmp_path}/server.db", f"--artifacts-destination={tmp_path}/artifacts"),
        ],
        env=os.environ | {"PATH": f"{project.path}/.venv/bin:{os.environ['PATH']}"},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: urllib.request.urlopen(f"{address}/health", timeout=1).status == 200)
        project.run("dvc", "repro", "--force", "--single-item", "register", MLFLOW_TRACKING_URI=address)
        found = project.run("make", "find-run", "DATA=reports/registration.json", MLFLOW_TRACKING_URI=address)
        assert "register FINISHED" in found.stdout
        assert list((tmp_path / "artifacts").rglob("70_register.html"))
    finally:
        os.killpg(server.pid, signal.SIGTERM)


def wait_for(condition, seconds=60):
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


# Bad input


def refused(project: Project, *repro: str) -> str:
    """Run the pipeline, expect it to stop with a message and no traceback, and return the message."""
    result = project.run("dvc", "repro", *repro, ok=False)
    said = result.stdout + result.stderr
    assert "ERROR: " in said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("flights", "frame = frame.drop(columns='distance')", "column 'distance' is missing"),
        ("flights", "frame['seat'] = 1", "column 'seat' is not in the schema"),
        ("flights", "frame['distance'] = frame['distance'].astype(str).where(frame.index != 7, 'far')", "'far' in row 7"),
        ("weather", "frame.loc[3, 'humid'] = 140.0", "column 'humid': 140.0 in row 3"),
        ("planes", "frame = pd.concat([frame, frame.head(1)])", "column 'tailnum'"),
        ("planes", "frame['tailnum'] = 'X' + frame['tailnum']", "only 0.0% of the flights find their row by tailnum"),
        ("airports", "frame = frame.head(0)", "data/raw/airports.parquet has no rows"),
    ],
)  # fmt: skip
def test_bad_table_is_refused_by_name_and_nothing_is_lost(project, table, change, words):
    good = project.read("reports/validation.json")
    spoil_raw(project, table, change)
    said = refused(project, "--single-item", "validate")
    assert f"data/raw/{table}.parquet" in said
    assert words in said
    assert "20_validate.ipynb, cell" in said
    assert words.split("'")[0] in project.read("reports/20_validate.failed.ipynb")
    assert project.read("reports/validation.json") == good
    project.run("dvc", "checkout", "--force")
    assert NOTHING_TO_DO in project.run("dvc", "repro").stdout


def test_missing_raw_file_is_named_outside_the_pipeline(project, tmp_path):
    (project.path / "data" / "raw" / "weather.parquet").unlink()
    command = [
        "papermill",
        "notebooks/20_validate.ipynb",
        str(tmp_path / "out.ipynb"),
        "-k",
        "python3",
        "--cwd",
        "notebooks",
    ]
    said = project.run(*command, ok=False).stderr
    assert "../data/raw/weather.parquet is missing. `dvc repro` makes it, `dvc pull` brings it" in said
    assert steps_run(project.run("dvc", "repro").stdout) in (["ingest"], [])
    assert (project.path / "data" / "raw" / "weather.parquet").is_file()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate: 0.08": "learning_rat: 0.08"}, "did you mean `learning_rate`?"),
        ({"learning_rate: 0.08": "learning_rate: fast"}, "`train.learning_rate` is 'fast' (str); it must be float"),
        ({'"2013-02-15"': "2013-02-15"}, "Unsupported value of type 'date' in 'params.yaml:clean.validation_from'"),
        ({'"2013-02-15"': "soon"}, "'soon' is not a day like 2013-09-01"),
        ({'"2013-03-10"': '"2014-01-01"'}, "No flights in split holdout"),
        ({"- distance": "- dep_delay"}, "dep_delay is known only after departure"),
        ({"- distance": "- distanze"}, "there is no distanze"),
        ({"months: [1, 2, 3]": "months: [1, 13]"}, "no flights in month [13]"),
        ({"months: [1, 2, 3]": "months: [1, '2']"}, "`ingest.months` has an element that is '2' (str)"),
        ({"learning_rate: 0.08": "learning_rate: 0.08\n  learning_rate: 0.1"}, "params.yaml"),
    ],
)
def test_bad_parameter_is_refused_by_name_and_nothing_is_lost(project, change, words):
    good = {path: (project.path / path).read_bytes() for path in hashes(project)}
    project.edit("params.yaml", change)
    assert words in refused(project)
    for path, content in good.items():
        assert (project.path / path).read_bytes() == content, path


def test_killed_step_leaves_nothing_half_written_and_repro_goes_on(project):
    project.edit("params.yaml", {"max_iter: 300": "max_iter: 40"})
    process = subprocess.Popen(
        [f"{project.path}/.venv/bin/dvc", "repro"],
        cwd=project.path,
        env=os.environ | {"PATH": f"{project.path}/.venv/bin:{os.environ['PATH']}"},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for((project.path / "reports" / ".partial-50_train.ipynb").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (project.path / "reports" / "50_train.ipynb").exists()
    assert steps_run(project.run("dvc", "repro").stdout) == ["train", "evaluate", "register"]
    after = project.read("dvc.lock")
    project.run("dvc", "repro", "--force", "--single-item", "train")
    assert project.read("dvc.lock") == after
    assert not list(project.path.glob("*/.partial-*"))


def test_port_that_is_taken_is_said(project):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = project.run("make", "ui", f"PORT={port}", ok=False)
    assert f"port {port} is taken" in (said.stdout + said.stderr).lower()


def test_demo_figures_are_those_of_the_sample(sample):
    """The sample is what the constants say it is: three months, split in time."""
    assert set(SAMPLE.values()) == {"months: [1, 2, 3]", '"2013-02-15"', '"2013-03-10"'}
    cleaning = json.loads(sample.read("reports/cleaning.json"))
    assert cleaning["read"] == sum(cleaning["dropped"].values()) + sum(cleaning["kept"].values())
    assert all(cleaning["kept"][split] > 10_000 for split in ("train", "validation", "holdout"))
