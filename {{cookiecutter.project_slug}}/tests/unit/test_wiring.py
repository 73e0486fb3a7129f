"""dvc.yaml, params.yaml and the notebooks must tell the same story: a dependency left out is a stale result."""

import ast
import re
from fnmatch import fnmatch
from pathlib import Path

import nbformat
import pytest
from ruamel.yaml import YAML

from {{ cookiecutter.package_name }}.pipeline.parameters import (
    check_parameters,
    notebook_parameters,
    step_name,
    step_parameters,
)

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STAGES = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
PACKAGE = check_parameters.__module__.split(".")[0]

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def cells(notebook):
    return nbformat.read(notebook, as_version=4).cells


def outputs(stage):
    entries = [*stage.get("outs", []), *stage.get("metrics", [])]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def named(patterns, files):
    """The files that patterns such as data/raw/*.parquet name, and those patterns that name none."""
    found = {pattern: {file for file in files if fnmatch(file, pattern)} for pattern in patterns}
    return set().union(*found.values()) | {pattern for pattern, named in found.items() if not named}


def imported_files(source, module):
    """Files of the package that `source` imports; `module` is the dotted name that relative imports start from."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            parts = module.split(".")[: -node.level] if node.level else []
            base = ".".join(parts + ([node.module] if node.module else []))
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            file = ROOT / "code" / (name.replace(".", "/") + ".py")
            if name.split(".")[0] == PACKAGE and file.is_file():
                yield name, file


def needed_modules(notebook):
    """All files of the package that the notebook needs, those that its imports import included."""
    source = "\n".join(cell.source for cell in cells(notebook) if cell.cell_type == "code")
    todo, seen = list(imported_files(source, "")), set()
    while todo:
        name, file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += imported_files(file.read_text(encoding="utf-8"), name)
    return {file.relative_to(ROOT).as_posix() for file in seen}


def test_every_notebook_is_a_stage_and_every_stage_a_notebook():
    assert [step_name(notebook) for notebook in NOTEBOOKS] == list(STAGES)


@each_notebook
def test_stage_runs_its_notebook_and_keeps_its_report(notebook):
    stage = STAGES[step_name(notebook)]
    assert stage["cmd"] == f"python -m {PACKAGE}.pipeline run notebooks/{notebook.name}"
    assert {f"reports/{notebook.stem}.ipynb", f"reports/{notebook.stem}.html"} <= outputs(stage)
    assert stage["params"] == [step_name(notebook)]


@each_notebook
def test_stage_depends_on_exactly_the_code_it_imports(notebook):
    code = {dep for dep in STAGES[step_name(notebook)]["deps"] if dep.startswith(("code/", "notebooks/"))}
    assert code == needed_modules(notebook) | {f"notebooks/{notebook.name}"}


@each_notebook
@pytest.mark.parametrize("word", ["Reads", "Writes", "Parameters"])
def test_notebook_says_what_dvc_yaml_says(notebook, word):
    stage, step = STAGES[step_name(notebook)], step_name(notebook)
    bullet = next(line for line in cells(notebook)[1].source.splitlines() if line.startswith(f"- **{word}**"))
    said = set(re.findall(r"`([^`]+)`", bullet))
    if word == "Reads":
        data = {dep for dep in stage["deps"] if not dep.startswith(("code/", "notebooks/", "$"))}
        assert named({name for name in said if "/" in name}, data) == data
    elif word == "Writes":
        written = {out for out in outputs(stage) if not out.startswith(f"reports/{notebook.stem}.")}
        assert named(said, written) == written
    else:
        assert said == set(step_parameters(ROOT / "params.yaml", step))


@each_notebook
def test_parameters_fit_the_notebook(notebook):
    step = step_name(notebook)
    check_parameters(step_parameters(ROOT / "params.yaml", step), notebook_parameters(notebook), step, notebook.name)


@each_notebook
def test_notebook_follows_the_pattern(notebook):
    first, contract, export, *_ = cells(notebook)
    title, _, summary = first.source.splitlines()
    assert title.startswith("# ") and summary.startswith("> ")
    assert contract.source.startswith("- **Reads**")
    assert export.source.startswith("#| default_exp ")
    assert {"## Run", "## What to look at"} <= {cell.source.splitlines()[0] for cell in cells(notebook) if cell.source}
