"""A project that was moved, or whose Python is gone, gets its environment again; nothing else does."""

import shutil
import sys
from pathlib import Path

import pytest
from baked import Project

AGAIN = "The project or its Python was moved: making .venv again."


@pytest.fixture
def ready(bake):
    """A project with an environment that has a Python of its own and no packages, as `make setup` leaves its marks."""
    project = bake()
    python = project.path / "python3"
    python.symlink_to(Path(sys.executable).resolve())
    folder = project.path / ".venv" / "bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(python)
    (folder.parent / ".ready").write_text(f"{project.path} {python.resolve()}\n")
    return project


def planned(project: Project) -> str:
    """Return what `make setup` would run."""
    return project.run("make", "--dry-run", "setup").stdout


def test_nothing_is_made_again_where_nothing_has_moved(ready):
    assert "venv" not in planned(ready)
    (ready.path / ".venv" / ".ready").write_text("")  # of a project that an earlier release has set up
    assert "venv" not in planned(ready)
    assert AGAIN not in ready.run("make", "--dry-run", "setup", "VENV=/somewhere/else").stdout


@pytest.mark.parametrize("name", ["renamed", "it's moved; 100 %"])
def test_a_moved_project_makes_its_environment_again(ready, name):
    moved = Project(ready.path.rename(ready.path.with_name(name)))
    (moved.path / ".venv" / "bin" / "python").unlink()
    (moved.path / ".venv" / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    plan = planned(moved)
    assert AGAIN in plan and "rm -rf .venv;" in plan and "-m venv .venv" in plan
    assert AGAIN not in moved.run("make", "help").stdout


@pytest.mark.parametrize("what", ["gone", "another"])
def test_so_does_one_whose_python_is_gone_or_another(ready, what):
    (ready.path / "python3").unlink()
    if what == "another":
        (ready.path / "python3").symlink_to(shutil.which("sh"))
    assert AGAIN in planned(ready)


def test_clean_works_without_a_working_environment(ready):
    (ready.path / "python3").unlink()
    (ready.path / "reports" / ".partial-50_train.html").write_text("")
    ready.run("make", "clean")
    assert not (ready.path / ".venv").exists()
    assert not list(ready.path.rglob(".partial-*"))
    assert (ready.path / "reports").is_dir()
