"""The vendored copy of the library: each edit of it is named, what Python leaves there is none."""

import subprocess
import sys

import pytest
from samples import write_files
from stagebook.scaffold import vendored
from stagebook.scaffold.checks import report_edits
from stagebook.scaffold.vendored import LIST, find_edits, write_list

FILES = {"pyproject.toml": "[project]\n", "stagebook/__init__.py": "", "stagebook/room/module.py": "x = 1\n"}


@pytest.fixture
def project(tmp_path):
    write_files(tmp_path / "vendor" / "stagebook", FILES)
    write_list(tmp_path)
    return tmp_path


def test_list_is_that_of_sha256sum_and_the_copy_as_given_has_no_edits(project):
    assert find_edits(project) == []
    done = subprocess.run(["sha256sum", "--check", "--quiet", LIST], cwd=project, check=False, capture_output=True)
    assert done.returncode == 0, done.stdout
    assert len((project / LIST).read_text().splitlines()) == len(FILES)


def test_changed_added_and_removed_files_are_named(project, capsys):
    folder = project / "vendor" / "stagebook" / "stagebook"
    (folder / "room" / "module.py").write_text("x = 2\n")
    (folder / "added.py").write_text("")
    (folder / "__init__.py").unlink()
    edited = [f"vendor/stagebook/stagebook/{name}" for name in ("__init__.py", "added.py", "room/module.py")]
    assert find_edits(project) == edited
    report_edits(project)
    assert f"NOTE: vendor/stagebook was edited here: {', '.join(edited)}. `make update`" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["stagebook/__pycache__/a.pyc", "stagebook.egg-info/PKG-INFO", "build/lib/stagebook/a.py"]
)
def test_what_python_leaves_there_is_no_edit(project, name):
    write_files(project / "vendor" / "stagebook", {name: "x"})
    assert find_edits(project) == []


def test_a_project_without_the_copy_has_no_edits(tmp_path, capsys):
    assert find_edits(tmp_path) == []
    report_edits(tmp_path)
    assert capsys.readouterr().out == ""


def test_the_hook_can_use_it_without_any_package():
    code = f"import runpy; runpy.run_path({vendored.__file__!r})"
    subprocess.run([sys.executable, "-S", "-I", "-c", code], check=True)
