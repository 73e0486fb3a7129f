"""The champion leaves one registry as a folder, and is champion of another one with the same answers."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pandas as pd
import pytest
from stagebook.project.errors import DataError, RegistryError
from stagebook.registry.history import append, history
from stagebook.registry.keep import keep_champion, restore_champion
from stagebook.registry.versions import find_versions


class Twice(mlflow.pyfunc.PythonModel):
    """Answers with twice what it is asked."""

    def predict(self, context, model_input, params=None):
        return 2 * model_input["a"]


def use_store(folder):
    """Start a run in a registry of its own."""
    folder.mkdir()
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    experiment = mlflow.create_experiment("e", artifact_location=(folder / "mlruns").as_uri())
    return mlflow.start_run(experiment_id=experiment)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The folder of a champion whose registry is no longer there."""
    monkeypatch.setenv("GITHUB_ACTOR", "somebody")
    with use_store(tmp_path / "first"):
        with pytest.raises(RegistryError, match="no champion"):
            keep_champion("m", tmp_path / "champion")
        logged = mlflow.pyfunc.log_model(name="model", python_model=Twice(), pip_requirements=["mlflow"])
        client = mlflow.MlflowClient()
        client.create_registered_model("m")
        tags = {"package_md5": "abc", "gate.decision": json.dumps({"refused": []}), "stage": "production"}
        client.create_model_version("m", logged.model_uri, logged.run_id, tags, model_id=logged.model_id)
        append("m", "promote", 1, "better", after=0, metrics={"metric": "roc_auc", "candidate": 0.8})
    assert keep_champion("m", tmp_path / "champion")
    assert not keep_champion("m", tmp_path / "champion"), "it is there already"
    return tmp_path / "champion"


def test_champion_of_the_folder_is_champion_of_an_empty_registry(kept, tmp_path):
    with use_store(tmp_path / "second"):
        assert restore_champion("m", kept) == 1
        [entry] = history("m")
        assert entry.why.startswith("champion of this commit, since 2")
        assert "somebody: better" in entry.why
        assert entry.metrics["candidate"] == 0.8
        assert find_versions("m")[1].tags["package_md5"] == "abc"
        model = mlflow.pyfunc.load_model("models:/m/1")
        assert model.predict(pd.DataFrame({"a": [1, 2]})).tolist() == [2, 4]
        assert restore_champion("m", kept) is None, "a registry that has a champion keeps it"


def test_no_folder_no_champion_and_a_broken_one_is_said(kept, tmp_path):
    with use_store(tmp_path / "second"):
        assert restore_champion("m", tmp_path / "none") is None
        (kept / "version.json").write_text("{")
        with pytest.raises(DataError, match=r"version\.json cannot be read.*dvc checkout"):
            restore_champion("m", kept)


def test_nothing_of_the_first_registry_is_in_the_folder(kept):
    assert {file.name for file in kept.iterdir()} >= {"MLmodel", "version.json"}
    assert "model_id" not in (kept / "MLmodel").read_text()
    assert "stage" not in json.loads((kept / "version.json").read_text())["tags"]


@pytest.mark.parametrize("where", ["log_artifacts", "MlflowClient.create_model_version"])
def test_another_clone_that_restores_it_meanwhile_makes_the_same_version_champion(kept, tmp_path, monkeypatch, where):
    holder = mlflow.MlflowClient if "." in where else mlflow
    call = getattr(holder, where.rpartition(".")[2])

    def interrupted(*arguments, **options):
        monkeypatch.undo()
        assert restore_champion("m", kept) == 1, "the other clone"
        return call(*arguments, **options)

    with use_store(tmp_path / "server"):
        monkeypatch.setattr(holder, call.__name__, interrupted)
        assert restore_champion("m", kept) == 1
        assert list(find_versions("m")) == [1, 2]
        assert [entry.version for entry in history("m")] == [1]


def test_clones_that_start_on_one_fresh_server_at_once_agree(kept, tmp_path, monkeypatch):
    ready, log = threading.Barrier(2), mlflow.log_artifacts
    monkeypatch.setattr(mlflow, "log_artifacts", lambda *where: (log(*where), ready.wait(60)))
    with use_store(tmp_path / "server") as run:
        pass

    def start(_):
        with mlflow.start_run(experiment_id=run.info.experiment_id):
            return restore_champion("m", kept)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(start, range(2))) == [1, 1]
    assert [entry.version for entry in history("m")] == [1]
