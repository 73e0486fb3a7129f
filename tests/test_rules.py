"""Rules that the template's own files keep."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from baked import TEMPLATE
from ruamel.yaml import YAML

GENERATED = TEMPLATE / "{{cookiecutter.project_slug}}"
NOTEBOOKS = sorted(GENERATED.rglob("notebooks/*.ipynb"))
CODE = sorted(file for file in GENERATED.rglob("*.py") if "code" in file.relative_to(GENERATED).parts)
VARIABLE = "{{ cookiecutter.package_name }}"
WORKFLOWS = list(TEMPLATE.glob(".github/workflows/*.yaml"))  # those of a project: test_workflows.py
CONSTRAINTS = [TEMPLATE / "constraints.txt", *sorted(GENERATED.glob("environments/constraints-*.txt"))]


def tool(name: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [Path(sys.executable).with_name(name), *words], cwd=TEMPLATE, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("file", [*GENERATED.rglob("*.py"), *NOTEBOOKS], ids=lambda path: path.name)
def test_no_jinja_in_code_but_the_package_name_on_import_lines(file):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"\{%|\{#", text)
    for line in text.splitlines():
        if "{{" in line:
            code = line.strip().strip('",').removesuffix("\\n")
            assert re.fullmatch(rf"from {re.escape(VARIABLE)}(\.\w+)* import ([\w, ]+|\()", code), (
                f"{file.name}: {line}"
            )


def test_package_code_has_no_variable_at_all():
    assert not [file.name for file in CODE if "{{" in file.read_text(encoding="utf-8")]


def test_code_folder_does_not_shadow_the_standard_library():
    assert not (GENERATED / "code" / "__init__.py").exists()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_have_no_outputs_and_keep_to_their_size(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    assert not any(cell.get("outputs") for cell in cells)
    assert len(cells) <= 28
    assert (
        max(len(cell.source.splitlines()) for cell in cells if "parameters" not in cell.metadata.get("tags", [])) <= 26
    )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_follows_the_pattern(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    title, _, summary = cells[0].source.splitlines()
    assert title.startswith("# ") and summary.startswith("> ")
    assert cells[1].source.startswith("- **Reads**")
    exported = [cell.source for cell in cells if re.match(r"#\| *export\b", cell.source)]
    assert cells[2].source.startswith("#| default_exp ") is bool(exported)
    assert {"## Run", "## Results"} <= {cell.source.splitlines()[0] for cell in cells if cell.source}


@pytest.mark.parametrize("file", CODE, ids=lambda path: path.name)
def test_modules_keep_to_their_size(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= (190 if file.name == "registry.py" else 170)


@pytest.mark.parametrize("file", CONSTRAINTS, ids=lambda path: path.name)
def test_constraints_pin_everything_and_name_no_host(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 20
    for line in lines:
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[\w.+!]+( ; .*)?", line), line


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: "-".join(path.parts[-4:]))
def test_workflow_fits_the_schema_and_is_safe(workflow):
    schema = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(workflow))
    assert schema.returncode == 0, schema.stdout
    audit = tool("zizmor", "--offline", "--quiet", "--persona=pedantic", "--min-severity=low", str(workflow))
    assert audit.returncode == 0, audit.stdout


def test_no_file_names_this_machine():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=TEMPLATE, capture_output=True, text=True, check=True).stdout
    for name in filter(lambda name: name and (TEMPLATE / name).is_file(), tracked.split("\0")):
        text = (TEMPLATE / name).read_text(encoding="utf-8", errors="replace")  # pictures too
        assert str(TEMPLATE) not in text, name
        assert str(Path.home()) + "/" not in text, name


def _now(document):
    """What a document says of the present: the changelog names verbs of earlier releases."""
    return re.split(r"^## \d", document.read_text(encoding="utf-8"), maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("folder", [TEMPLATE, GENERATED], ids=["template", "project"])
def test_every_verb_that_a_document_names_is_in_the_makefile(folder):
    # the template's documents speak of both
    makefiles = {folder / "Makefile", GENERATED / "Makefile", *GENERATED.glob("options/*/*/environments/*.mk")}
    verbs = {
        verb
        for file in makefiles
        for verb in re.findall(r"^([a-z-]+):", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    documents = [*folder.glob("*.md"), *folder.glob("docs/**/*.md"), *folder.glob("environments/*.md")]
    used = {verb for file in documents for verb in re.findall(r"(?:`|^)make ([a-z][a-z-]*)", _now(file), re.MULTILINE)}
    assert used
    assert used <= verbs, used - verbs


def test_a_question_has_a_prompt_and_there_are_few_of_them():
    answers = YAML(typ="safe").load((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    questions = {name for name in answers if not name.startswith("_")}
    assert questions == set(answers["__prompts__"])
    about_own_data = {"data_path", "target", "time_column"}
    assert len(questions - about_own_data) <= 14  # a dozen, governance and deployment


def test_own_code_is_linted():
    check = tool("ruff", "check", "tests", "hooks")
    assert check.returncode == 0, check.stdout
    style = tool("ruff", "format", "--check", "tests", "hooks")
    assert style.returncode == 0, style.stdout


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_notebooks_are_short(file):
    cells = nbformat.read(file, as_version=4).cells
    assert len(cells) <= 20
    lines = {cell.id: len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code"}
    most = {"parameters": 30}  # a line per setting, with a comment each
    assert {name: number for name, number in lines.items() if number > most.get(name, 12)} == {}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_a_styler_escapes_what_it_shows(file):
    """pandas escapes names and values in a table, but not in a styled one."""
    cells = [cell.source for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    assert [source for source in cells if ".style." in source and 'escape="html"' not in source] == []
