"""A new champion: taken without a lost request, refused if it does not work, followed in a real registry."""

import json
import os
import subprocess
import sys
import threading
import time

import httpx
import pytest
from serving import EXAMPLE, TASK, fill_registry, inputs_of, onnx_of, serving, wait_for, write_model, write_service
from stagebook.project.errors import RegistryError
from stagebook.project.files import write_json
from stagebook.registry.history import append
from stagebook.serve.follow import CURRENT, STATUS, fetch_champion
from stagebook.serve.predictor import Predictor

pytestmark = pytest.mark.slow
BODY = {"rows": [EXAMPLE]}


def point(folder, name):
    write_json({"folder": name, "version": name}, folder / CURRENT)


@pytest.fixture
def root(tmp_path):
    """A project whose folder of models has two versions, and a third that is broken."""
    root = write_service(tmp_path / "tiny")
    folder = root / "models" / "served"
    for version in (1, 2):
        write_model(folder / str(version), str(version), seed=version)
    write_model(folder / "3", "3")
    (folder / "3" / "model.onnx").write_bytes(onnx_of(0)[:-100])
    point(folder, "1")
    return root


def test_no_request_is_lost_while_models_change(root):
    folder, answers, stop = root / "models" / "served", [], threading.Event()

    def ask(base):
        with httpx.Client(base_url=base, trust_env=False, timeout=30) as session:
            while not stop.is_set():
                answers.append(session.post("/predict", json=BODY))

    with serving(root, "--no-log", model="models/served") as client:
        callers = [threading.Thread(target=ask, args=[str(client.base_url)]) for _ in range(8)]
        for caller in callers:
            caller.start()
        for version in ("2", "1", "2"):
            point(folder, version)
            wait_for(lambda version=version: client.get("/ready").json()["version"] == version)
            time.sleep(0.3)
        stop.set()
        for caller in callers:
            caller.join()
    assert {answer.status_code for answer in answers} == {200}
    told = {(one.json()["version"], one.json()["predictions"][0]["probability"]) for one in answers}
    assert {version for version, _ in told} == {"1", "2"}
    assert len(told) == 2, "each version has its own answer"
    assert len(answers) > 100


def test_a_broken_model_is_not_taken_and_ready_says_so(root):
    folder = root / "models" / "served"
    with serving(root, "--no-log", model="models/served") as client:
        point(folder, "3")
        wait_for(lambda: client.get("/ready").json()["status"] == "degraded")
        state = client.get("/ready").json()
        assert (state["version"], "3: the model in it cannot be used" in state["problems"]["model"]) == ("1", True)
        assert client.post("/predict", json=BODY).json()["version"] == "1"
        (folder / CURRENT).write_text("{")
        wait_for(lambda: "cannot be read" in client.get("/ready").json()["problems"]["model"])
        point(folder, "1")
        wait_for(lambda: client.get("/ready").json()["status"] == "ready")
        point(folder, "2")
        wait_for(lambda: client.get("/ready").json()["version"] == "2")
    assert (root / "serve.out").read_text().count("Traceback") <= 4, "once for each fault, not once a second"


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry with versions 1 and 2 of `tiny`, none of them champion."""
    monkeypatch.setenv("GITHUB_ACTOR", "somebody")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", fill_registry(tmp_path / "registry"))
    return tmp_path / "registry"


def test_promotion_and_rollback_change_what_is_served(registry, tmp_path):
    folder = tmp_path / "serving"
    folder.mkdir()
    with pytest.raises(RegistryError, match="tiny has no champion"):
        fetch_champion("tiny", folder)
    steps = [("promote", 1, 0), ("promote", 2, 1), ("rollback", 1, 2)]
    for action, version, before in steps:
        append("tiny", action, version, "better", after=before, metrics={"metric": "roc_auc", "candidate": 0.8})
        assert fetch_champion("tiny", folder) == str(version)
        current = json.loads((folder / CURRENT).read_text())
        about = json.loads((folder / current["folder"] / "about.json").read_text())
        assert (current["version"], about["version"], about["why"]) == (version, version, "better")
        card = folder / current["folder"] / "model_card.html"
        assert (card.read_text() if card.exists() else None) == {1: None, 2: "<h1>Card of 2</h1>"}[version]
        changed = (folder / CURRENT).stat().st_mtime_ns
        assert fetch_champion("tiny", folder) == str(version)
        assert (folder / CURRENT).stat().st_mtime_ns == changed, "nothing is written if nothing changed"


def test_two_services_follow_the_registry_and_serve_on_when_it_is_away(registry, root):
    append("tiny", "promote", 1, "first", after=0, metrics={})
    (root / "params.yaml").write_text("{}\n")
    settings = (root / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(settings + "follow_seconds = 0.3\n")
    with (
        serving(root, "--no-log", model="") as first,
        serving(root, "--no-log", model="") as second,
    ):
        for client in (first, second):
            assert client.post("/predict", json=BODY).json()["version"] == "1"
        append("tiny", "promote", 2, "second", after=1, metrics={})
        for client in (first, second):
            wait_for(lambda client=client: client.get("/ready").json()["version"] == "2")
        (registry / "mlflow.db").rename(registry / "away.db")
        (registry / "mlflow.db").mkdir()  # a database that cannot be opened
        for client in (first, second):
            wait_for(lambda client=client: "registry" in client.get("/ready").json()["problems"])
            assert client.post("/predict", json=BODY).json()["version"] == "2"
    with serving(root, "--no-log", model="") as client:
        assert client.post("/predict", json=BODY).json()["version"] == "2", "the last champion is there"
        assert client.get("/ready").json()["status"] == "degraded"
    assert "The champion that was copied last is served" in (root / "serve.out").read_text()
    assert (root / ".local" / "serving" / STATUS).is_file()


def test_without_registry_and_copy_the_service_says_what_to_do(root, tmp_path):
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/empty.db"}
    command = [sys.executable, "-m", "stagebook", "serve", "--port=0"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "tiny has no champion" in done.stdout + done.stderr
    assert "make serve MODEL=models/candidate" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_each_version_of_this_file_answers_otherwise(root):
    config = {"task": "binary", "classes": json.dumps(TASK.classes)}
    rows = inputs_of(20)[0]
    answers = [
        Predictor(root / "models" / "served" / str(version) / "model.onnx", config).predict(rows)["probability"]
        for version in (1, 2)
    ]
    assert abs(answers[0] - answers[1]).min() > 0
