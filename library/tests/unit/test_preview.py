"""A pull request is checked by the thresholds of the branch that it goes into, and promotes nothing."""

import json
from pathlib import Path

import mlflow
import pytest
from samples import git, write_files
from stagebook.automate.report import _show_preview
from stagebook.gate.requirements import read_requirements
from stagebook.project.errors import DataError, RegistryError, StepError
from stagebook.registry.decide import decide_once
from stagebook.registry.history import history
from stagebook.registry.life_cycle import promote, rollback
from stagebook.registry.preview import base_champion, base_requirements, find_base, preview_decision
from stagebook.registry.versions import find_aliases, find_versions

FILE = "docs/requirements.yaml"
TEMPLATE = Path(__file__).resolve().parents[3] / "{{cookiecutter.project_slug}}" / "options" / "data" / "flights" / FILE
PULL_REQUEST = {"GITHUB_BASE_REF": "main", "GITHUB_REF": "refs/pull/7/merge", "STAGEBOOK_MAIN": "main"}


@pytest.mark.parametrize(
    ("variables", "base"),
    [
        ({}, None),
        (PULL_REQUEST, "origin/main"),
        ({"GITHUB_BASE_REF": "release"}, "origin/release"),
        ({"GITHUB_BASE_REF": "", "GITHUB_REF": "refs/heads/main", "STAGEBOOK_MAIN": "main"}, None),
        ({"GITHUB_BASE_REF": "", "GITHUB_REF": "refs/heads/try", "STAGEBOOK_MAIN": "main"}, "origin/main"),
        ({"GITHUB_REF": "refs/tags/main", "STAGEBOOK_MAIN": "main"}, "origin/main"),
        ({"GITHUB_REF": "refs/heads/main"}, None),  # Train, which checks out the main branch itself
        ({"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "CI_DEFAULT_BRANCH": "main"}, "origin/main"),
        ({"CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"}, None),
        ({"CI_COMMIT_BRANCH": "try", "CI_DEFAULT_BRANCH": "main"}, "origin/main"),
    ],
)
def test_only_the_main_branch_and_people_promote(monkeypatch, variables, base):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert find_base() == base


@pytest.fixture
def pull_request(tmp_path, monkeypatch):
    """A clone, in a folder of a repository, whose branch lowers a threshold of the file on origin/main."""
    origin = tmp_path / "origin"
    write_files(
        origin, {f"model/{FILE}": TEMPLATE.read_text(encoding="utf-8"), "model/models/champion.dvc": "outs: []\n"}
    )
    git(origin, "init", "--quiet", "--initial-branch=main")
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "--message", "Reviewed")
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    for name, value in PULL_REQUEST.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "clone" / "model"


def lower(root: Path, old: str, new: str) -> None:
    text = (root / FILE).read_text(encoding="utf-8")
    assert old in text
    (root / FILE).write_text(text.replace(old, new), encoding="utf-8")
    git(root, "commit", "--quiet", "--all", "--message", "Lower")


def by_threshold(requirements) -> dict:
    """Decide as a candidate that gains nothing deserves."""
    gates = {gate.name: gate for gate in requirements.gates}
    refused = ["gains nothing"] if gates["beats_champion"].threshold > 0 else []
    return {"refused": refused, "points": []}


def test_lowered_threshold_counts_after_the_merge_only(pull_request):
    mine = read_requirements(pull_request / FILE)
    same = preview_decision(pull_request, "origin/main", mine, by_threshold)
    assert same["refused"] == ["gains nothing"] and "refused_after_merge" not in same
    lower(pull_request, "gain.champion, at_least: 0.002", "gain.champion, at_least: 0")
    mine = read_requirements(pull_request / FILE)
    assert by_threshold(mine)["refused"] == []
    shown = preview_decision(pull_request, "origin/main", mine, by_threshold)
    assert (shown["refused"], shown["refused_after_merge"]) == (["gains nothing"], [])
    assert (shown["alias"], shown["base"]) == ("a preview", "origin/main")
    text = "\n".join(_show_preview(shown))
    assert "thresholds are those of docs/requirements.yaml on origin/main" in text
    assert "After the merge its thresholds would refuse nothing" in text


def test_metrics_measured_by_other_rules_are_refused(pull_request):
    lower(pull_request, "segments: [", "segments: [] # [")
    mine = read_requirements(pull_request / FILE)
    shown = preview_decision(pull_request, "origin/main", mine, lambda requirements: {"refused": []})
    assert "this pull request changes `segments`" in shown["refused"][0]
    assert shown["refused_after_merge"] == []


def test_base_that_cannot_be_read_is_named(pull_request):
    with pytest.raises(StepError, match=r"git has no origin/none.*fetch-depth: 0"):
        base_requirements(pull_request, "origin/none")
    (pull_request / FILE).write_text("gates: 3\n", encoding="utf-8")
    assert base_requirements(pull_request, "origin/main").gates, "the file of the branch, not of the workspace"
    git(pull_request, "commit", "--quiet", "--all", "--message", "Broken")
    git(pull_request, "push", "--quiet", "origin", "HEAD:broken")
    with pytest.raises(DataError, match=r"docs/requirements\.yaml of origin/broken: docs/requirements\.yaml"):
        base_requirements(pull_request, "origin/broken")


def test_champion_is_that_of_the_base(pull_request):
    with base_champion(pull_request, "origin/main") as folder:
        assert folder == pull_request / "models" / "champion"
    (pull_request / "models" / "champion.dvc").unlink()
    git(pull_request, "commit", "--quiet", "--all", "--message", "No champion")
    git(pull_request, "push", "--quiet", "origin", "HEAD:without")
    (pull_request / "models" / "champion.dvc").write_text("outs: [of the pull request]\n")
    with base_champion(pull_request, "origin/without") as folder:
        assert not folder.exists(), "one that the pull request brings is no champion yet"


def test_champion_of_the_base_that_cannot_be_fetched_is_said(pull_request, capsys):
    (pull_request / "models" / "champion.dvc").write_text("outs: [of the pull request]\n")
    with base_champion(pull_request, "origin/main") as folder:
        assert not folder.exists()
    assert "models/champion of origin/main cannot be read" in capsys.readouterr().err


def test_pull_request_cannot_promote_roll_back_or_decide(tmp_path, monkeypatch):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    client = mlflow.MlflowClient()
    client.create_registered_model("m")
    point = {"gate": "gain", "passed": True, "message": "better"}
    decision = {"metric": "roc_auc", "candidate": 0.7, "refused": [], "points": [point], "champion": None}
    for _ in range(2):
        client.create_model_version("m", source=str(tmp_path), tags={"gate.decision": json.dumps(decision)})
    promote("m", 1, "by a person")
    before = [(version.version, version.tags) for version in find_versions("m").values()]
    for name, value in PULL_REQUEST.items():
        monkeypatch.setenv(name, value)
    for attempt in (
        lambda: promote("m", 2, "at once"),
        lambda: promote("m", 2, "at once", to="staging"),
        lambda: rollback("m", "at once"),
        lambda: decide_once("m", 2, "evidence", lambda champion: decision, "production"),
    ):
        with pytest.raises(RegistryError, match=r"pull request into origin/main: it must not .*Merge it first"):
            attempt()
    assert find_aliases("m") == {"champion": 1}
    assert [entry.version for entry in history("m")] == [1]
    assert [(version.version, version.tags) for version in find_versions("m").values()] == before
