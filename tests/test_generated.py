"""A fresh project refuses what is not clean, merges, and installs elsewhere; test_workflows runs its own checks."""

import os
import sys

import nbformat
import pytest
from conftest import bake_into, find_python

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


def test_other_names_another_python_and_another_environment_work(tmp_path):
    names = {"project_name": "Żółw \"x\" 'y' \\ 🐢\nz", "project_slug": "zolw", "package_name": "z" * 30}
    found = ((version, path) for version in ("3.12", "3.13") if (path := find_python(version)))
    version, python = next(found, ("3.11", sys.executable))
    project = bake_into(tmp_path, **names, python_version=version)
    said = project.run("make", "setup", "PYTHON=/no/such/python", ok=False)
    assert "/no/such/python" in said.stdout + said.stderr
    said = project.run("make", "setup", "PYTHON=", ok=False)
    assert f"ERROR: no Python {version} to 3.13 found" in said.stdout
    environment = tmp_path / "conda-like"
    project.run(str(python), "-m", "venv", str(environment))
    project.run("make", "setup", f"VENV={environment}")
    assert not (project.path / ".venv").exists()
    given = project.run(str(python), "--version").stdout
    assert project.run(f"{environment}/bin/python", "--version").stdout == given
    project.commit("As generated")
    for verb in ("check", "fix"):
        project.run("make", verb, f"VENV={environment}")
    tools = {"PATH": f"{environment}/bin:{os.environ['PATH']}"}
    project.run("nbdev-test", **tools)
    project.run("pytest", "tests/unit/test_wiring.py", "tests/unit/test_models.py", **tools)
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_a_clean_change_passes_the_hook(installed):
    before = installed.run("git", "rev-parse", "HEAD").stdout.strip()
    try:
        installed.edit("notebooks/10_ingest.ipynb", {"# Ingest the raw tables": "# Ingest the raw tables, unchanged"})
        installed.run("make", "fix")
        installed.run("git", "commit", "--all", "--message", "A better title")
        assert installed.run("git", "status", "--porcelain").stdout == ""
    finally:
        installed.run("git", "reset", "--hard", "--quiet", before)
