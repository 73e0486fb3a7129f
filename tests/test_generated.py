"""A fresh project refuses what is not clean, merges, and installs elsewhere; test_workflows runs its own checks."""

import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import bake_into

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("change", ["output", "metadata", "module", "lint"])
def test_check_and_pre_commit_refuse_what_fix_mends(installed, change):
    path = installed.path / "notebooks" / "40_features.ipynb"
    notebook = nbformat.read(path, as_version=4)
    if change == "output":
        notebook.cells[3].outputs = [nbformat.v4.new_output("stream", text="left over")]
    elif change == "metadata":
        notebook.cells[3].metadata["collapsed"] = True
    elif change == "lint":
        notebook.cells[3].source += "\nimport os"
    nbformat.write(notebook, path)
    if change == "module":
        installed.edit("code/flight_delays/features/build.py", {"// 100 * 60": "// 100 * 61"})
    try:
        said = installed.run("make", "check", ok=False)
        assert "40_features" in said.stdout + said.stderr or "build.py" in said.stderr
        installed.run("git", "add", "--all")
        assert "make check" in installed.run("git", "commit", "--message", "dirty", ok=False).stderr
        installed.run("make", "fix")
        installed.run("make", "check")
        if change != "lint":
            assert installed.run("git", "diff", "HEAD", "--stat").stdout == ""
            assert "parameters" in path.read_text()
    finally:
        installed.run("git", "reset", "--hard", "--quiet")


def test_notebooks_merge_cell_by_cell(installed):
    path = installed.path / "notebooks" / "30_clean.ipynb"

    def change(branch, cell, text):
        installed.run("git", "checkout", "--quiet", "-b", branch, "main")
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[cell].source += text
        nbformat.write(notebook, path)
        installed.commit(branch)

    try:
        change("one", 0, "\nFrom branch one.")
        change("two", 0, "\nFrom branch two.")
        merge = installed.run("git", "merge", "--no-edit", "one", ok=False)
        assert "conflict" in (merge.stdout + merge.stderr).lower()
        merged = nbformat.read(path, as_version=4)
        nbformat.validate(merged)
        text = "\n".join(cell.source for cell in merged.cells)
        assert "From branch one." in text
        assert "From branch two." in text
    finally:
        installed.run("git", "reset", "--hard", "--quiet")
        installed.run("git", "checkout", "--quiet", "main")
        installed.run("git", "branch", "-D", "one", "two")


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_other_names_and_pythons_work(tmp_path, version):
    names = {"project_name": "Żółw \"x\" 'y' \\ 🐢\nz", "project_slug": "zolw", "package_name": "z" * 30}
    project = bake_into(tmp_path, **names, python_version=version)
    pythons = [*Path.home().glob(f".pyenv/versions/{version}.*/bin/python"), shutil.which(f"python{version}")]
    if not (python := next(filter(None, pythons), None)):
        assert f"ERROR: no Python {version} to 3.13 found" in project.run("make", "setup", ok=False).stdout
        pytest.skip(f"this machine has no Python {version}")
    project.run("make", "setup", f"PYTHON={python}")
    assert f"Python {version}" in project.run(".venv/bin/python", "--version").stdout
    project.commit("As generated")
    project.run("make", "check")
    if version == "3.13":
        project.run("make", "test")
    else:
        project.run("pytest", "tests/unit")
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_another_environment_can_be_named(bake, tmp_path):
    project = bake()
    said = project.run("make", "setup", "PYTHON=/no/such/python", ok=False)
    assert "/no/such/python" in said.stdout + said.stderr
    said = project.run("make", "setup", "PYTHON=", ok=False)
    assert "ERROR: no Python 3.11 to 3.13 found" in said.stdout
    environment = tmp_path / "conda-like"
    project.run(sys.executable, "-m", "venv", str(environment))
    project.run("make", "check", f"VENV={environment}")
    assert not (project.path / ".venv").exists()


def test_a_clean_change_passes_the_hook(installed):
    before = installed.run("git", "rev-parse", "HEAD").stdout.strip()
    try:
        installed.edit("notebooks/10_ingest.ipynb", {"# Ingest the raw tables": "# Ingest the raw tables, unchanged"})
        installed.run("make", "fix")
        installed.run("git", "commit", "--all", "--message", "A better title")
        assert installed.run("git", "status", "--porcelain").stdout == ""
    finally:
        installed.run("git", "reset", "--hard", "--quiet", before)
