"""Answers that would give a broken project are refused with the fix, and nothing is left behind."""

import json
import sys
from pathlib import Path

import pytest
from baked import Project
from cookiecutter.exceptions import FailedHookException
from cookiecutter.generate import generate_context, generate_files
from cookiecutter.prompt import prompt_for_config
from copies import call_cookiecutter, commit_template, copy_template

REFUSED = [
    ({"package_name": "class"}, "package_name: 'class' is a keyword of Python; choose another, say 'class_project'"),
    ({"package_name": "match"}, "a keyword of Python"),
    ({"package_name": "code"}, "a module of the standard library"),
    ({"package_name": "random"}, "a module of the standard library"),
    ({"package_name": "pandas"}, "package_name: 'pandas' is a library that the project installs; choose another"),
    ({"package_name": "typing_extensions"}, "say 'typing_extensions_project'"),
    ({"package_name": "ruamel_yaml"}, "'ruamel_yaml' is a library that the project installs"),  # pinned as ruamel.yaml
    ({"package_name": "stagebook"}, "'stagebook' is a library that the project installs"),
    ({"project_slug": "stagebook", "package_name": "mine"}, "say 'stagebook-project'"),
    ({"project_slug": "dvc-s3", "package_name": "mine"}, "project_slug: 'dvc-s3' is a library"),  # of another remote
    ({"package_name": "tests"}, "a folder of the project"),
    ({"package_name": "vendor"}, "a folder of the project"),
    ({"package_name": "Flight"}, "lower-case letters"),
    ({"package_name": "2fast"}, "from a letter on"),
    ({"package_name": "a-b"}, "single underscores"),
    ({"package_name": "p" * 31}, "30 at most"),
    ({"project_slug": "Upper", "package_name": "upper"}, "project_slug: 'Upper' must be lower-case"),
    ({"project_slug": "a b", "package_name": "ab"}, "single hyphens"),
    ({"project_slug": "a--b", "package_name": "ab"}, "single hyphens"),
    ({"project_slug": "../up", "package_name": "up"}, "single hyphens"),
    ({"project_slug": " ", "package_name": "blank"}, "project_slug: ' ' must be lower-case"),
    ({"project_slug": "s" * 255, "package_name": "long"}, "50 at most; choose another"),
    ({"project_slug": "scikit-learn", "package_name": "mine"}, "say 'scikit-learn-project'"),
    ({"project_name": "2024 Sales"}, "from a letter on"),
    ({"project_name": " ", "project_slug": "blank"}, "project_name: is empty"),
    ({"project_name": " "}, "project_name: is empty"),
    ({"project_name": ""}, "project_name: is empty"),
    (
        {"project_name": "🚀"},
        "project_name: '🚀' has no letter or digit to name a folder after; choose another, or give",
    ),
    ({"project_name": "..."}, "project_name: '...' has no letter or digit"),
    ({"project_name": "late " * 100}, "project_slug: 'late-late-late"),
    ({"project_name": "late " * 100}, "50 at most; choose another"),
    ({"description": "beep \x07"}, "control character '\\x07'"),
    ({"author_name": "a\x1bb"}, "control character '\\x1b'"),
    ({"author_email": "nobody"}, "such as team@example.com"),
    ({"author_email": 'a"b@example.com'}, "such as team@example.com"),
    (
        {"data": "own", "target": "y", "data_path": "https://h/t.csv?sv=1&" + "sig=abc"},
        "data_path: has a secret (`sig=`)",
    ),
    ({"data": "own", "target": "y", "data_path": "https://me:" + "tiger7@h/t.csv"}, "data_path: has a password in it"),
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
    assert "already exists" not in said
    assert not list(tmp_path.rglob("*.py"))


def test_all_problems_are_told_at_once(bake, capfd):
    with pytest.raises(FailedHookException):
        bake(package_name="class", author_email="nobody")
    said = capfd.readouterr().err
    assert "package_name" in said
    assert "author_email" in said


def test_each_name_that_is_taken_is_told(bake, capfd):
    with pytest.raises(FailedHookException):
        bake(project_name="Scikit Learn")
    said = capfd.readouterr().err
    assert "say 'scikit-learn-project'" in said
    assert "say 'scikit_learn_project'" in said


@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_repository_around_the_project_is_told(bake, capfd, tmp_path, is_ignored):
    Project(tmp_path).run("git", "init", "--quiet")
    if is_ignored:
        (tmp_path / ".gitignore").write_text("*\n")
    project = bake()
    assert not (project.path / ".git").exists()
    assert (f"NOTE: the project is inside the git repository {tmp_path}" in capfd.readouterr().err) is not is_ignored


@pytest.mark.parametrize("package", ["sklearn", "yaml", "git"])
def test_names_that_only_imports_take_are_left_to_make_setup(bake, package):
    """Which names a distribution is imported by is known once it is installed: `stagebook check names` looks then."""
    project = bake(package_name=package, project_slug="mine")
    assert (project.path / "code" / package / "__init__.py").is_file()
    assert "stagebook setup" in project.read("Makefile")


# The library, which is a link in the template

NO_LIBRARY = "Nothing was generated. The template has no library"


def test_a_template_whose_link_became_a_text_file_is_refused_with_the_fix(tmp_path):
    template = copy_template(tmp_path / "template")
    link = template.path / "{{cookiecutter.project_slug}}" / "vendor" / "stagebook"
    target = str(link.readlink())
    link.unlink()
    link.write_text(target)
    done = call_cookiecutter(str(template.path), folder=tmp_path / "work")
    assert done.returncode != 0
    assert NO_LIBRARY in done.stderr
    assert "Clone the template with git" in done.stderr
    assert not (tmp_path / "work" / "flight-delays").exists()


def test_a_zip_of_the_template_is_refused_with_the_fix(tmp_path):
    template, _ = commit_template(tmp_path / "template")
    template.run("git", "archive", "--format=zip", "--prefix=template-main/", "--output=../template.zip", "HEAD")
    done = call_cookiecutter(str(tmp_path / "template.zip"), folder=tmp_path / "work")
    assert done.returncode != 0
    assert NO_LIBRARY in done.stderr
    assert not (tmp_path / "work" / "flight-delays").exists()


def test_an_emergency_patch_of_the_library_survives_an_update(tmp_path):
    template, _ = commit_template(tmp_path / "template")
    assert call_cookiecutter(str(template.path), folder=tmp_path / "work").returncode == 0
    project = Project(tmp_path / "work" / "flight-delays")
    project.run("git", "init", "--quiet", "--initial-branch=main")
    project.commit("As generated")
    module = "stagebook/data/split.py"
    patched, newer = f"# patched here\n{project.read(f'vendor/stagebook/{module}')}", "\n# newer in the template\n"
    (project.path / "vendor" / "stagebook" / module).write_text(patched, encoding="utf-8")
    project.commit("Patch")
    with (template.path / "library" / "stagebook" / module).open("a", encoding="utf-8") as file:
        file.write(newer)
    template.commit("Newer library")
    update = [sys.executable, "-B", "-m", "stagebook", "update"]
    said = project.run(*update, PYTHONPATH=str(project.path / "vendor" / "stagebook")).stdout
    assert "3 files changed" in said, "the module, its hash, and .cruft.json"
    assert project.read(f"vendor/stagebook/{module}") == patched + newer


# Which template it was


def remembered(folder: Path) -> tuple[str, str | None]:
    state = json.loads((folder / "flight-delays" / ".cruft.json").read_text(encoding="utf-8"))
    assert state["context"]["cookiecutter"]["_template"] == state["template"]
    return state["template"], state["commit"]


NO_COMMIT = "NOTE: no commit of the template could be found. Before `make update`, write"


def test_a_git_address_gives_the_project_that_a_folder_gives(tmp_path):
    template, commit = commit_template(tmp_path / "template.git")
    address = f"file://{template.path}"
    for name, typed in (("by address", address), ("from a folder", str(template.path))):
        done = call_cookiecutter(typed, folder=tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert NO_COMMIT not in done.stderr
        assert remembered(tmp_path / name) == (typed, commit)
    one, other = (Project(tmp_path / name / "flight-delays") for name in ("by address", "from a folder"))
    assert one.files() == other.files()
    assert "vendor/stagebook/pyproject.toml" in one.files()
    assert {name for name in one.files() if one.read(name) != other.read(name)} == {".cruft.json"}


@pytest.mark.parametrize("typed", [".", "../template"])
def test_a_relative_template_is_looked_for_where_the_user_is(tmp_path, typed):
    template, commit = commit_template(tmp_path / "template")
    done = call_cookiecutter(typed, f"--output-dir={tmp_path}", folder=template.path)
    assert done.returncode == 0, done.stderr
    assert remembered(tmp_path) == (str(template.path), commit)


def test_a_relative_template_that_is_not_where_the_user_is_is_asked_for(tmp_path):
    template, _ = commit_template(tmp_path / "template")
    done = call_cookiecutter(".", f"--output-dir={tmp_path}", folder=template.path, PWD="/stale")
    assert done.returncode == 0, done.stderr
    assert [line[: len(NO_COMMIT)] for line in done.stderr.splitlines()] == [NO_COMMIT]
    assert remembered(tmp_path) == (".", None)


def test_a_template_outside_git_has_no_commit(tmp_path):
    template = copy_template(tmp_path / "template")
    done = call_cookiecutter(str(template.path), folder=tmp_path / "work")
    assert done.returncode == 0, done.stderr
    assert NO_COMMIT in done.stderr
    assert remembered(tmp_path / "work") == (str(template.path), None)


def test_cruft_can_bake_it_too(tmp_path):
    """It calls cookiecutter's inner function, which tells hooks less, and writes a .cruft.json of its own later."""
    template, commit = commit_template(tmp_path / "template")
    context = generate_context(str(template.path / "cookiecutter.json"))
    context["cookiecutter"] |= prompt_for_config(context, no_input=True) | {"_template": str(template.path)}
    generate_files(str(template.path), context, str(tmp_path))
    assert remembered(tmp_path) == (str(template.path), commit)


def test_no_credentials_of_the_template_are_remembered(tmp_path):
    """A git that serves no network: the address is rewritten to the clone."""
    template, _ = commit_template(tmp_path / "template")
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "{template.path}"]\n\tinsteadOf = https://me:s3cret@git.example.com/template.git\n')
    address = "https://me:s3cret@git.example.com/template.git"
    done = call_cookiecutter(address, folder=tmp_path / "work", GIT_CONFIG_GLOBAL=str(config))
    assert done.returncode == 0, done.stderr
    assert remembered(tmp_path / "work")[0] == "https://git.example.com/template.git"
    assert "s3cret" not in (tmp_path / "work" / "flight-delays" / ".cruft.json").read_text()
