"""A project gets a repository of its own, unless it is inside another one: then its user chooses."""

import os
import sys
from pathlib import Path

import pytest
from samples import git, write_files
from stagebook.project.errors import StepError
from stagebook.scaffold.environment import prepare_git

SETTINGS = {".pre-commit-config.yaml": "repos: []\n", "Makefile": "setup:\n"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in a folder below a git repository, with the tools of this environment."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    git(tmp_path, "init", "--quiet")
    return write_files(tmp_path / "team" / "flights", SETTINGS)


def hook(folder):
    return folder / ".git" / "hooks" / "pre-commit"


def test_outside_of_any_repository_one_is_made(project):
    (project.parents[1] / ".git").rename(project.parents[1] / "no-git")
    prepare_git(project)
    assert hook(project).is_file()
    prepare_git(project)
    assert "nbdev-merge" in git(project, "config", "merge.jupyternotebook.driver")


def test_inside_another_the_choice_is_told_and_nothing_is_done(project):
    with pytest.raises(StepError, match=r"flights is inside the git repository .*\n  git init .*\n  git add \. "):
        prepare_git(project)
    assert not (project / ".git").exists()
    assert "nbdev" not in git(project, "config", "--list")


def test_inside_one_that_ignores_it_it_gets_its_own(project):
    write_files(project.parents[1], {".gitignore": "team/\n"})
    prepare_git(project)
    assert hook(project).is_file() and not hook(project.parents[1]).exists()


def test_the_choice_of_an_own_one(project):
    git(project, "init", "--quiet")
    prepare_git(project)
    assert hook(project).is_file() and not hook(project.parents[1]).exists()


def test_the_choice_of_the_other_one(project, capsys):
    git(project, "add", ".")
    prepare_git(project)
    assert "the project is a part of" in capsys.readouterr().out
    assert not (project / ".git").exists() and not hook(project.parents[1]).exists()
    assert "nbdev-merge" in git(project, "config", "merge.jupyternotebook.driver")


def test_a_submodule_is_a_repository_of_its_own(project, tmp_path):
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    git(tmp_path, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(project), "sub")
    prepare_git(tmp_path / "sub")
    assert (tmp_path / ".git" / "modules" / "sub" / "hooks" / "pre-commit").is_file()
    assert "nbdev" not in git(tmp_path, "config", "--list")
