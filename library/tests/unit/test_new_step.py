"""`make step`: a step goes where it fits and nowhere else; what is there already stays byte by byte."""

import nbformat
import pytest
from ruamel.yaml import YAML
from stagebook.project.errors import StepError
from stagebook.scaffold.new_step import write
from stagebook.scaffold.new_step.place import find_place
from stagebook.scaffold.new_step.write import add_step, insert_section, read_cells

YAML_TEXT = """# top
stages:
  a:
    cmd: x # why
    outs: [data/raw/b.parquet]

  # about c
  c:
    cmd: y
plots:
  - reports
"""


STAGES = {
    "10_ingest": ("datasets.ingest", ["data/raw/a.parquet", "data/raw/b.parquet"]),
    "20_clean": ("datasets.clean", ["data/interim/a.parquet", "data/interim/task.json"]),
    "40_features": ("features.build", ["data/processed/holdout.parquet", "data/processed/train.parquet"]),
    "50_train": ("models.train", ["models/candidate"]),
    "51_evaluate": ("models.evaluate", ["reports/metrics.json"]),
}


@pytest.fixture
def project(tmp_path):
    """A project of five steps."""
    stages = {}
    for stem, (module, outs) in STAGES.items():
        cells = [nbformat.v4.new_code_cell(f"#| default_exp {module}")]
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / f"{stem}.ipynb")
        stages[stem[3:]] = {"cmd": "true", "outs": outs}
    (tmp_path / "pyproject.toml").write_text('[tool.nbdev]\nlib_path = "code/package"\n')
    for module in ("datasets/tables.py", "pipeline/run.py"):
        (tmp_path / "code" / "package" / module).parent.mkdir(parents=True)
        (tmp_path / "code" / "package" / module).write_text("")
    YAML().dump({"stages": stages}, tmp_path / "dvc.yaml")
    YAML().dump({"ingest": {"months": [1]}, "spare": {"a": 1}}, tmp_path / "params.yaml")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_section_is_put_behind_the_one_before_it_and_comments_stay_with_what_they_are_about():
    longer = insert_section(YAML_TEXT, "stages", ["a"], "b:\n  cmd: z\n")
    assert longer == YAML_TEXT.replace("parquet]\n", "parquet]\n\n  b:\n    cmd: z\n")
    last = insert_section(YAML_TEXT, "stages", ["a", "c"], "d:\n  cmd: z\n")
    assert last == YAML_TEXT.replace("cmd: y\n", "cmd: y\n\n  d:\n    cmd: z\n")


def test_section_without_one_before_it_goes_to_the_end():
    assert insert_section("# top\na: 1", "", ["none"], "b:\n  c: 2\n") == "# top\na: 1\n\nb:\n  c: 2\n"


def test_percent_format_becomes_cells():
    notebook = read_cells("# %% [markdown] title\n# T\n\n> s\n# %% parameters tags=parameters\na = 1\n")
    assert [(cell.cell_type, cell.id, cell.source) for cell in notebook.cells] == [
        ("markdown", "title", "# T\n\n> s"),
        ("code", "parameters", "a = 1"),
    ]
    assert notebook.cells[1].metadata == {"tags": ["parameters"]}


@pytest.mark.parametrize(
    ("after", "stem", "folder", "table", "task"),
    [
        ("ingest", "15_new", "datasets", "data/raw/a.parquet", ""),
        ("clean", "30_new", "datasets", "data/interim/a.parquet", "data/interim/task.json"),
        ("", "45_new", "features", "data/processed/train.parquet", "data/interim/task.json"),
        ("evaluate", "61_new", "models", "data/processed/train.parquet", "data/interim/task.json"),
    ],
)
def test_step_reads_the_nearest_table_before_it(project, after, stem, folder, table, task):
    place = find_place(project, "new", after)
    assert (place.stem, place.folder, place.table, place.task) == (stem, folder, table, task)


def test_step_before_any_table_is_refused(project):
    (project / "dvc.yaml").write_text("stages:\n  ingest:\n    cmd: x\n")
    with pytest.raises(StepError, match="no table"):
        find_place(project, "new", "ingest")


@pytest.mark.parametrize(
    ("name", "after", "said"),
    [
        ("Outliers", "", "NAME='Outliers': take lower-case letters"),
        ("2nd", "", "take lower-case letters"),
        ("a-b", "", "take lower-case letters"),
        ("../x", "", "take lower-case letters"),
        ("", "", "take lower-case letters"),
        ("a" * 31, "", "30 at most"),
        ("class", "", "keyword of Python"),
        ("train", "", "there is such a step already; there are ingest,"),
        ("tables", "", "there is code/package/datasets/tables.py already"),
        ("pipeline", "", "there is code/package/pipeline already"),
        ("spare", "", "params.yaml has such a section already"),
        ("metrics", "", "the step evaluate writes reports/metrics.json already"),
        ("new", "nowhere", "AFTER=nowhere: there is no such step; there are ingest,"),
        ("new", "train", "no number is free between 50 and 51"),
    ],
)
def test_refusal_is_one_line_and_changes_nothing(project, name, after, said):
    before = contents(project)
    with pytest.raises(StepError, match=said) as error:
        add_step(project, name, after)
    assert len(str(error.value).splitlines()) == 1
    assert contents(project) == before


def test_nothing_is_left_behind_if_the_export_fails(project, monkeypatch):
    before = contents(project)

    def fail(command, cwd, check):
        if command[0] == "nbdev-export":
            raise write.subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(write.subprocess, "run", fail)
    with pytest.raises(StepError, match="nothing has changed"):
        add_step(project, "something_new")
    assert contents(project) == before
