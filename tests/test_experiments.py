"""The library's docs/experiments.md, typed as it stands: names agree everywhere, what differs is on one page, the best becomes a commit."""

import json
import os
import re
import signal
import urllib.request

import pytest
from baked import NOTHING_TO_DO, Project, steps_run, tracked, wait_for
from model_registry import aliases
from servers import free_port

pytestmark = pytest.mark.full
DOCUMENT = "vendor/stagebook/docs/experiments.md"
RUNS = (
    "import json; runs = mlflow.MlflowClient().search_runs([mlflow.get_experiment_by_name('flight-delays').experiment_id]);"
    "print(json.dumps([[run.info.run_name, run.info.status, run.data.tags.get('dvc.experiment'),"
    " 'mlflow.parentRunId' in run.data.tags] for run in runs]))"
)


class Reader:
    """Somebody who types the commands of the document one after the other."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.earlier = pipelines_in_mlflow(project)  # of other tests: MLflow forgets nothing
        blocks = re.findall(r"^```\n(.*?)^```", project.read(DOCUMENT), re.MULTILINE | re.DOTALL)
        self.ahead = [line for block in blocks for line in block.splitlines()]

    def type(self, command: str) -> str:
        """Type the next command, which must be this one; return what it printed."""
        assert self.ahead.pop(0).partition("  #")[0].rstrip() == command
        return self.project.run("bash", "-c", command).stdout


@pytest.fixture
def reader(own_copy) -> Reader:
    """A reader at the sample's commit."""
    return Reader(own_copy)


def names_in_dvc(project: Project) -> set[str]:
    return set(project.run("dvc", "exp", "list", "--all-commits", "--name-only").stdout.split())


def pipelines_in_mlflow(project: Project) -> set[str]:
    """Names of the pipeline runs of experiments; their steps must carry the same name as a tag, and have ended well."""
    runs = json.loads(tracked(project, RUNS))
    named = [(name, tag) for name, status, tag, is_step in runs if tag and not is_step and status == "FINISHED"]
    assert all(name == tag for name, tag in named)
    assert {tag for name, _, tag, is_step in runs if is_step and name == "train" and tag} == {tag for _, tag in named}
    return {name for name, _ in named}


def try_one_value(reader: Reader) -> None:
    project = reader.project
    reader.type("source .venv/bin/activate")
    said = reader.type("dvc exp run -S train.seed=1")
    assert steps_run(said)[0] == "train"
    [name] = re.findall(r"Ran experiment\(s\): (\S+)", said)
    assert names_in_dvc(project) == pipelines_in_mlflow(project) - reader.earlier == {name}
    reader.type("git restore params.yaml dvc.lock")
    reader.type("dvc checkout")
    assert project.run("dvc", "status", "dvc.yaml").stdout.strip() == NOTHING_TO_DO


def try_several_values(reader: Reader) -> None:
    project, before = reader.project, names_in_dvc(reader.project)
    reader.type("dvc exp run --queue -n rate -S 'train.hist_gradient_boosting.learning_rate=0.05,0.1'")
    reader.type("dvc queue start -j 1")
    assert "rate-2" in reader.type("dvc queue status")
    wait_for(lambda: not re.search("Running|Queued", project.run("dvc", "queue", "status").stdout), 300)
    assert names_in_dvc(project) == before | {"rate-1", "rate-2"}
    assert pipelines_in_mlflow(project) - reader.earlier == names_in_dvc(project)
    assert project.run("git", "status", "--porcelain").stdout == ""
    before = aliases(project, "flight-delays")["champion"]
    reader.type("dvc exp run -n search -S train.model=linear -S train.trials=3 -S train.search_rows=5000")
    facts = json.loads(project.read("reports/training.json"))
    assert facts["search"]["linear"]["trials"] == 3
    assert json.loads(project.read("reports/registration.json"))["alias"] == "challenger"
    assert aliases(project, "flight-delays")["champion"] == before, "an experiment was promoted"
    reader.type("git restore params.yaml dvc.lock")
    reader.type("dvc checkout")


def look(reader: Reader) -> None:
    show = reader.ahead[0]
    table = reader.type(show)
    assert "rate-1" in table and "rate-2" in table
    columns = reader.project.run("bash", "-c", f"{show} --csv").stdout.splitlines()[0].split(",")
    assert "train.hist_gradient_boosting.learning_rate" in columns and "candidate.roc_auc" in columns
    assert not [column for column in columns if "/" in column or column.startswith(("validate", "baseline", "trivial"))]
    assert reader.ahead.pop(0) == "make ui"
    port = free_port()
    server = reader.project.start("make", "ui", f"PORT={port}")
    try:
        wait_for(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).status == 200)
    finally:
        os.killpg(server.pid, signal.SIGTERM)


def compare(reader: Reader) -> None:
    project = reader.project
    notebook = json.loads(project.read("notebooks/50_train.ipynb"))
    notebook["cells"][1]["source"] += ["\n", "A <b>remark</b>"]
    (project.path / "notebooks/50_train.ipynb").write_text(json.dumps(notebook))
    state = project.run("git", "status", "--porcelain").stdout
    assert "1 parameter, " in reader.type("stagebook compare rate-1")
    assert project.run("git", "status", "--porcelain").stdout == state == " M notebooks/50_train.ipynb\n"
    page = project.read("reports/compare.html")
    assert (
        '<code>train.hist_gradient_boosting.learning_rate</code></td><td class="value">0.05</td><td class="value">0.08</td>'
        in page
    )
    assert re.search(r"<code>candidate.roc_auc</code></td><td class=\"n\">0\.\d+</td>", page)
    for picture in ("roc", "calibration"):
        for side in ("A: rate-1", "B: workspace"):
            alt = f'alt="reports/evaluation/{picture}.png of {side}" src="data:image/png;base64,'
            assert alt in page
    assert '<span class="added">+  A &lt;b&gt;remark&lt;/b&gt;</span>' in page
    assert "modified cell 2 (contract)" in page
    assert re.search(r"<td>rate-1</td><td>rate-1 [0-9a-f]{32}</td>", page)
    assert "<td>rate-1 / train <code>" in page
    project.run("git", "restore", "notebooks")
    assert "rate-1 against rate-2; 1 parameter, " in reader.type("stagebook compare rate-1 rate-2")
    project.run("bash", "-c", "cd code && stagebook compare rate-1 rate-2")
    assert "<td>rate-2 / train <code>" in project.read("reports/compare.html")
    assert project.run("git", "status", "--porcelain").stdout == ""
    said = project.run("stagebook", "compare", "no-such", ok=False).stderr
    assert "ERROR: no-such: unknown Git revision" in said and "Traceback" not in said


def keep_one(reader: Reader) -> None:
    project = reader.project
    reader.type("dvc exp apply rate-1")
    assert steps_run(reader.type("make pipeline")) == []
    for command in ("git add -A", 'git commit -m "Learn slower"', "dvc push"):
        reader.type(command)
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert project.run("dvc", "status", "dvc.yaml").stdout.strip() == NOTHING_TO_DO
    assert "learning_rate: 0.05" in project.run("git", "show", "HEAD:params.yaml").stdout
    project.run("make", "check")
    assert "1 parameter, " in project.run("stagebook", "compare", "HEAD~1").stdout
    assert re.search(
        r"<td>workspace</td>.*<td>none</td><td>rate-1 [0-9a-f]{32}</td>", project.read("reports/compare.html")
    )
    reader.type("dvc exp branch rate-2 faster")
    assert "learning_rate: 0.1" in project.run("git", "show", "faster:params.yaml").stdout


def throw_away(reader: Reader) -> None:
    project = reader.project
    reader.type("dvc exp remove rate-2")
    assert "rate-1" in names_in_dvc(project)
    reader.type("dvc exp remove --all-commits")
    assert names_in_dvc(project) == set()
    reader.type("dvc queue remove --all")
    reader.type("dvc gc --workspace --all-commits --force")
    assert reader.ahead == []
    assert project.run("dvc", "status", "dvc.yaml").stdout.strip() == NOTHING_TO_DO
    project.run("stagebook", "compare", "HEAD~1")


def test_an_experiment_from_first_try_to_commit(reader):
    for chapter in (try_one_value, try_several_values, look, compare, keep_one, throw_away):
        chapter(reader)
