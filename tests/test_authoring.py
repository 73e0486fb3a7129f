"""`make bake` and `make unbake`: the template is edited as a project, and gets the edits exactly or not at all."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from baked import TEMPLATE, Project
from cookiecutter.main import cookiecutter
from test_options import HOSTILE

pytestmark = pytest.mark.slow
TREE = "{{cookiecutter.project_slug}}"
LIBRARY = "library/stagebook"
GENERATED = shutil.ignore_patterns("__pycache__", "*.egg-info")


class Copy(Project):
    """A copy of the template, so that the tests do not write to it."""

    def author(self, *words: str, ok: bool = True, **env: str) -> str:
        result = self.run(sys.executable, "tools/authoring.py", *words, ok=ok, **env)
        return result.stdout + result.stderr

    def bake(self, data: str = "flights") -> Project:
        self.author("bake", f"--data={data}")
        return Project(self.path / "build" / "authoring" / data / "authored-project")

    def bake_for_user(self, folder: Path, **answers: str) -> dict[str, str]:
        """Return the files that a user gets."""
        folder.mkdir()
        project = Project(Path(cookiecutter(str(self.path), no_input=True, output_dir=folder, extra_context=answers)))
        return {file: project.read(file) for file in project.files() - {".cruft.json", "vendor/stagebook.sha256"}}

    def contents(self) -> dict[str, bytes]:
        """Return the files of the template's tree and of the library."""
        roots = (self.path / TREE, self.path / "library")
        files = [(root, path) for root in roots for path in root.rglob("*") if path.is_file()]
        return {
            path.relative_to(root if root.name == TREE else self.path).as_posix(): path.read_bytes()
            for root, path in files
            if "__pycache__" not in path.parts
        }


@pytest.fixture
def copy(tmp_path) -> Copy:
    path = tmp_path / "copy"
    for folder in ("hooks", "tools", LIBRARY, TREE):
        shutil.copytree(TEMPLATE / folder, path / folder, ignore=GENERATED, symlinks=True)
    shutil.copy(TEMPLATE / "cookiecutter.json", path)
    return Copy(path)


def edit_everything(project: Project) -> None:
    """Change a notebook's cell, its import, a module, the Makefile, the README; add files, delete one."""
    project.edit("notebooks/50_train.ipynb", {"# Train": "# Train all of authored_project"})
    project.edit(
        "notebooks/40_features.ipynb",
        {'"#| export\\n",\n    "import': '"#| export\\n",\n    "import json\\n",\n    "import'},
    )
    module = "code/authored_project/models/candidates.py"
    (project.path / module).write_text(project.read(module) + "\n\nNEW = 1\n")
    project.edit("Makefile", {"PORT ?= 5000": "PORT ?= 5050  # of authored_project, alias authored-project"})
    project.edit("README.md", {"## Where to change what": "## Where what is changed"})
    (project.path / "docs" / "new.md").write_text("On `authored_project.models`.\n")
    (project.path / "code" / "authored_project" / "models" / "new.py").write_text("from .candidates import NEW\n")
    (project.path / "environments" / "README.md").unlink()
    library = "vendor/stagebook/stagebook/model"
    (project.path / library / "folds.py").write_text(project.read(f"{library}/folds.py") + "\n\nNEWER = 1\n")
    (project.path / library / "newer.py").write_text("from .folds import NEWER\n")


def expect_edits(files: dict[str, str], slug: str, package: str) -> dict[str, str]:
    """Make the same edits in the files that a user got before."""
    said = {
        "notebooks/50_train.ipynb": ("# Train", f"# Train all of {package}"),
        "notebooks/40_features.ipynb": (
            '"#| export\\n",\n    "import',
            '"#| export\\n",\n    "import json\\n",\n    "import',
        ),
        "Makefile": ("PORT ?= 5000", f"PORT ?= 5050  # of {package}, alias {slug}"),
        "README.md": ("## Where to change what", "## Where what is changed"),
    }
    files = files | {file: files[file].replace(*change) for file, change in said.items()}
    files[f"code/{package}/models/candidates.py"] += "\n\nNEW = 1\n"
    files[f"code/{package}/models/new.py"] = "from .candidates import NEW\n"
    files["vendor/stagebook/stagebook/model/folds.py"] += "\n\nNEWER = 1\n"
    files["vendor/stagebook/stagebook/model/newer.py"] = "from .folds import NEWER\n"
    files["docs/new.md"] = f"On `{package}.models`.\n"
    return {file: text for file, text in files.items() if file != "environments/README.md"}


@pytest.mark.parametrize("data", ["flights", "own"])
def test_without_edits_nothing_changes(copy, data):
    before = copy.contents()
    copy.bake(data)
    assert "0 files" in copy.author("unbake", f"--data={data}")
    assert copy.contents() == before
    copy.author("bake", f"--data={data}")


@pytest.mark.parametrize("data", ["flights", "own"])
def test_all_edits_arrive_for_any_name(copy, tmp_path, data):
    own = {"data": "own", "data_path": str(TEMPLATE / "README.md"), "target": "y"} if data == "own" else {}
    names = {"project_slug": "other-name", "package_name": "other"}
    before = copy.bake_for_user(tmp_path / "before", **own, **names)
    hostile = copy.bake_for_user(tmp_path / "hostile before", **own, **HOSTILE)
    project = copy.bake(data)
    edit_everything(project)
    for file in ("dvc.lock", "data/baseline.json", "docs/data/README.md"):
        (project.path / file).parent.mkdir(exist_ok=True)
        (project.path / file).write_text("by the pipeline")
    assert "10 files" in copy.author("unbake", f"--data={data}")
    assert copy.bake_for_user(tmp_path / "after", **own, **names) == expect_edits(before, "other-name", "other")
    after = copy.bake_for_user(tmp_path / "hostile after", **own, **HOSTILE)
    assert after == expect_edits(hostile, "zolw-42", "zolw_42")
    assert "0 files" in copy.author("unbake", f"--data={data}"), "brought back once"


def test_an_edit_of_an_option_goes_to_the_option(copy):
    before = copy.contents()
    project = copy.bake()
    project.edit("notebooks/40_features.ipynb", {"# ": "#  "})
    project.edit("LICENSE", {"MIT License": "The MIT License"})
    (project.path / "docs" / "flights.md").write_text("Flights.\n")
    copy.author("unbake", "--option=data/flights")
    after = copy.contents()
    changed = {file for file in before.keys() | after.keys() if before.get(file) != after.get(file)}
    notebook = "options/data/flights/notebooks/40_features.ipynb"
    assert changed == {notebook, "options/license/MIT/LICENSE", "options/data/flights/docs/flights.md"}


def test_an_edit_of_the_library_goes_back_to_the_library(copy):
    """In the template it is behind a link, which stays one."""
    before = copy.contents()
    project = copy.bake()
    project.edit("vendor/stagebook/stagebook/model/folds.py", {'"""\n': '"""\n\n# Edited in a project.\n'})
    (project.path / "vendor" / "stagebook" / "stagebook" / "model" / "retired.py").write_text("")
    (project.path / "vendor" / "stagebook" / "stagebook" / "model" / "baseline.py").unlink()
    copy.author("unbake")
    after = copy.contents()
    changed = {file for file in before.keys() | after.keys() if before.get(file) != after.get(file)}
    rooms = f"{LIBRARY}/stagebook/model"
    assert changed == {f"{rooms}/folds.py", f"{rooms}/retired.py", f"{rooms}/baseline.py"}
    assert b"# Edited in a project." in after[f"{rooms}/folds.py"]
    assert (copy.path / TREE / "vendor" / "stagebook").is_symlink()


def conflict(project: Project) -> None:
    """Edit a line that the template fills in."""
    project.edit("README.md", {"You need Python 3.11": "You will need Python 3.11"})


def leave_output(project: Project) -> None:
    """Run a cell and do not clean up; its import names the package, so that the template has another text."""
    path = project.path / "notebooks" / "50_train.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="at /home/me/authored_project")]
    nbformat.write(notebook, path)


REFUSED = {
    "conflict": (conflict, "README.md: the edit is next to what the template fills in"),
    "jinja": (lambda p: p.edit("Makefile", {"PORT ?= 5050": "PORT ?= {{ 1 }}"}), "Makefile: the template would not"),
    "bad jinja": (lambda p: p.edit("Makefile", {"PORT ?= 5050": "PORT ?= {% x"}), "could not be baked any more"),
    "name in a module": (
        lambda p: (p.path / "code/authored_project/models/new.py").write_text("import authored_project.models\n"),
        "code/authored_project/models/new.py: says 'authored_project'",
    ),
    "another answer": (lambda p: p.edit("Makefile", {"PORT ?=": "# Authored Team\nPORT ?="}), "says 'Authored Team'"),
    "output": (leave_output, "50_train.ipynb: has outputs; `make fix` in the project removes them"),
    "generated": (lambda p: p.edit(".cruft.json", {"MIT": "mit"}), ".cruft.json: says"),
}


@pytest.mark.parametrize(("edit", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_brought_back_exactly_is_refused_and_nothing_written(copy, edit, words):
    before = copy.contents()
    project = copy.bake()
    edit_everything(project)
    edit(project)
    said = copy.author("unbake", ok=False)
    assert "ERROR: nothing is changed." in said
    assert words in said
    assert "Traceback" not in said
    assert copy.contents() == before
    assert "has edits" in copy.author("bake", ok=False)


def test_a_template_that_changed_since_is_refused(copy):
    project = copy.bake()
    copy.edit(f"{TREE}/docs/solution_architecture.md", {"# ": "# More on "})
    project.edit("Makefile", {"PORT ?= 5000": "PORT ?= 5050"})
    assert "docs/solution_architecture.md: the template would not give this" in copy.author("unbake", ok=False)
    assert "the template has no options/x" in copy.author("unbake", "--option=x", ok=False)


def test_make_passes_its_variables_on():
    command = ["make", "--dry-run", "unbake", "DATA=own", "OPTION=data/own"]
    said = subprocess.run(command, cwd=TEMPLATE, capture_output=True, text=True, check=True).stdout
    assert 'unbake --data="own" --option="data/own"' in said
