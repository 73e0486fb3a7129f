"""dvc.yaml, params.yaml and the notebooks must tell the same story: each way in which they can differ is named."""

import nbformat
import pytest
from ruamel.yaml import YAML
from samples import write_files, write_project
from stagebook.project.errors import StepError
from stagebook.scaffold.wiring import check_wiring, needed_code

CONTRACT = """- **Reads** `data/raw/*.csv`
- **Writes** `data/clean.csv`, `reports/clean.json`
- **Parameters** `rate`"""
CODE = """%matplotlib inline
import pandas as pd
from tiny.own import helper
from stagebook.data.tables import read_table
!ls"""
STAGE = {
    "cmd": "stagebook run notebooks/10_clean.ipynb",
    "deps": [
        "notebooks/10_clean.ipynb",
        "code/tiny/own.py",
        "code/tiny/deep.py",
        "vendor/stagebook/stagebook/data",
        "vendor/stagebook/stagebook/project",
        "data/raw/a.csv",
        "data/raw/b.csv",
    ],
    "params": ["clean"],
    "outs": ["data/clean.csv", "reports/10_clean.ipynb", "reports/10_clean.html"],
    "metrics": [{"reports/clean.json": {"cache": False}}],
}


@pytest.fixture
def project(tmp_path):
    """A project of one step, that imports a module of its own, which imports another, and rooms of the library."""
    write_project(tmp_path)
    write_files(
        tmp_path,
        {
            "code/tiny/own.py": "from .deep import thing\nhelper = thing\n",
            "code/tiny/deep.py": "def thing():\n    from stagebook.project.files import write_json\n",
            "code/tiny/unused.py": "",
            "vendor/stagebook/stagebook/__init__.py": "",
            "vendor/stagebook/stagebook/data/__init__.py": "",
            "vendor/stagebook/stagebook/data/tables.py": "from ..project.errors import DataError\n",
            "vendor/stagebook/stagebook/project/errors.py": "",
            "vendor/stagebook/stagebook/project/files.py": "",
            "params.yaml": "clean:\n  rate: 0.5\n",
        },
    )
    write_notebook(tmp_path)
    write_stages(tmp_path, clean=STAGE)
    return tmp_path


def write_notebook(project, contract=CONTRACT, parameters="rate = 0.1", code=CODE, name="10_clean"):
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# Clean"),
        v4.new_markdown_cell(contract),
        v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        v4.new_code_cell(code),
    ]
    (project / "notebooks").mkdir(exist_ok=True)
    nbformat.write(v4.new_notebook(cells=cells), project / "notebooks" / f"{name}.ipynb")


def write_stages(project, **stages):
    with (project / "dvc.yaml").open("w") as stream:
        YAML().dump({"stages": stages}, stream)


def complaint(project):
    with pytest.raises(StepError, match=r"notebooks and dvc\.yaml differ:") as error:
        check_wiring(project)
    return [line.strip() for line in str(error.value).splitlines()[1:]]


def test_what_fits_passes(project):
    check_wiring(project)


def test_code_is_what_is_imported_and_what_that_imports(project):
    notebook = project / "notebooks" / "10_clean.ipynb"
    assert needed_code(project, notebook) == {dep for dep in STAGE["deps"] if dep.startswith(("code/", "vendor/"))}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"cmd": "python clean.py"},
            "`cmd` is 'python clean.py'; it must be 'stagebook run notebooks/10_clean.ipynb'",
        ),
        ({"params": []}, "`params` lacks clean, whose parameters the notebook has"),
        ({"params": None}, "`params` lacks clean, whose parameters the notebook has"),
        (
            {"outs": ["data/clean.csv", "reports/10_clean.html"]},
            "`outs` lacks reports/10_clean.ipynb",
        ),
        (
            {"outs": [*STAGE["outs"], "data/more.csv"]},
            "`outs` has data/more.csv, which the notebook never writes",
        ),
        ({"metrics": []}, "`outs` lacks reports/clean.json, which the notebook writes"),
        (
            {"deps": [*STAGE["deps"], "data/other.csv"]},
            "`deps` has data/other.csv, which the notebook never reads",
        ),
        (
            {"deps": [*STAGE["deps"], "code/tiny/unused.py"]},
            "`deps` has code/tiny/unused.py, which the notebook never imports",
        ),
        *(
            (
                {"deps": [dep for dep in STAGE["deps"] if dep != lost]},
                f"`deps` lacks {lost}, which the notebook imports",
            )
            for lost in STAGE["deps"][:5]
        ),
        (
            {"deps": [dep for dep in STAGE["deps"] if not dep.startswith("data/")]},
            "`deps` lacks data/raw/*.csv, which the notebook reads",
        ),
    ],
)
def test_stage_that_differs_is_named(project, changes, said):
    write_stages(project, clean={key: value for key, value in (STAGE | changes).items() if value is not None})
    assert complaint(project) == [f"dvc.yaml, clean: {said}"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"contract": CONTRACT.replace("- **Reads** `data/raw/*.csv`\n", "")},
            "dvc.yaml, clean: notebooks/10_clean.ipynb has no bullet **Reads** in its second cell",
        ),
        (
            {"contract": CONTRACT.replace("`rate`", "`speed`")},
            "dvc.yaml, clean: `params` has rate, which the notebook never describes",
        ),
        ({"parameters": "rate = 'x'"}, "`clean.rate` is 0.5 (float); it must be str"),
        ({"parameters": ""}, "`clean.rate` is not a parameter of notebooks/10_clean.ipynb"),
    ],
)
def test_notebook_that_differs_is_named(project, changes, said):
    write_notebook(project, **changes)
    assert any(said in line for line in complaint(project))


def test_stage_without_a_notebook_and_notebook_without_a_stage_are_named(project):
    write_stages(project, clean=STAGE, lost={"cmd": "x"})
    write_notebook(project, name="20_more")
    said = complaint(project)
    assert "20_more.ipynb: dvc.yaml has no stage more" in said
    assert "dvc.yaml: the stage lost has no notebook" in said


def test_stages_are_in_the_order_of_the_notebooks(project):
    stage = {
        "cmd": "stagebook run notebooks/05_first.ipynb",
        "outs": ["reports/05_first.ipynb", "reports/05_first.html"],
    }
    write_notebook(project, "- **Reads** nothing\n- **Writes** nothing\n- **Parameters** none", "", "1", "05_first")
    first = stage | {"deps": ["notebooks/05_first.ipynb"]}
    write_stages(project, first=first, clean=STAGE)
    check_wiring(project)
    write_stages(project, clean=STAGE, first=first)
    assert complaint(project) == ["dvc.yaml: the stages are not in the order of the notebooks: first, clean"]


def test_a_pipeline_of_its_own_in_pipelines_is_checked_against_the_dvc_yaml_beside_it(project):
    folder = project / "pipelines" / "watch"
    write_files(folder, {"params.yaml": "look:\n  rate: 0.5\n"})
    write_notebook(
        project, "- **Reads** `data/clean.csv`\n- **Writes** nothing\n- **Parameters** `rate`", name="90_look"
    )
    (project / "notebooks" / "90_look.ipynb").rename(folder / "90_look.ipynb")
    code = [f"../../{dep}" for dep in STAGE["deps"] if dep.startswith(("code/", "vendor/"))]
    outs = ["../../reports/90_look.ipynb", "../../reports/90_look.html"]
    stage = {
        "cmd": "stagebook run 90_look.ipynb",
        "deps": ["90_look.ipynb", *code, "../../data/clean.csv"],
        "outs": outs,
    }

    def write(**changes):
        with (folder / "dvc.yaml").open("w") as stream:
            YAML().dump({"stages": {"look": stage | changes}}, stream)

    write(params=["look"])
    check_wiring(project)
    write()
    assert complaint(project) == [
        "pipelines/watch/dvc.yaml, look: `params` lacks look, whose parameters the notebook has"
    ]
    write(params=["look"], deps=stage["deps"][:-1])
    [line] = complaint(project)
    assert line.startswith("pipelines/watch/dvc.yaml, look: `deps` lacks data/clean.csv")
