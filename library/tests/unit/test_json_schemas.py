"""The JSON schemas for editors: up to date with the models, found by each file of the template, and of use."""

import subprocess
import sys
from json import loads
from pathlib import Path

import pytest
import stagebook
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

SCHEMAS = Path(stagebook.__file__).parent / "schemas"
REPO = Path(__file__).resolve().parents[3]
TEMPLATE = REPO / "{{cookiecutter.project_slug}}"
KINDS = ("docs/requirements.yaml", "docs/behaviour.yaml", "docs/monitoring.yaml", "data/schema.yaml")
FILES = sorted(path for kind in KINDS for path in TEMPLATE.glob(f"options/*/*/{kind}"))
FILES.append(TEMPLATE / "docs" / "environments.yaml")
MODELINE = "# yaml-language-server: $schema="


def find_wrong(schema, content):
    validator = Draft7Validator(loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8")))
    return [error.message for error in validator.iter_errors(content)]


def load(path):
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def test_schemas_are_those_of_the_models(tmp_path):
    command = [sys.executable, str(REPO / "tools" / "json_schemas.py"), str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    made, kept = ({path.name: path.read_text("utf-8") for path in each.iterdir()} for each in (tmp_path, SCHEMAS))
    assert made == kept, "run `.venv/bin/python tools/json_schemas.py`"
    assert len(kept) == 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TEMPLATE).as_posix())
def test_each_file_of_the_template_names_its_schema_and_fits(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(MODELINE)
    folder = TEMPLATE / path.parent.name  # where the option lays the file
    named = folder / first.removeprefix(MODELINE)
    assert named.resolve() == (TEMPLATE / "vendor/stagebook/stagebook/schemas" / f"{path.stem}.json").resolve()
    assert named.resolve().is_file()
    assert find_wrong(path.stem, load(path)) == []


def test_the_template_has_files_of_each_kind():
    names = {"requirements.yaml", "behaviour.yaml", "monitoring.yaml", "schema.yaml", "environments.yaml"}
    assert {path.name for path in FILES} == names
    assert len(FILES) == 10


GATE = {"metric": "size_mb", "at_most": 50, "owner": "data scientist", "reason": "because"}
TEST = {"name": "t", "reason": "r", "kind": "minimum", "figure": "mean", "at_most": 1}


@pytest.mark.parametrize(
    ("schema", "content", "words"),
    [
        ("requirements", {"gates": {"size": GATE | {"figure": "x"}}}, "'figure' was unexpected"),
        ("requirements", {"gates": {"size": GATE | {"owner": "me"}}}, "'me' is not one of ['product owner',"),
        ("requirements", {"requirements": {}}, "'trust' is a required property"),
        ("requirements", {"risk": {"category": "low"}}, "'low' is not one of"),
        ("behaviour", {"tests": [TEST | {"kind": "symmetry"}]}, "is not valid under any of the given schemas"),
        ("behaviour", {"tests": [TEST | {"where": {"rain": {"over": 1}}}]}, "is not valid under any"),
        ("environments", {"environments": {"a": {"address": "x", "name": "a"}}}, "'name' was unexpected"),
        ("environments", {"environments": {"a": {}}}, "'address' is a required property"),
        ("monitoring", {"windows": {"length": "weeks"}}, "'weeks' is not one of ['day',"),
        ("monitoring", {"thresholds": {"worse": GATE | {"at_mots": 1}}}, "'at_mots' was unexpected"),
        ("monitoring", {"triggers": {"t": {"kind": "sometimes"}}}, "'sometimes' is not one of ['schedule',"),
        ("schema", {"tables": {"t": {"columns": {"a": {"type": "int"}}}}}, "'int' is not one of ['integer',"),
        ("schema", {"tables": {"t": {"columns": {"a": {"type": "text", "name": "a"}}}}}, "'name' was unexpected"),
    ],
)
def test_editors_mark_what_the_models_refuse(schema, content, words):
    assert any(words in message for message in find_wrong(schema, content))


def test_editors_mark_nothing_that_the_models_take():
    assert find_wrong("requirements", {"gates": {"size": GATE}}) == []
    assert find_wrong("monitoring", {"references": ["training"], "triggers": {"t": {"kind": "on demand"}}}) == []
    assert find_wrong("behaviour", {"tests": [TEST | {"class": 0, "where": {"rain": {"above": 1}}}]}) == []
    columns = {"a": {"type": "text", "missing_values": ["?", -1]}}
    assert find_wrong("schema", {"tables": {"t": {"columns": columns}}, "datasets": {"processed/*": {}}}) == []
