"""`stagebook migrate`: names of release 0.2.0 become those of the library, and all other text stays as it is."""

import ast
import importlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from stagebook.project.errors import StepError
from stagebook.scaffold.migrate.candidates import keep_own_kinds
from stagebook.scaffold.migrate.merged import _replace_deps
from stagebook.scaffold.migrate.renames import read_renames
from stagebook.scaffold.migrate.rewrite import rewrite
from stagebook.scaffold.migrate.state import move_state
from stagebook.scaffold.migrate.texts import carry_arrays, find_commands, rename_in_texts

RENAMES = read_renames("pkg")


def renamed(*cells: str, module: str = "", home: str = "") -> str:
    """Return rewritten cells; nothing may be left for a person, and a second time must change nothing."""
    new, notes = rewrite(list(cells), RENAMES, module, home)
    assert notes == []
    assert rewrite(new, RENAMES, module, home) == (new, [])
    return "\n# %%\n".join(new)


def noted(*cells: str) -> list[tuple[int, int, str]]:
    return [(note.part, note.line, note.text) for note in rewrite(list(cells), RENAMES)[1]]


def exists(dotted: str) -> bool:
    """Is this a module of the library, or a name in one?"""
    try:
        importlib.import_module(f"stagebook.{dotted}")
    except ModuleNotFoundError:
        module, _, name = dotted.rpartition(".")
        return hasattr(importlib.import_module(f"stagebook.{module}"), name)
    return True


def test_each_target_is_in_the_library():
    lost = {old: new for old, new in (RENAMES.modules | RENAMES.names).items() if not exists(new)}
    assert not lost, "correct them in scaffold/migrate/renamed.toml"


def test_imports_are_split_by_the_module_that_has_the_name_now():
    assert renamed("from pkg.datasets.tables import DataError, read_table, write_json  # ours") == (
        "from stagebook.data.tables import read_table\nfrom stagebook.project.errors import DataError\n"
        "from stagebook.project.files import write_json  # ours"
    )
    assert renamed("from pkg.datasets import clean, tables as t\nt.read_table()") == (
        "from pkg.datasets import clean\nfrom stagebook.data import tables as t\nt.read_table()"
    )
    assert renamed("import pkg.models.train, os\npkg.models.train.fit_baseline") == (
        "import stagebook.model.baseline, os\nstagebook.model.baseline.fit_baseline"
    )
    inside = "if x:\n    from pkg.pipeline.project import (\n        StepError,  # why\n        find_root,\n    )"
    assert renamed(inside) == (
        "if x:\n    # why\n    from stagebook.project.errors import StepError\n    from stagebook.project.root import find_root"
    )


@pytest.mark.parametrize(
    "text",
    [
        "from pkg.datasets.clean import f",
        "from pkg.models.candidates import MODELS",
        "from pkgs.datasets.tables import x",
        "import numpy as np",
        "from pkg.models.ours import x",
        "x = 'pkg.datasets'",
        "# from pkg.datasets.tables import x",
    ],
)
def test_what_stays_in_the_project_or_is_of_others_is_not_touched(text):
    assert renamed(text) == text


def test_relative_imports_start_from_their_module():
    text = "from ..datasets.tables import DataError\nfrom .store import FeatureView\nfrom .own import x"
    assert renamed(text, module="pkg.features.registry") == (
        "from stagebook.project.errors import DataError\nfrom stagebook.features.store import FeatureView\nfrom .own import x"
    )
    assert renamed(text, module="pkg.features.online", home="stagebook.features.online") == (
        "from ..project.errors import DataError\nfrom .store import FeatureView\nfrom .own import x"
    )


def test_renamed_names_are_renamed_in_all_cells_and_bytes_are_counted():
    cells = ["%matplotlib inline\nfrom pkg.models.candidates import Model", 'kind = "Größe", Model(1)  # Model']
    assert renamed(*cells) == (
        '%matplotlib inline\nfrom stagebook.model.kinds import ModelKind\n# %%\nkind = "Größe", ModelKind(1)  # Model'
    )
    other = renamed("from pkg.models.candidates import Model\nModelKind = Model")
    assert other == "from stagebook.model.kinds import ModelKind as Model\nModelKind = Model"
    quoted = renamed("from pkg.models.candidates import Model\nprint(f'{Model}', Model)")
    assert quoted == "from stagebook.model.kinds import ModelKind as Model\nprint(f'{Model}', Model)"


def test_attributes_of_a_module_follow_their_names():
    text = "from pkg.datasets import tables\ntables.write_json(tables.read_table(1))"
    assert renamed(text) == (
        "from stagebook.data import tables\nfrom stagebook.project.files import write_json\nwrite_json(tables.read_table(1))"
    )
    assert renamed("from pkg.datasets import tables\nraise tables.DataError") == (
        "from stagebook.project.errors import DataError\nraise DataError"
    )
    assert renamed("from pkg.models import candidates as c\nc.Model(c.fit_linear)") == (
        "from stagebook.model import kinds as c\nc.ModelKind(c.fit_linear)"
    )


def test_texts_that_are_names_are_rewritten():
    assert renamed("patch('pkg.models.evaluate.score')") == "patch('stagebook.evaluate.metrics.score')"
    assert renamed("x = 'pkg.datasets.tables:DataError'") == "x = 'stagebook.project.errors:DataError'"


def test_a_person_is_told_what_cannot_be_rewritten():
    assert "takes the kind of model, not its name" in noted("x = 1", "\nfrom pkg.models.candidates import fit")[0][2]
    assert noted("x = 1", "\nfrom pkg.models.candidates import fit")[0][:2] == (1, 2)
    assert "is not in the library: steps run one" in noted("from pkg.pipeline import parallel")[0][2]
    taken = "from pkg.datasets import tables\ndef write_json(): return tables.write_json()"
    assert noted(taken) == [
        (0, 2, "`tables.write_json` is `stagebook.project.files.write_json` now; `write_json` has another meaning here")
    ]
    assert "`_gone` is not in `stagebook.data.tables` any more" in noted("from pkg.datasets.tables import _gone")[0][2]
    assert "an f-string uses `t.DataError`" in noted("from pkg.datasets import tables as t\nf'{t.DataError}'")[0][2]
    assert "cannot be parsed" in noted("from pkg.x import (")[0][2]
    assert "magic" in noted("%%bash\npython -m pkg.pipeline")[0][2]


BASE = '''"""Kinds."""
from ..datasets.task import Task
from .columns import encode_columns

__all__ = ["MODELS", "Model"]
SIZE = 1

class Model: ...

def _help(x):
    return encode_columns(x)

def fit_a(task: Task):
    return _help(SIZE)

def fit_b():
    return 2

MODELS = {"a": Model(fit_a), "b": Model(fit_b)}
'''
THEIRS = '''"""Kinds."""

from stagebook.model.kinds import A, B, ModelKind

__all__ = ["MODELS"]

MODELS: dict[str, ModelKind] = {"a": A, "b": B}
'''


def kinds(ours: str) -> tuple[dict[str, str], set[str], str]:
    """Return the entries, the definitions and the rewritten text of the merged module."""
    [text], _ = rewrite([keep_own_kinds(BASE, ours, THEIRS)], RENAMES, "pkg.models.candidates")
    tree = ast.parse(text)
    models = next(node.value for node in tree.body if isinstance(node, ast.AnnAssign))
    entries = {key.value: ast.unparse(value) for key, value in zip(models.keys, models.values, strict=True)}
    return entries, {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, text


def test_own_kinds_stay_and_those_of_the_library_are_imported():
    own = BASE.replace("MODELS = {", "# Ours.\ndef fit_c():\n    return fit_b, SIZE\n\nMODELS = {").replace(
        "fit_b)}", 'fit_b), "c": Model(fit_c)}'
    )
    entries, defined, text = kinds(own)
    assert entries == {"a": "A", "b": "B", "c": "ModelKind(fit_c)"}
    assert defined == {"fit_c"}
    assert "# Ours.\ndef fit_c" in text
    assert "from stagebook.model.kinds import ModelKind, SIZE, fit_b" in text or "SIZE" in text.partition("__all__")[0]


def test_a_changed_helper_takes_with_it_what_uses_it():
    """The library's `fit_a` would call the library's `_help`."""
    entries, defined, text = kinds(BASE.replace("return encode_columns(x)", "return encode_columns(-x)"))
    assert entries == {"a": "ModelKind(fit_a)", "b": "B"}
    assert defined == {"_help", "fit_a"}
    assert "from stagebook.model.columns import encode_columns" in text


def test_a_dropped_kind_stays_dropped_and_a_computed_one_is_refused():
    assert kinds(BASE.replace('"a": Model(fit_a), ', ""))[0] == {"b": "B"}
    with pytest.raises(ValueError, match="no plain dictionary"):
        kinds(BASE.replace("MODELS = {", "MODELS = dict() or {"))


@pytest.fixture
def trees(tmp_path) -> list[Path]:
    """Folders of the base, the project and the newer template."""
    folders = [tmp_path / name for name in ("base", "ours", "theirs")]
    for folder in folders:
        (folder / "docs").mkdir(parents=True)
    return folders


def write(trees: list[Path], file: str, *texts: str) -> None:
    for tree, text in zip(trees, texts, strict=True):
        (tree / file).write_text(text)


def test_packages_that_the_user_added_are_carried_over(trees):
    old = 'dependencies = [\n    "a>=1",\n    "pandera[pandas]>=1", # why\n]\n\ndev = [\n    "ruff",\n]\n'
    new = 'dependencies = [\n    "a>=2",\n    "stagebook",\n]\n\ndev = ["stagebook[dev]"] # tools\n'
    write(
        trees,
        "pyproject.toml",
        old,
        old.replace('"a>=1",', '"a>=1",\n    "ours",').replace('"ruff"', '"ruff", "x"'),
        new,
    )
    carry_arrays(*trees)
    assert (trees[0] / "pyproject.toml").read_text() == new
    assert (trees[1] / "pyproject.toml").read_text() == (
        'dependencies = [\n    "a>=2",\n    "stagebook",\n    "ours",\n]\n\ndev = ["stagebook[dev]", "x"] # tools\n'
    )


def test_keys_follow_the_newer_template(trees):
    old = (
        "gates:\n  a:\n    figure: x # figure: why\n  b: { figure: y, at_least: 1 }\nrequirements:\n  c:\n    bar: z\n"
    )
    new = "gates:\n  a: { metric: x }\nrequirements:\n  c: { threshold: z }\n"
    write(trees, "docs/requirements.yaml", old, old, new)
    rename_in_texts(*trees, RENAMES)
    content = YAML(typ="safe").load((trees[1] / "docs" / "requirements.yaml").read_text())
    assert content["gates"] == {"a": {"metric": "x"}, "b": {"metric": "y", "at_least": 1}}
    assert content["requirements"] == {"c": {"threshold": "z"}}
    write(trees, "docs/requirements.yaml", old, old, old)
    rename_in_texts(*trees, RENAMES)
    assert (trees[1] / "docs" / "requirements.yaml").read_text() == old


def test_stages_run_by_the_library_and_depend_on_its_rooms(trees):
    stage = (
        "stages:\n  own:\n    cmd: python -m pkg.pipeline run notebooks/45_own.ipynb\n    deps:\n"
        "      - notebooks/45_own.ipynb\n      - code/pkg/datasets/tables.py\n      - code/pkg/datasets/schema.py\n"
        "      - code/pkg/datasets/clean.py\n      - data/x\n"
    )
    (trees[2] / "docs" / "requirements.yaml").touch()
    (trees[1] / "dvc.yaml").write_text(stage)
    rename_in_texts(*trees, RENAMES)
    text = (trees[1] / "dvc.yaml").read_text()
    own = YAML(typ="safe").load(text)["stages"]["own"]
    assert own["cmd"] == "stagebook run notebooks/45_own.ipynb"
    room = "vendor/stagebook/stagebook/data"
    assert own["deps"] == ["notebooks/45_own.ipynb", room, "code/pkg/datasets/clean.py", "data/x"]
    lines, deps = text.splitlines(keepends=True), YAML().load(text)["stages"]["own"]["deps"]
    _replace_deps(lines, deps, "notebooks/45_own.ipynb", {room, "notebooks/x", "vendor/stagebook/stagebook/project"})
    assert [line.strip() for line in lines[4:]] == [
        "- notebooks/45_own.ipynb",
        "- notebooks/x",
        f"- {room}",
        "- vendor/stagebook/stagebook/project",
        "- data/x",
    ]


def test_calls_of_the_former_commands_are_listed_if_the_user_wrote_them(trees):
    write(
        trees,
        "run.sh",
        "python -m pkg.models gate\n",
        "python -m pkg.models gate\n# x\npython -m pkg.pipeline run x\n",
        "",
    )
    assert find_commands(*trees[:2], RENAMES) == ["run.sh:3: `-m pkg.pipeline` is `stagebook` now (`--help`)"]


@pytest.fixture
def home(tmp_path) -> Path:
    """A former project, in a folder whose name has to be quoted, with the tables of MLflow that have locations."""
    home = tmp_path / "our work"
    (home / "mlruns" / "1").mkdir(parents=True)
    (home / "pyproject.toml").write_text('[tool.nbdev]\nlib_path = "code/pkg"\n')
    with closing(sqlite3.connect(home / "mlflow.db")) as connection, connection:
        connection.execute("create table experiments (artifact_location text)")
        connection.execute("create table model_versions (source text, storage_location text)")
        places = [
            (home / "mlruns").as_uri(),
            f"{home}/mlruns/1",
            "./mlruns/1",
            "s3://ours/mlruns/1",
            "models:/m-1",
            None,
        ]
        places += ["file:///gone/project/mlruns/1", "file:///gone/project/mlruns/2"]
        connection.executemany("insert into model_versions values (?, 'x')", [(place,) for place in places])
        connection.execute("insert into experiments values (?)", ((home / "mlruns").as_uri(),))
    return home


def places(home: Path) -> list[str | None]:
    with closing(sqlite3.connect(home / ".local" / "mlflow.db")) as connection:
        return [row[0] for row in connection.execute("select source from model_versions")]


def test_mlflow_finds_its_files_in_the_new_place(home):
    assert move_state(home) == ["mlruns -> .local/mlruns", "mlflow.db -> .local/mlflow.db"]
    new = home / ".local" / "mlruns"
    assert places(home) == [
        new.as_uri(),
        f"{new}/1",
        f"{new}/1",
        "s3://ours/mlruns/1",
        "models:/m-1",
        None,
        (new / "1").as_uri(),  # the project was moved
        "file:///gone/project/mlruns/2",  # no file of that name is here
    ]
    assert (new / "1").is_dir()
    assert move_state(home) == []


def test_a_move_that_was_interrupted_is_completed(home, monkeypatch):
    replace = Path.replace
    with monkeypatch.context() as patched, pytest.raises(OSError, match="full"):
        patched.setattr(Path, "replace", lambda old, new: replace(old, new) if old.name == "mlruns" else fail())
        move_state(home)
    assert (home / "mlflow.db").is_file()
    assert move_state(home) == ["mlflow.db -> .local/mlflow.db"]
    assert places(home)[0] == (home / ".local" / "mlruns").as_uri()


def fail() -> None:
    raise OSError("the disk is full")


def test_state_that_is_there_already_is_not_overwritten(home):
    (home / ".local").mkdir()
    (home / ".local" / "mlflow.db").write_text("new")
    with pytest.raises(StepError, match=r"mlflow\.db cannot be moved: \.local/mlflow\.db is there already"):
        move_state(home)
    assert (home / "mlruns").is_dir()
    assert (home / ".local" / "mlflow.db").read_text() == "new"


def test_the_logs_of_arrivals_are_joined(home):
    (home / "data" / "raw").mkdir(parents=True)
    (home / ".local").mkdir()
    (home / "data" / "raw" / "log.jsonl").write_text("old\n")
    (home / ".local" / "arrivals.jsonl").write_text("new\n")
    move_state(home)
    assert (home / ".local" / "arrivals.jsonl").read_text() == "old\nnew\n"
