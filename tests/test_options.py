"""What comes out for each option and for names that are hard to carry."""

import ast
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from baked import TEMPLATE, bake_into
from copies import call_cookiecutter, copy_template
from ruamel.yaml import YAML

HOSTILE = {
    "project_name": "Żółw \"double\" 'single' back\\slash {curly} 🐢\nsecond line \\",
    "project_slug": "zolw-42",
    "description": "He said: \"no\", \\ 'x'\n\tindented \"\"\" ''' # % $HOME `ls` <b>&amp;</b> 🐢",
    "author_name": 'O\'Neil "Ü" \\n\nand others',
}
OWN = {"data": "own", "data_path": str(TEMPLATE / "README.md"), "target": "y"}  # that it is no table is found out later
OPTIONS = {
    "default": {},
    "hostile": HOSTILE,
    "long names": {"project_slug": "a-" + "b" * 48, "package_name": "p" * 30},
    "short names": {"project_slug": "z", "package_name": "z"},
    "bsd": {"license": "BSD-3-Clause"},
    "proprietary": {"license": "Proprietary"},
    "own data": OWN,
    "own data, hostile": OWN | HOSTILE | {"target": "Güte \"x\" 'y' \\", "time_column": "Wann? \\n"},
    "own data at a URL": OWN | {"data_path": "https://example.com/a.csv", "remote": "s3"},
    "gitlab": {"ci": "gitlab"},
    "own data, both hosts, server": OWN | {"ci": "both", "tracking": "server"},
    "full": {"governance": "full"},
    "containers": {"deployment": "containers"},
    "full, gitlab": {"governance": "full", "ci": "gitlab"},
    "full, both hosts": {"governance": "full", "ci": "both"},
    "own data, full": OWN | {"governance": "full"},
    "own data, full, gitlab": OWN | {"governance": "full", "ci": "gitlab", "remote": "azure"},
    "own data, full, both hosts, hostile": OWN | HOSTILE | {"governance": "full", "ci": "both"},
    "remote gcs": {"remote": "gcs"},
    "remote azure": {"remote": "azure"},
    "remote ssh": {"remote": "ssh"},
    "python 3.12": {"python_version": "3.12"},
    "python 3.13": {"python_version": "3.13"},
}
FILES = """
.cruft.json .dvcignore .gitattributes .gitignore .pre-commit-config.yaml LICENSE Makefile README.md dvc.yaml params.yaml
pyproject.toml
.devcontainer/devcontainer.json .dvc/.gitignore .dvc/config .vscode/extensions.json .vscode/settings.json
code/PACKAGE/__init__.py
code/PACKAGE/datasets/__init__.py code/PACKAGE/datasets/clean.py code/PACKAGE/datasets/ingest.py
code/PACKAGE/datasets/validate.py
code/PACKAGE/deployment/__init__.py code/PACKAGE/deployment/app.py code/PACKAGE/deployment/request.py
code/PACKAGE/features/__init__.py code/PACKAGE/features/build.py code/PACKAGE/features/registry.py
code/PACKAGE/models/__init__.py code/PACKAGE/models/candidates.py code/PACKAGE/models/evaluate.py
data/README.md data/interim/.gitkeep data/processed/.gitkeep data/raw/.gitkeep
docs/behaviour.yaml docs/conf.py docs/environments.yaml docs/monitoring.yaml docs/requirements.yaml
docs/solution_architecture.md
environments/README.md environments/conda.yaml environments/constraints-3.11.txt environments/constraints-3.12.txt
environments/constraints-3.13.txt
models/.gitkeep reports/.gitkeep
notebooks/10_ingest.ipynb notebooks/20_validate.ipynb notebooks/30_clean.ipynb notebooks/40_features.ipynb
notebooks/50_train.ipynb notebooks/55_request.ipynb notebooks/60_evaluate.ipynb notebooks/65_inspect.ipynb
notebooks/66_backtest.ipynb notebooks/70_register.ipynb
pipelines/monitoring/90_monitor.ipynb pipelines/monitoring/95_replay.ipynb pipelines/monitoring/dvc.yaml
pipelines/monitoring/params.yaml
pipelines/scoring/80_score.ipynb pipelines/scoring/dvc.yaml pipelines/scoring/params.yaml
tests/conftest.py tests/sample.yaml tests/data_validation/test_data.py tests/data_validation/test_raw.py
tests/model/test_model.py
vendor/stagebook.sha256
"""
FILES_OF = {
    ("data", "flights"): """
code/PACKAGE/datasets/arrivals.py data/schema.yaml tests/model/test_candidate.py tests/unit/test_arrivals.py
tests/unit/test_leakage.py tests/unit/test_registry.py
""",
    ("data", "own"): "docs/your_data.md notebooks/15_schema.ipynb",
    ("tracking", "server"): "environments/server.mk environments/tracking.toml",
    ("governance", "full"): "docs/ai_canvas.md docs/governance.md docs/labels.yaml",
    ("ci", "github"): """
.github/actions/prepare/action.yaml .github/dependabot.yml .github/workflows/ci.yaml .github/workflows/monitor.yaml .github/workflows/pipeline.yaml
.github/workflows/release.yaml .github/workflows/train.yaml
""",
    ("ci", "gitlab"): ".gitlab-ci.yml",
    ("deployment", "containers"): """
.containerignore environments/images/pipeline.Containerfile environments/images/worker.Containerfile
environments/images/service.Containerfile environments/images/service.txt kubernetes/put.sh
kubernetes/base/autoscaler.yaml kubernetes/base/deployment.yaml kubernetes/base/disruption.yaml
kubernetes/base/kustomization.yaml kubernetes/base/service.yaml kubernetes/overlays/production/kustomization.yaml
kubernetes/overlays/staging/kustomization.yaml
""",
    ("ci+governance", "github+full"): """
.github/CODEOWNERS .github/ISSUE_TEMPLATE/1-ask.yml .github/ISSUE_TEMPLATE/2-data-acquisition.yml
.github/ISSUE_TEMPLATE/3-data-create.yml .github/ISSUE_TEMPLATE/4-explore.yml .github/ISSUE_TEMPLATE/5-experiment.yml
.github/ISSUE_TEMPLATE/6-model.yml .github/ISSUE_TEMPLATE/config.yml .github/PULL_REQUEST_TEMPLATE.md
""",
    ("ci+governance", "gitlab+full"): """
.gitlab/CODEOWNERS .gitlab/issue_templates/Ask.md .gitlab/issue_templates/Data_Acquisition.md
.gitlab/issue_templates/Data_Create.md .gitlab/issue_templates/Experiment.md .gitlab/issue_templates/Explore.md
.gitlab/issue_templates/Model.md .gitlab/merge_request_templates/Default.md
""",
}
LIBRARY = TEMPLATE / "library" / "stagebook"


def expected_files(answers: dict[str, str]) -> set[str]:
    """Return the files outside the library that a project with these answers has."""
    chosen = {
        "data": "flights",
        "ci": "github",
        "governance": "basic",
        "tracking": "embedded",
        "deployment": "local",
    } | answers
    slug = answers.get("project_slug", "my-data" if chosen["data"] == "own" else "flight-delays")
    files = FILES
    for (questions, given), more in FILES_OF.items():
        pairs = zip(questions.split("+"), given.split("+"), strict=True)
        files += more * all(chosen[question] in (answer, "both") for question, answer in pairs) + "\n"
    return set(files.replace("PACKAGE", answers.get("package_name", slug.replace("-", "_"))).split())


def library_files() -> dict[str, bytes]:
    """Return the library's files, without what tools leave beside them."""
    left = {"__pycache__", "stagebook.egg-info", "build", ".pytest_cache", ".ruff_cache"}
    files = {path.relative_to(LIBRARY): path for path in LIBRARY.rglob("*") if path.is_file()}
    return {name.as_posix(): path.read_bytes() for name, path in files.items() if not left & set(name.parts)}


@pytest.fixture(scope="module", params=OPTIONS.values(), ids=OPTIONS)
def answers(request):
    return request.param


@pytest.fixture(scope="module")
def project(answers, tmp_path_factory):
    """The project of these answers; tests only read it."""
    return bake_into(tmp_path_factory.mktemp("option"), **answers)


def test_exactly_these_files_come_out(project, answers):
    assert {file for file in project.files() if not file.startswith("vendor/stagebook/")} == expected_files(answers)


def test_the_library_comes_out_unrendered_with_its_hashes(project):
    copy = project.path / "vendor" / "stagebook"
    found = {path.relative_to(copy).as_posix(): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert found == library_files()
    assert any(b"{{" in content for content in found.values()), "or there is nothing that could be rendered"
    lines = [f"{hashlib.sha256(found[name]).hexdigest()}  vendor/stagebook/{name}" for name in found]
    assert sorted(project.read("vendor/stagebook.sha256").splitlines()) == sorted(lines)


def test_what_tools_leave_in_the_library_is_not_handed_on(tmp_path):
    template = copy_template(tmp_path / "template")
    for name in (
        "stagebook/__pycache__/a.pyc",
        "stagebook/data/.ruff_cache/b",
        "build/lib/c.py",
        "stagebook.egg-info/d",
    ):
        left = template.path / "library" / "stagebook" / name
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_text("left over")
    assert call_cookiecutter(str(template.path), folder=tmp_path / "work").returncode == 0
    copy = tmp_path / "work" / "flight-delays" / "vendor" / "stagebook"
    assert {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()} == set(library_files())


def test_every_file_is_what_its_name_says_and_no_braces_are_left(project):
    for file in project.files():
        if file.startswith("vendor/"):
            continue  # compared with the library above
        text = project.read(file)
        if file.endswith(".toml"):
            tomllib.loads(text)
        elif file.endswith((".yaml", ".yml")):
            YAML(typ="safe").load(text)
        elif file.endswith(".json"):
            json.loads(text)
        elif file.endswith(".py"):
            compile(text, file, "exec")
        elif file.endswith(".ipynb"):
            nbformat.validate(nbformat.reads(text, as_version=4))
        workflow_expressions = r"\$\{\{.*?\}\}" if file.startswith(".github/") else "$^"
        assert not re.search(r"\{\{|\{%|\{#|cookiecutter\.(?!json)", re.sub(workflow_expressions, "", text)), file


def test_hard_text_arrives_as_it_was_typed(bake):
    project = bake(**HOSTILE)
    metadata = tomllib.loads(project.read("pyproject.toml"))["project"]
    assert metadata["description"] == " ".join(HOSTILE["description"].split())
    assert metadata["authors"] == [{"name": " ".join(HOSTILE["author_name"].split()), "email": "team@example.com"}]
    assert json.loads(project.read(".devcontainer/devcontainer.json"))["name"] == " ".join(
        HOSTILE["project_name"].split()
    )
    assert project.read("README.md").startswith(
        "# " + " ".join(HOSTILE["project_name"].split()) + "\n\n" + HOSTILE["description"]
    )
    assert HOSTILE["author_name"] in project.read("LICENSE")


@pytest.mark.parametrize(
    ("licence", "words", "identifier"),
    [
        ("MIT", "MIT License", "MIT"),
        ("BSD-3-Clause", "BSD 3-Clause License", "BSD-3-Clause"),
        ("Proprietary", "All rights reserved", "LicenseRef-Proprietary"),
    ],
)
def test_licence_is_the_chosen_one(bake, licence, words, identifier):
    project = bake(license=licence)
    assert words in project.read("LICENSE")
    assert tomllib.loads(project.read("pyproject.toml"))["project"]["license"] == identifier


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_python_version_is_the_same_everywhere(bake, version):
    project = bake(python_version=version)
    assert tomllib.loads(project.read("pyproject.toml"))["project"]["requires-python"] == f">={version},<3.14"
    assert f"python={version}" in YAML(typ="safe").load(project.read("environments/conda.yaml"))["dependencies"]
    assert json.loads(project.read(".devcontainer/devcontainer.json"))["image"].endswith(f":{version}")
    modules = [path for path in (project.path / "code").rglob("*.py") if "AUTOGENERATED" not in path.read_text()]
    own = ["notebooks", "tests", "docs", *map(str, modules)]
    linter = Path(sys.executable).with_name("ruff")
    said = subprocess.run([linter, "check", *own], cwd=project.path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, f"newer idioms are asked for:\n{said.stdout}"


def test_names_follow_from_the_project_name(bake):
    project = bake(project_name="Größe & Gewicht")
    assert project.path.name == "grosse-gewicht"
    assert (project.path / "code" / "grosse_gewicht").is_dir()


@pytest.mark.parametrize("data", [{}, OPTIONS["own data, hostile"], OPTIONS["own data at a URL"]])
def test_jupyter_and_pipeline_start_from_the_same_parameters(bake, data):
    project = bake(**data)
    sections = YAML(typ="safe").load(project.read("params.yaml"))
    for notebook in sorted((project.path / "notebooks").glob("*.ipynb")):
        [cell] = [c for c in nbformat.read(notebook, as_version=4).cells if "parameters" in c.metadata.get("tags", [])]
        defaults = {line.targets[0].id: ast.literal_eval(line.value) for line in ast.parse(cell.source).body}
        section = sections[notebook.stem.split("_")[1]]
        section.pop("baseline_features", None)  # names columns: 50_train serves any data, so its default is all of them
        assert {name: defaults[name] for name in section} == section, notebook.name
