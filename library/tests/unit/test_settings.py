"""`[tool.stagebook]`: what is left out has a default, what is wrong is named, views are found where the setting says."""

import sys

import pytest
from samples import PYPROJECT, write_files, write_project
from stagebook.project.errors import StepError
from stagebook.project.root import find_root, local_folder, project_name
from stagebook.project.settings import DEFAULTS, load_views, package_name, read_settings, views_file


def test_without_a_section_all_is_default(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert read_settings(tmp_path) == DEFAULTS
    assert load_views(tmp_path) == () and views_file(tmp_path) is None


def test_what_is_given_stands_beside_the_defaults(tmp_path):
    write_project(tmp_path, 'trusted_types = ["a.B"]\n[tool.stagebook.warm_process]\nidle_minutes = 3\n')
    settings = read_settings(tmp_path)
    assert settings["trusted_types"] == ["a.B"]
    assert settings["warm_process"] == {"preload": [], "idle_minutes": 3}
    assert settings["check_files"] == DEFAULTS["check_files"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("view = ''", r"\[tool.stagebook\]: 'view' is not known; there is views, request, service, trusted_types"),
        ("trusted_types = 'a.B'", r"\[tool.stagebook\]: trusted_types is 'a.B'; it must be list"),
        ("warm_process = 3", r"\[tool.stagebook\]: warm_process is 3; it must be dict"),
        ("[tool.stagebook.warm_process]\nidle_minutes = '3'", r"warm_process: idle_minutes is '3'; it must be float, like 15.0"),
        ("[tool.stagebook.warm_process]\nidle_minutes = true", r"idle_minutes is True; it must be float"),
        ("[tool.stagebook.check_files]\nmax = 3", r"check_files: 'max' is not known; there is allow, max_kilobytes"),
    ],
)  # fmt: skip
def test_wrong_setting_is_named_with_the_fix(tmp_path, line, words):
    write_project(tmp_path, line + "\n")
    with pytest.raises(StepError, match=rf"^pyproject\.toml, .*{words}"):
        read_settings(tmp_path)


def test_package_is_where_nbdev_exports_to(tmp_path):
    write_project(tmp_path)
    assert (package_name(tmp_path), project_name(tmp_path)) == ("tiny", "tiny")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.replace("lib_path", "path"))
    with pytest.raises(StepError, match="must have `lib_path` in"):
        package_name(tmp_path)


def test_views_are_loaded_from_the_project(tmp_path, monkeypatch):
    write_project(tmp_path, 'views = "lt_features.registry:VIEWS"\n')
    monkeypatch.setattr(sys, "path", [*sys.path])
    write_files(tmp_path / "code", {"lt_features/__init__.py": "", "lt_features/registry.py": "VIEWS = [1, 2]\n"})
    assert load_views(tmp_path) == (1, 2)
    assert views_file(tmp_path) == tmp_path / "code" / "lt_features" / "registry.py"


@pytest.mark.parametrize("setting", ["no_such_module:VIEWS", "tiny:NONE", "tiny"])
def test_views_that_are_not_there_are_named(tmp_path, monkeypatch, setting):
    write_project(tmp_path, f'views = "{setting}"\n')
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(StepError, match=rf"views = '{setting}' cannot be loaded"):
        load_views(tmp_path)


def test_root_is_the_folder_with_dvc_yaml(tmp_path):
    write_project(tmp_path / "project")
    assert find_root(tmp_path / "project" / "code" / "tiny") == tmp_path / "project"
    with pytest.raises(StepError, match=r"is not inside a project: there is no dvc\.yaml"):
        find_root(tmp_path)


def test_state_of_this_machine_is_in_the_project_and_not_in_a_copy_that_dvc_makes(tmp_path):
    write_project(tmp_path)
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "tmp1"
    copy.mkdir(parents=True)
    assert local_folder(copy) == local_folder(tmp_path) == tmp_path / ".local"
    assert (tmp_path / ".local").is_dir()
