"""How the library is built: rooms stand on those below them, it knows no project, and an import does nothing."""

import ast
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import stagebook

FOLDER = Path(stagebook.__file__).parent
ORDER = [
    "project",
    "track",
    "data",
    "features",
    "model",
    "request",
    "evaluate",
    "gate",
    "card",
    "registry",
    "predictions",
    "monitor",
    "serve",
    "deliver",
    "step",
    "pages",
    "automate",
    "replay",
    "scaffold",
    "cli",
]  # ground floor first; a room uses those before it
MODULES = sorted(path.relative_to(FOLDER) for path in FOLDER.rglob("*.py"))
MAX_LINES = 260
VERBS = "help setup pipeline test check fix lab ui promote rollback step docs update clean"
NAMES = [
    ".".join(["stagebook", *path.with_suffix("").parts]).removesuffix(".__init__")
    for path in MODULES
    if path.name != "__main__.py"
]


@cache
def tree(path):
    return ast.parse((FOLDER / path).read_text(encoding="utf-8"))


@cache
def packages():
    return packages_distributions()


@cache
def named_imports(path):
    """The dotted names that a module imports, relative ones in full, each with its statement."""
    module, found = ["stagebook", *path.with_suffix("").parts], []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*module[: -node.level], *filter(None, [node.module])] if node.level else [node.module]
            found += [(".".join([*base, alias.name]), node) for alias in node.names]
    return found


def imports(path):
    return [name for name, _ in named_imports(path)]


def room(name):
    """The room of a module of the library; None for the package itself, such as `stagebook.__version__`."""
    parts = name.split(".")
    return parts[1] if parts[0] == "stagebook" and len(parts) > 1 and parts[1] in ORDER else None


def edges():
    """Each import of one room by another: the two rooms, and where it stands."""
    for path in MODULES:
        own = path.parts[0] if len(path.parts) > 1 else None
        for name in imports(path):
            if own and room(name) and room(name) != own:
                yield own, room(name), f"{path.as_posix()} imports {name}"


def test_each_folder_is_a_room_of_the_order():
    assert {path.parts[0] for path in MODULES if len(path.parts) > 1} == set(ORDER)


def test_a_room_uses_only_rooms_below_it():
    wrong = [
        f"{where}: {own} is below {other}" for own, other, where in edges() if ORDER.index(own) < ORDER.index(other)
    ]
    assert wrong == []


def test_the_library_imports_no_project_and_only_what_it_declares():
    declared, distributions = declared_distributions(), packages()
    wrong = []
    for path in MODULES:
        for name in imports(path):
            top = name.split(".")[0]
            known = top == "stagebook" or top in sys.stdlib_module_names
            if not known and not {normal(each) for each in distributions.get(top, [])} & declared:
                wrong.append(f"{path.as_posix()} imports {name}")
    assert wrong == []


@cache
def project_table():
    return tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions_of(lines):
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in lines}


def declared_distributions():
    extras = project_table()["optional-dependencies"].values()
    return distributions_of([*project_table()["dependencies"], *(line for extra in extras for line in extra)])


def imported_at_once(path):
    """What a module imports when it is itself imported."""
    at_once = {id(node) for node in tree(path).body}
    for node in tree(path).body:
        at_once |= {id(child) for child in getattr(node, "body", [])} if isinstance(node, ast.If | ast.Try) else set()
    return [name for name, node in named_imports(path) if id(node) in at_once]


@cache
def own_modules_imported_at_once(path):
    names = [name.split(".")[1:] for name in imported_at_once(path) if name.split(".")[0] == "stagebook"]
    files = {Path(*parts).with_suffix(".py") for name in names for parts in (name, name[:-1]) if parts}
    return files & set(MODULES)


def needed_beyond_dependencies(path):
    """The installed packages beyond the plain dependencies without which a module cannot be imported."""
    reached, ahead = set(), {path}
    while ahead:
        reached |= ahead
        ahead = {other for module in ahead for other in own_modules_imported_at_once(module)} - reached
    always, installed, found = distributions_of(project_table()["dependencies"]), packages(), set()
    for name in {name for module in reached for name in imported_at_once(module)}:
        top = name.split(".")[0]
        if top != "stagebook" and top not in sys.stdlib_module_names:
            distributions = {normal(each) for each in installed.get(top, [])}
            found |= set() if distributions & always else distributions
    return found


# Whoever calls these has the extra.
EXTRAS = {"data/reading/": "sources", "pages/site/": "site", "scaffold/": "dev", "track/events.py": "openlineage"}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_needs_an_extra_only_where_it_is_about_it(path):
    extra = next((extra for start, extra in EXTRAS.items() if path.as_posix().startswith(start)), None)
    allowed = distributions_of(project_table()["optional-dependencies"][extra]) if extra else set()
    assert needed_beyond_dependencies(path) <= allowed


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=str)
def test_a_package_imports_nothing_by_itself(path):
    code = [node for node in tree(path).body if not isinstance(node, ast.Expr)]
    assert [ast.unparse(node) for node in code if not isinstance(node, ast.Assign)] == []


IMPORT_ALL = f"""
import importlib, inspect, json, sys
found = dict()
for name in {NAMES!r}:
    if name != "stagebook.model.predictor":  # MLflow runs it, and gets the model from it
        for each in vars(importlib.import_module(name)).values():
            if inspect.isclass(each) and issubclass(each, BaseException) and each.__module__ == name:
                found[name + "." + each.__name__] = [base.__name__ for base in each.__mro__]
json.dump(found, open(sys.argv[1], "w"))
"""


def test_imports_leave_nothing_behind_and_errors_are_those_of_users(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    command = [sys.executable, "-W", "ignore", "-c", IMPORT_ALL, str(tmp_path / "errors.json")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(folder.iterdir()) == []
    errors = json.loads((tmp_path / "errors.json").read_text())
    assert len(errors) > 4
    assert {name: bases for name, bases in errors.items() if "StagebookError" not in bases} == {}


def test_no_module_is_long():
    lines = {path.as_posix(): len((FOLDER / path).read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_no_test_is_in_the_package():
    assert [path for path in MODULES if path.name.startswith(("test_", "conftest"))] == []
    assert {module.name for module in pkgutil.iter_modules([str(FOLDER)])} == {*ORDER, "__main__"}


def test_messages_name_verbs_of_the_makefile():
    wrong = []
    for path in [*MODULES, *(file.relative_to(FOLDER) for file in FOLDER.rglob("*.j2"))]:
        for verb in re.findall(r"`make ([\w-]+)", (FOLDER / path).read_text(encoding="utf-8")):
            if verb not in VERBS.split():
                wrong.append(f"{path.as_posix()}: make {verb}")
    assert wrong == []


# Declared and imported nowhere: why.
NOT_IMPORTED = {
    "protobuf": "a limit that ONNX needs",
    "cookiecutter": "run as a command by `stagebook update`",
    "psycopg": "loaded by SQLAlchemy for PostgreSQL",
    "ruff": "run as a command",
    "uv": "run as a command",
    "furo": "named in Sphinx's settings",
    "myst-nb": "named in Sphinx's settings",
    "httptools": "uvicorn parses HTTP with it",
    "opentelemetry-exporter-otlp-proto-http": "FastAPI sends traces with it",
    "sphinx": "run as a command",
    "uvloop": "uvicorn's event loop",
}


def test_each_declared_package_is_imported_or_has_a_reason():
    tops = {name.split(".")[0] for path in MODULES for name in imports(path)}
    used = {normal(each) for top in tops for each in packages().get(top, [])}
    assert declared_distributions() - used == NOT_IMPORTED.keys()


def test_modules_only_define_things():
    kinds = (ast.With, ast.For, ast.While, ast.Delete)
    done = [
        (path.as_posix(), ast.unparse(node))
        for path in MODULES
        for node in tree(path).body
        if isinstance(node, kinds) or (isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant))
    ]
    assert done == [("model/predictor.py", "mlflow.models.set_model(Predictor())")]  # MLflow asks for it


def test_no_word_of_the_template_is_left_to_fill_in():
    paths = [*MODULES, *(file.relative_to(FOLDER) for file in FOLDER.rglob("*.j2"))]
    texts = {path.as_posix(): (FOLDER / path).read_text(encoding="utf-8") for path in paths}
    assert [name for name, text in texts.items() if re.search(r"cookiecutter\.(?!json)", text)] == []
