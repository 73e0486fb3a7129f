"""When a warm process is out of date: library, packages, settings, and variables that are read at a start."""

import os
import sys
from pathlib import Path

import pytest
from samples import PYPROJECT, write_project
from stagebook.step.warm import client

if sys.platform != "linux":
    pytest.skip("there is no warm process", allow_module_level=True)


@pytest.fixture
def name(tmp_path, monkeypatch):
    """Return a function that names what a warm process of a project would have loaded, with a library of one file."""
    write_project(tmp_path / "project")
    file = tmp_path / "library" / "step" / "warm" / "client.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    monkeypatch.setattr(client, "__file__", str(file))
    return lambda: client._fingerprint(tmp_path / "project")


def test_nothing_changed_is_the_same(name, monkeypatch):
    before = name()
    monkeypatch.setenv("SOME_OTHER", "1")
    monkeypatch.setenv("MLFLOW_RUN_ID", "1")
    assert name() == before


def test_an_edit_an_addition_and_a_removal_in_the_library_count(name, tmp_path):
    seen, library = [name()], tmp_path / "library"
    (library / "step" / "new.py").write_text("")
    seen.append(name())
    os.utime(library / "step" / "new.py", ns=(1, 1))
    seen.append(name())
    (library / "step" / "new.py").write_text("x = 1")
    os.utime(library / "step" / "new.py", ns=(1, 1))
    seen.append(name())
    (library / "step" / "warm" / "client.py").unlink()
    seen.append(name())
    assert len(set(seen)) == 5


def test_settings_of_the_warm_process_count_and_others_do_not(name, tmp_path):
    before, file = name(), tmp_path / "project" / "pyproject.toml"
    file.write_text(PYPROJECT + "trusted_types = ['a.B']\n")
    assert name() == before
    file.write_text(PYPROJECT + "[tool.stagebook.warm_process]\npreload = ['pandas']\n")
    assert name() != before


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "PYTHONPATH", "LC_ALL", "MPLBACKEND", "OPENBLAS_VERBOSE"])
def test_variables_that_are_read_at_a_start_count(name, monkeypatch, variable):
    before = name()
    monkeypatch.setenv(variable, "3")
    assert name() != before


def test_installed_packages_count(name, monkeypatch):
    before = name()
    place = next(Path(place) for place in sys.path if place.startswith(sys.prefix) and Path(place).is_dir())
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(place)])
    assert name() != before
