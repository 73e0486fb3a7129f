"""What comes out for each option and for names that are hard to carry."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from conftest import TEMPLATE
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
    "remote gcs": {"remote": "gcs"},
    "remote azure": {"remote": "azure"},
    "remote ssh": {"remote": "ssh"},
    "python 3.12": {"python_version": "3.12"},
    "python 3.13": {"python_version": "3.13"},
}
FILES = """
.cruft.json .devcontainer/devcontainer.json .dvc/.gitignore .dvc/config .dvcignore .gitattributes .gitignore
.pre-commit-config.yaml LICENSE Makefile README.md code/PACKAGE/__init__.py code/PACKAGE/automation/__init__.py
code/PACKAGE/automation/__main__.py code/PACKAGE/automation/http.py code/PACKAGE/automation/proposal.py
code/PACKAGE/automation/report.py code/PACKAGE/automation/retrain.py code/PACKAGE/automation/sample.py
code/PACKAGE/datasets/__init__.py code/PACKAGE/datasets/clean.py code/PACKAGE/datasets/conform.py
code/PACKAGE/datasets/ingest.py code/PACKAGE/datasets/labels.py code/PACKAGE/datasets/origin.py
code/PACKAGE/datasets/parsing/__init__.py code/PACKAGE/datasets/parsing/dates.py
code/PACKAGE/datasets/parsing/numbers.py code/PACKAGE/datasets/parsing/texts.py code/PACKAGE/datasets/privacy.py
code/PACKAGE/datasets/profile.py code/PACKAGE/datasets/schema.py code/PACKAGE/datasets/skew/__init__.py
code/PACKAGE/datasets/skew/baseline.py code/PACKAGE/datasets/skew/correlation.py code/PACKAGE/datasets/skew/judge.py
code/PACKAGE/datasets/skew/moves.py code/PACKAGE/datasets/split.py code/PACKAGE/datasets/tables.py
code/PACKAGE/datasets/task.py code/PACKAGE/datasets/validate.py code/PACKAGE/datasets/wrangling.py
code/PACKAGE/features/__init__.py code/PACKAGE/features/__main__.py code/PACKAGE/features/build.py
code/PACKAGE/features/online.py code/PACKAGE/features/registry.py code/PACKAGE/features/store.py
code/PACKAGE/models/__init__.py code/PACKAGE/models/__main__.py code/PACKAGE/models/backtest.py
code/PACKAGE/models/benchmark.py code/PACKAGE/models/calibrate.py code/PACKAGE/models/candidates.py
code/PACKAGE/models/card/__init__.py code/PACKAGE/models/card/data_sheet.py code/PACKAGE/models/card/evidence.py
code/PACKAGE/models/card/facts.py code/PACKAGE/models/card/inspected.py code/PACKAGE/models/card/judgement.py
code/PACKAGE/models/card/missing.py code/PACKAGE/models/card/model_card.py code/PACKAGE/models/card/page.html.j2
code/PACKAGE/models/card/page.py code/PACKAGE/models/card/parts.py code/PACKAGE/models/card/write.py
code/PACKAGE/models/columns.py code/PACKAGE/models/decisions.py code/PACKAGE/models/evaluate.py
code/PACKAGE/models/folds.py code/PACKAGE/models/gate/__init__.py code/PACKAGE/models/gate/bars.py
code/PACKAGE/models/gate/costs.py code/PACKAGE/models/gate/duties.py code/PACKAGE/models/gate/judge.py
code/PACKAGE/models/gate/phrases.py code/PACKAGE/models/gate/requirements.py code/PACKAGE/models/gate/verdict.py
code/PACKAGE/models/insight/__init__.py code/PACKAGE/models/insight/backtest_pictures.py
code/PACKAGE/models/insight/behaviour.py code/PACKAGE/models/insight/behaviour_file.py
code/PACKAGE/models/insight/bins.py code/PACKAGE/models/insight/fairness.py code/PACKAGE/models/insight/importance.py
code/PACKAGE/models/insight/learning_curve.py code/PACKAGE/models/insight/periods.py
code/PACKAGE/models/insight/pictures.py code/PACKAGE/models/insight/segments.py code/PACKAGE/models/insight/slices.py
code/PACKAGE/models/insight/try_out.py code/PACKAGE/models/inspection.py code/PACKAGE/models/onnx_format.py
code/PACKAGE/models/package.py code/PACKAGE/models/pictures.py code/PACKAGE/models/predictor.py
code/PACKAGE/models/register.py code/PACKAGE/models/registry/__init__.py code/PACKAGE/models/registry/decide.py
code/PACKAGE/models/registry/history.py code/PACKAGE/models/registry/keep.py
code/PACKAGE/models/registry/life_cycle.py code/PACKAGE/models/registry/listing.py
code/PACKAGE/models/registry/register.py code/PACKAGE/models/registry/stages.py
code/PACKAGE/models/registry/versions.py code/PACKAGE/models/search.py code/PACKAGE/models/skops_format.py
code/PACKAGE/models/train.py code/PACKAGE/models/uncertainty.py code/PACKAGE/models/yaml_values.py
code/PACKAGE/pipeline/__init__.py code/PACKAGE/pipeline/__main__.py code/PACKAGE/pipeline/callers.py
code/PACKAGE/pipeline/catalog/__init__.py code/PACKAGE/pipeline/catalog/diagram.py
code/PACKAGE/pipeline/catalog/graph.py code/PACKAGE/pipeline/catalog/markdown.py
code/PACKAGE/pipeline/catalog/meaning.py code/PACKAGE/pipeline/catalog/pages.py
code/PACKAGE/pipeline/catalog/tables.py code/PACKAGE/pipeline/catalog/write.py code/PACKAGE/pipeline/checks.py
code/PACKAGE/pipeline/compare/__init__.py code/PACKAGE/pipeline/compare/notebooks.py
code/PACKAGE/pipeline/compare/page.html.j2 code/PACKAGE/pipeline/compare/page.py code/PACKAGE/pipeline/compare/runs.py
code/PACKAGE/pipeline/compare/side.py code/PACKAGE/pipeline/compare/write.py code/PACKAGE/pipeline/events.py
code/PACKAGE/pipeline/execute.py code/PACKAGE/pipeline/guard.py code/PACKAGE/pipeline/leaks.py
code/PACKAGE/pipeline/lineage.py code/PACKAGE/pipeline/new_step/__init__.py
code/PACKAGE/pipeline/new_step/notebook.py.j2 code/PACKAGE/pipeline/new_step/params.yaml.j2
code/PACKAGE/pipeline/new_step/place.py code/PACKAGE/pipeline/new_step/stage.yaml.j2
code/PACKAGE/pipeline/new_step/test.py.j2 code/PACKAGE/pipeline/new_step/write.py code/PACKAGE/pipeline/parallel.py
code/PACKAGE/pipeline/parameters.py code/PACKAGE/pipeline/project.py code/PACKAGE/pipeline/report.html.j2
code/PACKAGE/pipeline/report.py code/PACKAGE/pipeline/run.py code/PACKAGE/pipeline/runs.py
code/PACKAGE/pipeline/site/__init__.py code/PACKAGE/pipeline/site/build.py code/PACKAGE/pipeline/site/flowchart.py
code/PACKAGE/pipeline/site/history.py code/PACKAGE/pipeline/site/layers.py code/PACKAGE/pipeline/site/links.py
code/PACKAGE/pipeline/site/notebooks.py code/PACKAGE/pipeline/site/pages.py code/PACKAGE/pipeline/stage.py
code/PACKAGE/pipeline/summary.py code/PACKAGE/pipeline/template.py code/PACKAGE/pipeline/tracking.py
code/PACKAGE/pipeline/update.py code/PACKAGE/pipeline/warm/__init__.py code/PACKAGE/pipeline/warm/client.py
code/PACKAGE/pipeline/warm/engine.py code/PACKAGE/pipeline/warm/kernel.py code/PACKAGE/pipeline/warm/server.py
code/PACKAGE/pipeline/warm/step.py data/README.md data/interim/.gitkeep data/processed/.gitkeep data/raw/.gitkeep
docs/ai_canvas.md docs/automation.md docs/behaviour.yaml docs/conf.py docs/experiments.md docs/feature_store.md
docs/governance.md docs/labels.yaml docs/models.md docs/quality_gates.md docs/requirements.yaml
docs/solution_architecture.md docs/versioning.md dvc.yaml environments/README.md environments/conda.yaml
environments/constraints-3.11.txt environments/constraints-3.12.txt environments/constraints-3.13.txt models/.gitkeep
notebooks/10_ingest.ipynb notebooks/20_validate.ipynb notebooks/30_clean.ipynb notebooks/40_features.ipynb
notebooks/50_train.ipynb notebooks/60_evaluate.ipynb notebooks/65_inspect.ipynb notebooks/66_backtest.ipynb
notebooks/70_register.ipynb params.yaml pyproject.toml reports/.gitkeep tests/conftest.py
tests/data_validation/test_data.py tests/data_validation/test_raw.py tests/integration/test_engine.py
tests/integration/test_step.py tests/model/test_model.py tests/sample.yaml tests/unit/test_automation.py
tests/unit/test_backtest.py tests/unit/test_behaviour.py tests/unit/test_card.py tests/unit/test_catalog.py
tests/unit/test_compare.py tests/unit/test_decisions.py tests/unit/test_events.py tests/unit/test_fairness.py
tests/unit/test_gate.py tests/unit/test_guard.py tests/unit/test_history.py tests/unit/test_keep.py tests/unit/test_labels.py
tests/unit/test_models.py tests/unit/test_new_step.py tests/unit/test_normalise.py tests/unit/test_onnx_format.py
tests/unit/test_parallel.py tests/unit/test_parameters.py tests/unit/test_parse.py tests/unit/test_predictor.py
tests/unit/test_privacy.py tests/unit/test_report.py tests/unit/test_requirements.py tests/unit/test_schema.py tests/unit/test_search.py
tests/unit/test_segments.py tests/unit/test_site.py tests/unit/test_skew.py tests/unit/test_split.py
tests/unit/test_store.py tests/unit/test_tables.py tests/unit/test_wiring.py tests/unit/test_wrangling.py
"""
FILES_OF_FLIGHTS = """
code/PACKAGE/datasets/arrivals.py data/schema.yaml tests/model/test_candidate.py tests/unit/test_arrivals.py
tests/unit/test_registry.py
"""
FILES_OF_OWN_DATA = """
code/PACKAGE/automation/invent.py code/PACKAGE/datasets/infer.py code/PACKAGE/datasets/leakage.py
code/PACKAGE/datasets/pii.py code/PACKAGE/datasets/reading/__init__.py code/PACKAGE/datasets/reading/columns.py
code/PACKAGE/datasets/reading/database.py code/PACKAGE/datasets/reading/delimited.py
code/PACKAGE/datasets/reading/locations.py code/PACKAGE/datasets/reading/sources.py
code/PACKAGE/datasets/reading/text_encoding.py code/PACKAGE/datasets/reading/typed_files.py
code/PACKAGE/datasets/reading/unpack.py code/PACKAGE/datasets/target.py docs/your_data.md notebooks/15_schema.ipynb
tests/unit/test_infer.py tests/unit/test_invent.py tests/unit/test_pii.py tests/unit/test_sources.py
"""
FILES_OF_GITHUB = """
.github/CODEOWNERS .github/ISSUE_TEMPLATE/1-ask.yml .github/ISSUE_TEMPLATE/2-data-acquisition.yml
.github/ISSUE_TEMPLATE/3-data-create.yml .github/ISSUE_TEMPLATE/4-explore.yml .github/ISSUE_TEMPLATE/5-experiment.yml
.github/ISSUE_TEMPLATE/6-model.yml .github/ISSUE_TEMPLATE/config.yml .github/PULL_REQUEST_TEMPLATE.md
.github/actions/prepare/action.yaml .github/dependabot.yml .github/workflows/ci.yaml .github/workflows/pipeline.yaml
.github/workflows/release.yaml .github/workflows/train.yaml code/PACKAGE/automation/github.py
"""
FILES_OF_GITLAB = """
.gitlab-ci.yml .gitlab/CODEOWNERS .gitlab/issue_templates/Ask.md .gitlab/issue_templates/Data_Acquisition.md
.gitlab/issue_templates/Data_Create.md .gitlab/issue_templates/Experiment.md .gitlab/issue_templates/Explore.md
.gitlab/issue_templates/Model.md .gitlab/merge_request_templates/Default.md code/PACKAGE/automation/gitlab.py
tests/unit/test_gitlab.py
"""
FILES_OF_A_SERVER = """
environments/server.mk environments/tracking.toml
"""


@pytest.fixture(params=OPTIONS.values(), ids=OPTIONS)
def answers(request):
    return request.param


def test_exactly_these_files_come_out(bake, answers):
    project = bake(**answers)
    slug = answers.get("project_slug", "my-data" if answers.get("data") == "own" else "flight-delays")
    package = answers.get("package_name", slug.replace("-", "_"))
    files = FILES + (FILES_OF_OWN_DATA if answers.get("data") == "own" else FILES_OF_FLIGHTS)
    files += {"gitlab": FILES_OF_GITLAB, "both": FILES_OF_GITHUB + FILES_OF_GITLAB}.get(
        answers.get("ci"), FILES_OF_GITHUB
    )
    files += FILES_OF_A_SERVER if answers.get("tracking") == "server" else ""
    assert project.files() == set(files.replace("PACKAGE", package).split())


def test_every_file_is_what_its_name_says_and_no_braces_are_left(bake, answers):
    project = bake(**answers)
    for file in project.files():
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
        if file.endswith(".j2"):
            continue  # nbconvert's template, not ours
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
    own = ["notebooks", "tests", "docs", *(f"code/flight_delays/{folder}" for folder in ("pipeline", "automation"))]
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
