"""A fresh project refuses what is not clean, merges, and installs elsewhere; test_readme runs its own checks."""

import os
import sys

import nbformat
import pytest
from baked import bake_into, put_back
from configobj import ConfigObj
from servers import find_python

pytestmark = pytest.mark.slow


@pytest.fixture
def clean(generated):
    """The generated project, put back to its commit and branch when the test is over."""
    before = generated.run("git", "rev-parse", "HEAD").stdout.strip()
    yield generated
    generated.run("git", "checkout", "--quiet", "--force", "main")
    put_back(generated, before)


def change_cell(project, notebook: str, change) -> None:
    path = project.path / "notebooks" / notebook
    book = nbformat.read(path, as_version=4)
    change(book.cells[-1])
    nbformat.write(book, path)


def test_check_and_pre_commit_refuse_what_fix_mends(clean):
    """Each of four: an output, metadata, an exported module edited by hand, an unused import."""
    output = nbformat.v4.new_output("stream", text="left over")
    change_cell(clean, "40_features.ipynb", lambda cell: cell.update(outputs=[output]))
    change_cell(clean, "30_clean.ipynb", lambda cell: cell.metadata.update(collapsed=True))
    clean.edit("code/flight_delays/features/build.py", {"// 100 * 60": "// 100 * 61"})
    checked = clean.run("stagebook", "check", "notebooks", ok=False).stderr
    assert "40_features.ipynb has outputs" in checked
    assert "30_clean.ipynb is not clean" in checked
    assert "build.py is not what its notebook exports" in checked
    clean.run("stagebook", "check", "lint")
    change_cell(clean, "50_train.ipynb", lambda cell: cell.update(source=f"{cell.source}\nimport antigravity"))
    said = clean.run("make", "check", ok=False)
    assert "50_train.ipynb" in said.stdout
    assert all(line in said.stderr for line in checked.splitlines() if ".ipynb" in line)
    clean.run("git", "add", "--all")
    assert "make check" in clean.run("git", "commit", "--message", "dirty", ok=False).stderr
    clean.run("make", "fix")
    clean.run("make", "check")
    changed = clean.run("git", "diff", "HEAD", "--name-only").stdout.split()
    assert set(changed) <= {"notebooks/50_train.ipynb"}
    for notebook in ("30_clean", "40_features"):
        assert "parameters" in clean.read(f"notebooks/{notebook}.ipynb")


def test_dvc_can_read_what_setup_tells_git(clean):
    """DVC's experiments read .git/config by ConfigObj, which is stricter than git."""
    config = ConfigObj(str(clean.path / ".git" / "config"), list_values=False)
    assert config['merge "jupyternotebook"']["driver"].endswith(".venv/bin/nbdev-merge %O %A %B %P")


def test_notebooks_merge_cell_by_cell(clean):
    path = clean.path / "notebooks" / "30_clean.ipynb"

    def change(branch, cell, text):
        clean.run("git", "checkout", "--quiet", "-b", branch, "main")
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[cell].source += text
        nbformat.write(notebook, path)
        clean.commit(branch)

    try:
        change("one", 0, "\nFrom branch one.")
        change("two", 0, "\nFrom branch two.")
        merge = clean.run("git", "merge", "--no-edit", "one", ok=False)
        assert "conflict" in (merge.stdout + merge.stderr).lower()
        merged = nbformat.read(path, as_version=4)
        nbformat.validate(merged)
        text = "\n".join(cell.source for cell in merged.cells)
        assert "From branch one." in text
        assert "From branch two." in text
    finally:
        clean.run("git", "reset", "--hard", "--quiet")
        clean.run("git", "checkout", "--quiet", "main")
        clean.run("git", "branch", "-D", "one", "two")


@pytest.mark.full
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
    project.run("stagebook", "check", "wiring", **tools)
    project.run("pytest", **tools)
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_a_clean_change_passes_the_hook(clean):
    clean.edit("notebooks/10_ingest.ipynb", {"# Ingest the raw tables": "# Ingest the raw tables, unchanged"})
    clean.run("make", "fix")
    clean.run("git", "commit", "--all", "--message", "A better title")
    assert clean.run("git", "status", "--porcelain").stdout == ""
