"""Workflows are executed: each step, in order, in a clean clone on a bare machine. test_hosts.py reads them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import mlflow
import pytest
from baked import Project, contents, share_environment, wait_for
from hosted import Collector, GitHub, Runner, plain_environment
from ruamel.yaml import YAML
from servers import find_python, free_port

TOKEN = "ghs_of-this-test"
RETRAIN = 'stagebook retrain --parameters="$PARAMETERS"'


def load(file: Path) -> dict:
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


FULL = {"governance": "full"}


@pytest.fixture
def github():
    server = GitHub()
    yield server
    server.server.shutdown()


@pytest.fixture(scope="module")
def origin(sample, tmp_path_factory):
    """A bare repository with the sample in it, its champion kept, and a remote that has the data."""
    folder = tmp_path_factory.mktemp("hosted")
    bare, author = folder / "o" / "r.git", Project(folder / "author")
    subprocess.run(["git", "clone", "--quiet", "--bare", str(sample.path), str(bare)], check=True)
    subprocess.run(["git", "clone", "--quiet", str(bare), str(author.path)], check=True)
    share_environment(author)
    author.run("dvc", "remote", "modify", "storage", "url", str(folder / "storage"))
    author.run("dvc", "cache", "dir", "--local", str(sample.path / ".dvc" / "cache"))
    author.run("dvc", "checkout", "--quiet")
    for command in ("register", "champion", "catalog"):
        author.run("stagebook", command)
    author.commit("The champion")
    author.run("git", "push", "--quiet", "origin", "HEAD:main")
    author.run("dvc", "push", "--quiet")
    yield folder
    author.stop()


@pytest.fixture
def clone(origin, github, tmp_path):
    """Return a runner in a clean clone of what is at the origin now."""
    runners = []

    def start(**known: str) -> Runner:
        folder = tmp_path / f"runner {len(runners)}"
        subprocess.run(["git", "clone", "--quiet", str(origin / "o" / "r.git"), str(folder)], check=True)
        share_environment(Project(folder))
        environment = plain_environment(tmp_path / "bin") | {
            "GITHUB_REPOSITORY": "o/r",
            "GITHUB_API_URL": github.address,
            "GITHUB_SERVER_URL": f"file://{origin}",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        }
        (tmp_path / "home").mkdir(exist_ok=True)
        runners.append(Runner(folder, KNOWN | known, environment, tmp_path / "home"))
        return runners[-1]

    yield start
    for runner in runners:
        Project(runner.folder).stop()


OURS = "github.event.pull_request.head.repo.full_name == github.repository"
KNOWN = {
    "matrix.python": "3.11",
    "secrets.MLFLOW_TRACKING_URI": "",
    "github.token": TOKEN,
    "github.event.repository.default_branch": "main",
    "github.base_ref": "main",
    "github.ref_name": "main",
    "github.event.pull_request.head.sha": "",
    OURS: "true",
    "github.event.pull_request.number": "7",
    "steps.pages.outputs.artifact-url": "https://example.com/artefact",
    "inputs.parameters": "",
    "github.event.client_payload.parameters": "",
    "vars.DEPLOY_PAGES == 'true'": "false",
    "secrets.NOTIFY_URL": "",
}
PULL_REQUEST = {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_BASE_REF": "main"}
PUSH = {"GITHUB_REF": "refs/heads/main", "GITHUB_BASE_REF": ""}
MAY = "ingest.months=[1,2,3,4,5] clean.validation_from='2013-04-10' clean.holdout_from='2013-05-10'"


def tracked_by_git(origin: Path, branch: str, file: str) -> str:
    words = ["git", "--git-dir", str(origin / "o" / "r.git"), "show", f"{branch}:{file}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.full
def test_ci_passes_in_a_clean_clone_on_a_bare_machine(bake, tmp_path):
    """On the newest Python that this machine has; the other tests take the oldest."""
    project = bake()
    project.run("git", "init", "--quiet", "--initial-branch=main")
    project.commit("As generated")
    subprocess.run(["git", "clone", "--quiet", str(project.path), str(tmp_path / "clone")], check=True)
    (tmp_path / "home").mkdir()
    python = find_python("3.13") or find_python("3.12") or sys.executable
    runner = Runner(tmp_path / "clone", KNOWN, plain_environment(tmp_path / "bin", str(python)), tmp_path / "home")
    runner.run("ci.yaml", "check")
    assert re.search(r"\d+ passed", runner.said["make test"])
    assert "version 1 is champion" in runner.said["stagebook sample"]
    assert {
        f"build/sample/reports/{name}" for name in ("70_register.html", "card/model_card.html")
    } <= runner.artefacts["sample-3.11"]
    (tmp_path / "clone" / "left-over.txt").write_text("x")
    nothing_changed = next(command for command in runner.said if command.startswith("git diff"))
    runner._shell(nothing_changed, {})
    assert runner.failed == nothing_changed


@pytest.mark.full
def test_pull_request_gets_one_comment_that_is_kept_up_to_date(origin, clone, github):
    runner = clone()
    runner.environment |= PULL_REQUEST
    changed = Project(runner.folder)
    changed.edit("params.yaml", {"C: 1.0": "C: 0.01", "model: best": "model: linear"})
    runner.run("pipeline.yaml", "pipeline")
    assert "reports/compare.html" in runner.artefacts["pipeline"]
    assert "build/site/index.html" in runner.artefacts["pipeline"]
    [comment] = github.things["comments"]
    text = comment["body"]
    assert text.startswith("<!-- report of the notebook pipeline -->\n## The gate refuses flight-delays version 2")
    assert re.search(r"gain over the champion -0\.\d+ is below 0\.002", text)
    assert "A preview: the thresholds are those of docs/requirements.yaml on origin/main." in text
    assert re.search(r"\| `candidate.roc_auc` \| 0\.\d+ \| 0\.\d+ \| -0\.\d+ \|", text)
    assert "| `train.linear.C` | 1 | 0.01 | -0.99 |" in text
    assert "(https://example.com/artefact)" in text
    assert text.split("\n[The pages")[0] == Path(runner.environment["GITHUB_STEP_SUMMARY"]).read_text()
    assert github.tokens == {f"Bearer {TOKEN}"}
    github.things["comments"][:0] = [{"id": 90 + n, "body": "Somebody else's"} for n in range(3)]  # on other pages
    changed.edit("params.yaml", {"C: 0.01": "C: 1.0", "model: linear": "model: best"})
    runner.run("pipeline.yaml", "pipeline")
    assert len(github.things["comments"]) == 4
    assert "passes the gate" in github.things["comments"][-1]["body"]

    calls = len(github.calls)
    fork = clone(**{OURS: "false"})
    fork.environment |= PULL_REQUEST
    Project(fork.folder).edit(".dvc/config", {str(origin / "storage"): "s3://not-for-forks/storage"})
    fork.run("pipeline.yaml", "pipeline")
    assert "the pipeline makes what is missing" in fork.said["stagebook pull"]
    assert "reports/pull_request.md" in fork.artefacts["pipeline"]
    assert len(github.calls) == calls


@pytest.fixture
def server(sample, tmp_path):
    """The address of an MLflow server, really started, without any model."""
    port = free_port()
    process = sample.start(
        *("mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=2"),
        *(f"--backend-store-uri=sqlite:///{tmp_path}/server.db", f"--artifacts-destination={tmp_path}/artifacts"),
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: urllib.request.urlopen(f"{address}/health", timeout=1).status == 200)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)


def registry(server: str) -> dict:
    """Return all that the registry of the server has: models, aliases, versions with their tags."""
    client = mlflow.MlflowClient(server)
    versions = {f"{one.name} {one.version}": one.tags for one in client.search_model_versions()}
    return {one.name: dict(one.aliases) for one in client.search_registered_models()} | versions


@pytest.mark.full
def test_pull_request_that_lowers_its_thresholds_promotes_nothing_on_a_server(clone, github, server):
    runner = clone(**{"secrets.MLFLOW_TRACKING_URI": server, OURS: "false"})
    changed = Project(runner.folder)
    runner.environment |= PUSH
    runner.run("pipeline.yaml", "pipeline")
    before = registry(server)
    assert before["flight-delays"]["champion"] == before["flight-delays"]["challenger"] == "1"
    assert [name for name in before if "promotions " in name] == ["flight-delays-promotions 1"]

    changed.edit("params.yaml", {"C: 1.0": "C: 0.01", "model: best": "model: linear"})
    requirements = changed.path / "docs" / "requirements.yaml"
    reviewed = requirements.read_text(encoding="utf-8")
    lowered = reviewed.replace(
        "gain.champion, at_least: 0.002", "gain.champion, at_least: 0"
    )  # no lower one is allowed
    assert lowered != reviewed
    requirements.write_text(lowered, encoding="utf-8")
    runner.environment |= PULL_REQUEST
    runner.known[OURS] = "true"
    runner.run("pipeline.yaml", "pipeline")
    assert registry(server) == before
    [comment] = github.things["comments"]
    assert "## The gate refuses flight-delays version 2" in comment["body"]
    assert re.search(r"gain over the champion -0\.\d+ is below 0\.002", comment["body"])
    assert re.search(r"After the merge its thresholds would refuse: .*-0\.\d+ is below 0[,;.]", comment["body"])
    said = changed.run("make", "promote", "VERSION=1", "WHY=now", ok=False, MLFLOW_TRACKING_URI=server, **PULL_REQUEST)
    assert "this run is for a pull request into origin/main: it must not promote" in said.stderr
    assert registry(server) == before

    runner.environment |= PUSH  # reviewed and merged
    runner.known[OURS] = "false"
    runner.run("pipeline.yaml", "pipeline")
    after = registry(server)
    assert after["flight-delays"] == {"champion": "1", "challenger": "2"}, "registered, and refused by the gate"
    assert len(github.things["comments"]) == 1


@pytest.mark.full
def test_training_on_new_months_changes_the_champion_and_the_gate_keeps_it_from_a_worse_one(origin, clone, github):
    champion = tracked_by_git(origin, "main", "models/champion.dvc")
    scheduled = {"github.event.repository.default_branch": ""}  # which GitHub does not tell a schedule
    nothing = clone(**scheduled)
    nothing.run("train.yaml", "train")
    assert "Nothing changed" in nothing.said['stagebook propose "$INTO"']
    assert "models/champion stays as it is" in nothing.said[RETRAIN]
    assert github.things["pulls"] == []

    arrived = clone(**scheduled, **{"github.event.client_payload.parameters": MAY})
    arrived.run("train.yaml", "train")
    [pull] = github.things["pulls"]
    assert pull["title"] == "Retrained: flight-delays version 2 passes the gate and is champion"
    assert (pull["head"], pull["base"]) == ("retrain", "main")
    assert "| `ingest.months` |" in pull["body"]
    parameters = YAML(typ="safe").load(tracked_by_git(origin, "retrain", "params.yaml"))
    assert parameters["ingest"]["months"] == [1, 2, 3, 4, 5]
    newer = tracked_by_git(origin, "retrain", "models/champion.dvc")
    assert newer != champion == tracked_by_git(origin, "main", "models/champion.dvc")
    said = [text for runner in (nothing, arrived) for text in runner.said.values()]
    assert not [text for text in said if TOKEN in text]

    merge = ["git", "--git-dir", str(origin / "o" / "r.git"), "update-ref", "refs/heads/main", "refs/heads/retrain"]
    subprocess.run(merge, check=True)
    pull["state"] = "closed"
    worse = clone(**{"inputs.parameters": "train.model=linear train.linear.C=0.0001"})
    worse.run("train.yaml", "train")
    assert tracked_by_git(origin, "retrain", "models/champion.dvc") == newer
    assert github.things["pulls"][-1]["title"].startswith("Retrained: The gate refuses flight-delays version")
    assert re.search(r"gain over the champion -0\.\d+ is below", worse.said[RETRAIN])
    project = Project(worse.folder)
    assert json.loads(project.read("reports/registration.json"))["champion"] == 1
    assert (
        contents(project)["models/candidate/model.onnx"]
        != (worse.folder / "models/champion/artifacts/model.onnx").read_bytes()
    )


@pytest.mark.full
def test_training_says_what_stands_in_its_way_and_proposes_nothing(clone, github, tmp_path):
    touched = tmp_path / "touched"
    unknown = clone(**{"inputs.parameters": f"train.trails=20; touch {touched}"})
    unknown.run("train.yaml", "train", ok=False)
    assert "ERROR: PARAMETERS 'train.trails=20; touch " in unknown.said[unknown.failed]
    hosted = clone(**{"inputs.parameters": "register.promote_to=staging"})
    hosted.environment["RUNNER_ENVIRONMENT"] = "github-hosted"
    hosted.run("train.yaml", "train", ok=False)
    assert hosted.failed == "stagebook push"
    assert "Nobody could pull what this run made" in hosted.said["stagebook push"]
    assert github.calls == []
    assert not touched.exists()


@pytest.mark.full
def test_release_has_package_site_reports_and_champion_and_goes_to_staging_and_production(clone):
    runner = clone()
    runner.run("release.yaml", "build")
    artefact = runner.artefacts["release"]
    assert {"build/site/index.html", "reports/card/model_card.html", "models/champion/MLmodel"} <= artefact
    library, model, package = sorted((file for file in artefact if file.endswith(".whl")), reverse=True)
    assert re.fullmatch(r"dist/flight_delays_model-\d+-py3-none-any.whl", model)
    assert re.fullmatch(r"dist/stagebook-[\d.]+\+vendored-py3-none-any.whl", library)
    assert re.fullmatch(r"dist/flight_delays-[\d.]+-py3-none-any.whl", package)

    project, hook = Project(runner.folder), Collector()
    ports = {8002: free_port(), 8003: free_port()}
    project.edit("docs/environments.yaml", {f":{port}": f":{free}" for port, free in ports.items()})
    with hook:
        runner.known["secrets.NOTIFY_URL"] = hook.address
        try:
            runner.run("release.yaml", "production", ok=False)
            assert "production needs what passed the smoke test in staging; nothing did" in runner.said[runner.failed]
            for job in ("staging", "production"):
                runner.run("release.yaml", job)
            state = [
                json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=10))
                for port in ports.values()
            ]
            assert state[0]["artefact"] == state[1]["artefact"]
            assert [one["environment"] for one in hook.received] == ["staging", "production"]
        finally:
            for name in ("staging", "production"):
                project.run("stagebook", "deploy", "--to", name, "--stop", ok=None)


@pytest.mark.full
def test_labels_are_made_once_and_then_changed(clone, github, bake):
    runner = clone()
    runner.environment["PATH"] = f"{runner.folder}/.venv/bin:{runner.environment['PATH']}"
    labels_of_full = bake(**FULL).path / "docs" / "labels.yaml"
    shutil.copy(labels_of_full, runner.folder / "docs")
    for color in ("0366d6", "ffffff"):
        labels = load(runner.folder / "docs" / "labels.yaml")
        (runner.folder / "docs" / "labels.yaml").write_text(json.dumps({n: [color, d] for n, (_, d) in labels.items()}))
        runner._shell("stagebook labels", {"GITHUB_TOKEN": TOKEN})
        assert runner.said["stagebook labels"] == "6 labels are there.\n"
        assert {label["name"]: label["color"] for label in github.things["labels"]} == dict.fromkeys(labels, color)
    assert len(github.things["labels"]) == 6
