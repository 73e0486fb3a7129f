"""Answers that would give a broken project are refused with the fix, and nothing is left behind."""

import ast

import pytest
from conftest import TEMPLATE
from cookiecutter.exceptions import FailedHookException

REFUSED = [
    ({"package_name": "class"}, "package_name: 'class' is a keyword of Python; choose another, say 'class_project'"),
    ({"package_name": "match"}, "a keyword of Python"),
    ({"package_name": "code"}, "a module of the standard library"),
    ({"package_name": "random"}, "a module of the standard library"),
    ({"package_name": "pandas"}, "a library that the project installs"),
    ({"package_name": "git"}, "a library that the project installs"),
    ({"package_name": "tests"}, "a folder of the project"),
    ({"package_name": "Flight"}, "lower-case letters"),
    ({"package_name": "2fast"}, "from a letter on"),
    ({"package_name": "a-b"}, "single underscores"),
    ({"package_name": "p" * 31}, "30 at most"),
    ({"project_slug": "Upper", "package_name": "upper"}, "project_slug: 'Upper' must be lower-case"),
    ({"project_slug": "a b", "package_name": "ab"}, "single hyphens"),
    ({"project_slug": "a--b", "package_name": "ab"}, "single hyphens"),
    ({"project_slug": "../up", "package_name": "up"}, "single hyphens"),
    ({"project_slug": "scikit-learn", "package_name": "mine"}, "say 'scikit-learn-project'"),
    ({"project_name": "2024 Sales"}, "from a letter on"),
    ({"project_name": " ", "project_slug": "blank"}, "project_name: is empty"),
    ({"description": "beep \x07"}, "control character '\\x07'"),
    ({"author_name": "a\x1bb"}, "control character '\\x1b'"),
    ({"author_email": "nobody"}, "such as team@example.com"),
    ({"author_email": 'a"b@example.com'}, "such as team@example.com"),
]


@pytest.mark.parametrize(
    ("answers", "words"), REFUSED, ids=lambda value: None if isinstance(value, dict) else value[:40]
)
def test_bad_answer_is_refused_with_the_fix(bake, capfd, tmp_path, answers, words):
    with pytest.raises(FailedHookException):
        bake(**answers)
    said = capfd.readouterr().err
    assert "Nothing was generated" in said
    assert words in said
    assert not list(tmp_path.rglob("*.py"))


def test_all_problems_are_told_at_once(bake, capfd):
    with pytest.raises(FailedHookException):
        bake(package_name="class", author_email="nobody")
    said = capfd.readouterr().err
    assert "package_name" in said
    assert "author_email" in said


@pytest.mark.slow
def test_the_list_of_dependencies_is_complete(installed):
    script = "from importlib.metadata import packages_distributions as p; print(*p())"
    there = {name.lower() for name in installed.run("python", "-c", script).stdout.split()}
    hook = ast.parse((TEMPLATE / "hooks" / "pre_gen_project.py").read_text(encoding="utf-8"))
    [names] = [
        node.value for node in hook.body if isinstance(node, ast.Assign) and node.targets[0].id == "DEPENDENCIES"
    ]
    known = set(ast.literal_eval(names).split())
    assert {name for name in there if name.isidentifier() and not name.startswith("_")} - {"flight_delays"} <= known
