"""A package that has the import name of an installed distribution is refused once that is installed."""

import pytest
from stagebook.project.errors import StepError
from stagebook.scaffold import checks
from stagebook.scaffold.checks import check_names


@pytest.fixture
def make_project(tmp_path, monkeypatch):
    """Return a function that makes a project whose package has a name, beside installed distributions."""

    def make(package: str, installed: dict[str, list[str]]):
        text = f'[project]\nname = "my-project"\n[tool.nbdev]\nlib_path = "code/{package}"\n'
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        monkeypatch.setattr(checks, "packages_distributions", lambda: installed)
        return tmp_path

    return make


def test_the_import_name_of_another_distribution_is_refused_with_the_fix(make_project):
    root = make_project("yaml", {"yaml": ["PyYAML"], "mine": ["my-project"]})
    with pytest.raises(StepError, match=r"the package yaml hides the one that PyYAML installs\. Rename `code/yaml`"):
        check_names(root)


def test_the_second_owner_of_a_name_is_seen_too(make_project):
    with pytest.raises(StepError, match="hides the one that scikit-learn installs"):
        check_names(make_project("sklearn", {"sklearn": ["my_project", "scikit-learn"]}))


def test_a_package_of_its_own_passes(make_project):
    check_names(make_project("mine", {"mine": ["my_project"], "yaml": ["PyYAML"]}))
    check_names(make_project("mine", {"yaml": ["PyYAML"]}))  # not installed yet
