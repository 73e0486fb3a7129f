"""A generated project is small and its documents are true: files, lines and verbs are counted, links and commands followed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from baked import TEMPLATE, Project, bake_into
from ruamel.yaml import YAML
from test_options import OPTIONS, OWN

sys.path.insert(0, str(TEMPLATE / "library" / "stagebook"))
from stagebook.cli.main import COMMANDS

LIBRARY = "vendor/stagebook"


@pytest.fixture(scope="module", params=[{}, OWN], ids=["flights", "own"])
def project(request, tmp_path_factory) -> Project:
    """The project of the default answers; tests only read it."""
    return bake_into(tmp_path_factory.mktemp("thin"), **request.param)


@pytest.fixture(scope="module", params=OPTIONS.values(), ids=OPTIONS)
def any_project(request, tmp_path_factory) -> Project:
    return bake_into(tmp_path_factory.mktemp("any"), **request.param)


def own_files(project: Project) -> set[str]:
    """Return the files outside vendor/."""
    return {file for file in project.files() if not file.startswith("vendor/")}


def written_later(project: Project) -> set[str]:
    """Return what the first run adds to git: the lock file, outputs that DVC does not cache, and the catalog."""
    stages = YAML(typ="safe").load(project.read("dvc.yaml"))["stages"].values()
    outs = [out for stage in stages for out in stage["outs"]]
    uncached = {name for out in outs if isinstance(out, dict) for name, how in out.items() if how.get("cache") is False}
    tables = [Path(out) for out in outs if isinstance(out, str) and out.endswith(".parquet")]
    pages = {f"docs/data/{table.parent.name}-{table.stem}.md" for table in tables}
    return {"dvc.lock", "docs/data/README.md", *uncached, *pages}


def count_lines(project: Project, folder: str) -> int:
    files = (project.path / folder).rglob("*.py")
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def split_markdown(text: str) -> tuple[list[str], list[list[str]]]:
    """Return the lines of prose and tables, without empty ones, and those of each block of code."""
    parts = re.split(r"^```.*$", text, flags=re.MULTILINE)
    prose = [line for part in parts[::2] for line in part.splitlines() if line.strip()]
    return prose, [part.strip("\n").splitlines() for part in parts[1::2]]


# Counted


def test_few_files_are_in_git(project):
    later = written_later(project)
    assert {"data/baseline.json", "docs/data/processed-train.md"} <= later
    apart = {name for name in own_files(project) if name.startswith("pipelines/")}
    assert len(own_files(project) - apart | later) <= 86 and len(apart) <= 7


def test_full_governance_stays_within_a_hundred_files(bake):
    project = bake(governance="full")
    files = own_files(project) | written_later(project)
    assert sum(not name.startswith("pipelines/") for name in files) <= 98


def test_little_code_is_there_to_maintain(project):
    assert 0 < count_lines(project, "code") <= 1000
    assert 0 < count_lines(project, "tests") <= 400


def test_the_pipeline_is_a_short_file(project):
    assert len(project.read("dvc.yaml").splitlines()) < 245, "two dozen lines for each of ten stages"
    assert len(project.read("Makefile").splitlines()) < 90


@pytest.mark.parametrize("answers", [{}, {"tracking": "server"}])
def test_the_verbs_fit_one_screen(bake, answers):
    project = bake(**answers)
    lines = project.run("make", "help").stdout.splitlines()
    verbs = [line.split()[0] for line in lines]
    assert len(verbs) == len(set(verbs)) <= 14 + len(answers)
    assert set(verbs) <= set(re.findall(r"^([a-z]+):", all_makefiles(project), re.MULTILINE))
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 120


def all_makefiles(project: Project) -> str:
    files = [project.path / "Makefile", *(project.path / "environments").glob("*.mk")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_the_readme_is_one_screen_and_one_tree(project):
    prose, blocks = split_markdown(project.read("README.md"))
    assert len(prose) <= 42
    assert [len(block) <= 24 for block in blocks] == [True, True], "the commands, and the tree"
    rows = [line for line in prose if line.startswith("| ")]
    assert len(rows) <= 15, "where to change what, in a dozen lines and a head"


def test_requirements_are_about_sixty_lines(project):
    assert len(project.read("docs/requirements.yaml").splitlines()) <= 70


def test_nothing_of_nbdev_and_of_python_is_left_over(project):
    assert not [file for file in project.files() if re.search(r"_modidx|__pycache__|egg-info", file)]


# True


def test_each_path_of_the_tree_exists(any_project):
    _, blocks = split_markdown(any_project.read("README.md"))
    [tree] = [block for block in blocks if block[0].startswith("notebooks/")]
    found, folder = [], any_project.path
    for line in tree:
        indent, names = re.match(r"( *)((?:\S+ )*\S+)", line).groups()
        if len(indent) > 2:
            continue  # goes on from the line before
        parent = folder if indent else any_project.path
        found += [parent / name for name in names.split(" ")]
        folder = folder if indent else found[-1]
    missing = [path.relative_to(any_project.path).as_posix() for path in found if not path.exists()]
    later = [".local"] if "data/schema.yaml" in any_project.files() else ["data/schema.yaml", ".local"]
    assert missing == later, "made by the first run"
    assert len(found) > 15


def test_each_notebook_is_in_the_tree(project):
    text = project.read("README.md")
    assert all(file.stem in text for file in (project.path / "notebooks").iterdir())


def anchors(text: str) -> set[str]:
    """Return the anchors of headings as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_no_link_between_documents_is_dead(any_project):
    links = 0
    for file in sorted(file for file in any_project.files() if file.endswith(".md")):
        text = re.sub(r"^```.*?^```$", "", any_project.read(file), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            there = (any_project.path / file).parent / path if path else any_project.path / file
            assert there.exists(), f"{file}: {target}"
            assert not anchor or anchor in anchors(there.read_text(encoding="utf-8")), f"{file}: {target}"
            links += 1
    assert links > 12


def text_files(project: Project) -> dict[str, str]:
    """Return what people read or run: all files of the project, and the library's documents."""
    files = own_files(project) | {file for file in project.files() if file.startswith(f"{LIBRARY}/docs/")}
    return {file: project.read(file) for file in sorted(files)}


def test_documents_that_are_named_exist(any_project):
    for file, text in text_files(any_project).items():
        for name in re.findall(rf"{LIBRARY}/[\w/]+\.\w+", text):
            assert (any_project.path / name).is_file(), f"{file} names {name}"
        if file.startswith("vendor/"):
            continue  # documents of the library speak of both answers' files
        for name in re.findall(r"(?<![\w/.])docs/\w+\.(?:md|yaml|py)", text):
            assert (any_project.path / name).is_file(), f"{file} names {name}"


def test_commands_that_are_named_exist(any_project):
    verbs = set(re.findall(r"^([a-z]+):", all_makefiles(any_project), re.MULTILINE)) | {"server"}
    for file, text in text_files(any_project).items():
        for words in re.findall(r"`make ([^`]+)`", text):
            named = [word for word in words.split() if re.fullmatch(r"[a-z-]+", word)]
            assert words.startswith("-") or set(named[:1]) <= verbs, f"{file}: `make {words}`"
        for name in re.findall(r"`(?:\.venv/bin/)?stagebook ([a-z][a-z-]*)", text):
            assert name in COMMANDS, f"{file}: `stagebook {name}`"


def test_state_of_this_machine_is_in_one_folder_that_git_does_not_see(project):
    subprocess.run(["git", "init", "--quiet", str(project.path)], check=True)
    ignored = project.run("git", "check-ignore", ".local/mlflow.db", ".local/mlruns/0", ".local/optuna.db").stdout
    assert len(ignored.splitlines()) == 3
    for file, text in text_files(project).items():
        if file.endswith("/updating.md"):  # names the files of older releases
            continue
        stray = re.findall(r"(?<![\w./])(?:mlflow\.db|mlruns|optuna\.db|features\.db)\b", text)
        assert not stray, f"{file} names {stray} outside .local/"


# The editor


def test_editor_and_container_agree(project):
    extensions = json.loads(project.read(".vscode/extensions.json"))["recommendations"]
    container = json.loads(project.read(".devcontainer/devcontainer.json"))
    assert container["customizations"]["vscode"] == {"extensions": extensions}, "settings are in .vscode, for both"
    assert extensions == sorted(
        ["ms-python.python", "ms-toolsai.jupyter", "charliermarsh.ruff", "iterative.dvc", "redhat.vscode-yaml"]
    )


def test_the_editor_shows_exported_modules_read_only_and_no_others(any_project):
    settings = json.loads(any_project.read(".vscode/settings.json"))
    shown = {path for glob in settings["files.readonlyInclude"] for path in any_project.path.glob(glob)}
    modules = (any_project.path / "code").rglob("*.py")
    assert shown == {path for path in modules if "AUTOGENERATED! DO NOT EDIT" in path.read_text(encoding="utf-8")}


def test_the_editor_formats_with_ruff_and_does_not_search_the_library(project):
    settings = json.loads(project.read(".vscode/settings.json"))
    assert (
        settings["[python]"]["editor.defaultFormatter"] == settings["notebook.defaultFormatter"] == "charliermarsh.ruff"
    )
    assert settings["search.exclude"]["vendor"] is True
    assert settings["python.testing.pytestEnabled"] is True
    assert (project.path / settings["python.testing.pytestArgs"][0]).is_dir()
    assert settings["python.defaultInterpreterPath"] == "${workspaceFolder}/.venv/bin/python"
