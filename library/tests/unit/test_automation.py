"""What CI runs, as far as it can be said without a host: parameters, remotes, a proposal."""

import subprocess

import pytest
from stagebook.automate.http import Api
from stagebook.automate.proposal import commit_changes
from stagebook.automate.retrain import change_parameters, check_remote
from stagebook.cli.main import main
from stagebook.project.errors import StepError

PARAMETERS = """# what is in here
train:
  trials: 0 # none
  model: best
ingest: {months: [1, 2]}
"""


def git(folder, *words):
    return subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def project(tmp_path):
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    return tmp_path


def test_parameters_are_written_and_comments_stay(project):
    change_parameters(project, "train.trials=20 'ingest.months=[1,2,3]' train.model=linear")
    text = (project / "params.yaml").read_text()
    assert "trials: 20 # none" in text
    assert "model: linear" in text
    assert text.startswith("# what is in here")
    change_parameters(project, " ")
    assert (project / "params.yaml").read_text() == text


@pytest.mark.parametrize("wrong", ["train.trails=20", "nonsense", "train.trials='20", "x=1; touch y"])
def test_parameters_that_are_none_are_refused_and_nothing_is_written(project, wrong):
    with pytest.raises(StepError, match="PARAMETERS"):
        change_parameters(project, f"train.trials=5 {wrong}")
    assert (project / "params.yaml").read_text() == PARAMETERS


@pytest.mark.parametrize(
    ("url", "machine", "refused"),
    [
        ("../storage", "github-hosted", True),
        ("../storage", "self-hosted", False),
        ("s3://bucket/folder", "github-hosted", False),
    ],
)
def test_what_only_a_hosted_runner_would_have_is_not_pushed(project, monkeypatch, url, machine, refused):
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text(f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {url}\n")
    monkeypatch.setenv("RUNNER_ENVIRONMENT", machine)
    if not refused:
        check_remote(project)
        return
    with pytest.raises(StepError, match="Nobody could pull"):
        check_remote(project)


def test_a_remote_that_has_moved_is_named(project, monkeypatch, capfd):
    (project / "dvc.yaml").touch()
    (project / "pyproject.toml").touch()
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text(
        "[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../gone\n"
    )
    (project / "rows.csv.dvc").write_text("outs:\n- md5: 0123456789abcdef0123456789abcdef\n  path: rows.csv\n")
    monkeypatch.chdir(project)
    assert main(["pull"]) == 0
    assert f"the remote is the folder '{project / 'gone'}', which is not there" in capfd.readouterr().out


def test_a_proposal_is_one_commit_on_what_is_there(project, monkeypatch):
    author = ("Bot", "bot@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name, raising=False)
    assert commit_changes(project, "First", author)
    assert not commit_changes(project, "Again", author)
    assert git(project, "log", "--format=%an %ae %s %D").strip() == "Bot bot@example.com First HEAD -> retrain"
    git(project, "config", "user.email", "me@example.com")
    git(project, "config", "user.name", "Me")
    (project / "params.yaml").write_text("train: {}\n")
    assert commit_changes(project, "Second", author)
    assert git(project, "log", "-1", "--format=%an %s").strip() == "Me Second"


def test_a_server_that_is_not_there_is_said_in_a_line():
    with pytest.raises(StepError, match=r"GET http://127.0.0.1:9/x failed"):
        next(Api("http://127.0.0.1:9", {}).pages("/x"))
