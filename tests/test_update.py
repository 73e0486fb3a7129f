"""`make update` merges the newer template into a project: nothing that people or the pipeline wrote is lost."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from baked import TEMPLATE, Project, put_back
from test_options import HOSTILE

pytestmark = pytest.mark.slow
BAKED = "{{cookiecutter.project_slug}}"
LIBRARY = "library/stagebook"  # in the template; vendor/stagebook in a project
IDENTITY = {f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
# A release is a commit of this name, whether or not a clone has its tag; the newest one first.
RELEASES = subprocess.run(
    ["git", "-C", TEMPLATE, "log", "--format=%H", "--extended-regexp", "--grep=^Release [0-9.]+$", "HEAD~1"],
    capture_output=True,
    text=True,
    check=False,
).stdout.split()


def knows_updates(release: str) -> bool:
    """Does this version of the template write .cruft.json?"""
    hook = ["git", "-C", TEMPLATE, "show", f"{release}:hooks/post_gen_project.py"]
    return ".cruft.json" in subprocess.run(hook, capture_output=True, text=True, check=False).stdout


class Template(Project):
    """A clone of this repository with a last commit of what is on disk."""

    def read_commit(self, name: str = "HEAD") -> str:
        return self.run("git", "rev-parse", name).stdout.strip()

    def bake(self, folder: Path, **answers: str) -> "Baked":
        """Bake as a user does who is in `folder`, and commit."""
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "cookiecutter", "--no-input", str(self.path)]
        words = [f"{name}={answer}" for name, answer in answers.items()]
        subprocess.run([*command, *words], cwd=folder, env=os.environ | {"PWD": str(folder)}, check=True)
        [path] = [file.parent for file in folder.glob("*/.cruft.json")]
        project = Baked(path)
        project.run("git", "init", "--quiet", "--initial-branch=main")
        project.commit("As generated")
        return project


class Baked(Project):
    """A project that is not installed: `update` needs only the template's Python."""

    def update(self, to: str = "", ok: bool | None = True) -> str:
        """Run what `make update` runs, with the project's own copy of the library; return what it says."""
        command = [sys.executable, "-B", "-m", "stagebook", "update", f"--to={to}"]
        home = {"PYTHONPATH": str(self.path / "vendor" / "stagebook"), "HOME": str(self.path.parent)}
        result = self.run(*command, ok=ok, **home)
        return result.stdout + result.stderr

    def migrate(self, ok: bool | None = True) -> str:
        """Run what docs/updating.md of the library shows, with the template's copy of the library."""
        template = json.loads(self.read(".cruft.json"))["template"]
        library = {"PYTHONPATH": f"{template}/library/stagebook", "HOME": str(self.path.parent)}
        result = self.run(sys.executable, "-B", "-m", "stagebook", "migrate", ok=ok, **library)
        return result.stdout + result.stderr

    def status(self) -> str:
        return self.run("git", "status", "--porcelain").stdout


@pytest.fixture
def template(tmp_path) -> Template:
    path = tmp_path / "template"
    subprocess.run(["git", "clone", "--quiet", TEMPLATE, path], check=True)
    listed = ["git", "-C", TEMPLATE, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    subprocess.run(["git", "-C", path, "rm", "-r", "--quiet", "."], check=True)
    for file in filter(lambda name: (TEMPLATE / name).is_file() or (TEMPLATE / name).is_symlink(), files):
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TEMPLATE / file, path / file, follow_symlinks=False)  # the link to the library
    template = Template(path)
    template.run("git", "add", "--all")
    template.run("git", "commit", "--quiet", "--allow-empty", "--message", "What is on disk")
    return template


def edit_cell(project: Project, notebook: str, cell: int, text: str) -> None:
    path = project.path / notebook
    book = nbformat.read(path, as_version=4)
    book.cells[cell].source += text
    nbformat.write(book, path)


def release(template: Template) -> None:
    """Commit a newer version: another cell, a line of the Makefile, a newer library, a new file, a file less."""
    edit_cell(template, f"{BAKED}/notebooks/50_train.ipynb", -1, "\n# A line of the newer template")
    template.edit(f"{BAKED}/Makefile", {"PORT ?= 5000": "PORT ?= 5050"})
    template.edit(f"{LIBRARY}/stagebook/model/folds.py", {'"""\n': '"""\n\n# Of the newer library.\n'})
    (template.path / LIBRARY / "stagebook" / "model" / "newer.py").write_text('"""A module of the newer library."""\n')
    (template.path / BAKED / "docs" / "new_page.md").write_text("A page of {{ cookiecutter.package_name }}.\n")
    (template.path / BAKED / "environments" / "README.md").unlink()
    template.commit("Newer")
    template.run("git", "tag", "v9.0.0")


def edit(project: Project) -> None:
    """Work as a user does: a line of the README, a cell, a parameter, a notebook of one's own."""
    project.edit(
        "README.md", {"## Where to change what": "## How we work\n\nOur own words.\n\n## Where to change what"}
    )
    edit_cell(project, "notebooks/50_train.ipynb", 0, "\nOur own words.")
    project.edit("params.yaml", {"max_iter: 300": "max_iter: 77"})
    own = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Ours", id="ours")])
    nbformat.write(own, project.path / "notebooks" / "80_ours.ipynb")
    project.commit("Our work")


def check_edits(project: Project) -> None:
    assert "Our own words." in project.read("README.md")
    assert "Our own words." in project.read("notebooks/50_train.ipynb")
    assert "max_iter: 77" in project.read("params.yaml")
    assert (project.path / "notebooks" / "80_ours.ipynb").is_file()


def check_news(project: Project) -> None:
    nbformat.validate(nbformat.read(project.path / "notebooks" / "50_train.ipynb", as_version=4))
    assert "A line of the newer template" in project.read("notebooks/50_train.ipynb")
    assert "PORT ?= 5050" in project.read("Makefile")
    assert project.read("docs/new_page.md") == "A page of flight_delays.\n"
    assert not project.has_file("environments/README.md")
    folds = project.read("vendor/stagebook/stagebook/model/folds.py")
    assert "# Of the newer library." in folds
    assert project.has_file("vendor/stagebook/stagebook/model/newer.py")


def unlisted(project: Project) -> list[str]:
    """The files of the library that are not as vendor/stagebook.sha256 says."""
    code = "from pathlib import Path; from stagebook.scaffold.vendored import find_edits; print(*find_edits(Path()))"
    return project.run(sys.executable, "-c", code).stdout.split()


def test_edits_stay_and_news_arrive(template, tmp_path):
    project = template.bake(tmp_path / "work")
    edit(project)
    release(template)
    before = project.run("git", "for-each-ref").stdout + project.run("git", "rev-parse", "HEAD").stdout
    said = project.update()
    check_edits(project)
    check_news(project)
    assert "to v9.0.0: 8 files changed" in said  # the six above, the list of the library's files, and .cruft.json
    assert unlisted(project) == []
    state = json.loads(project.read(".cruft.json"))
    assert (state["commit"], state["template"]) == (template.read_commit(), str(template.path))
    assert project.run("git", "for-each-ref").stdout + project.run("git", "rev-parse", "HEAD").stdout == before
    assert not (project.path / ".git" / "FETCH_HEAD").exists()
    assert not list(project.path.parent.glob(".cookiecutter*")), "the user's own folders of cookiecutter are not used"
    project.run("git", "reset", "--hard")
    assert project.status() == ""
    assert not (project.path / "docs" / "new_page.md").exists()


def test_a_second_update_has_nothing_to_do(template, tmp_path):
    project = template.bake(tmp_path / "work")
    release(template)
    template.edit("README.md", {"## Your own data": "## Your data"})
    template.commit("Newest, which changes nothing in projects")
    assert "to v9.0.0" in project.update(to="v9.0.0")
    project.commit("Updated")
    assert "Up to date: the project has v9.0.0" in project.update(to="v9.0.0")
    assert "1 files changed" in project.update()
    project.commit("Updated again")
    assert "Up to date" in project.update()
    assert project.status() == ""


def test_adjacent_edits_end_in_the_conflict_that_git_shows(template, tmp_path):
    project = template.bake(tmp_path / "work")
    project.edit("Makefile", {"PORT ?= 5000": "PORT ?= 6000"})
    (project.path / "docs" / "solution_architecture.md").unlink()
    project.commit("Our port")
    template.edit(f"{BAKED}/docs/solution_architecture.md", {"# ": "# More on "})
    release(template)
    said = project.update(ok=False)
    assert "In conflict" in said
    assert "Makefile" in said
    text = project.read("Makefile")
    assert "<<<<<<< HEAD\nPORT ?= 6000\n=======\nPORT ?= 5050\n>>>>>>>" in text
    status = project.run("git", "status").stdout
    assert "both modified:   Makefile" in status
    assert "deleted by us:   docs/solution_architecture.md" in status
    assert "not committed" in project.update(ok=False)
    project.run("git", "reset", "--hard")
    assert "PORT ?= 6000" in project.read("Makefile")
    assert project.status() == ""


def test_an_emergency_patch_of_the_library_is_kept_and_named(template, tmp_path):
    """Three ways: the newer library's lines elsewhere in the file arrive, the patch stays, and a conflict is git's."""
    project = template.bake(tmp_path / "work")
    file, patched = "vendor/stagebook/stagebook/model/folds.py", "vendor/stagebook/stagebook/model/task.py"
    text = project.read(file)
    (project.path / file).write_text(f"{text}\n\n# Our patch, until the template has it.\n")
    project.edit(patched, {'"""\n': '"""\n\n# Our other patch.\n'})
    project.commit("Emergency")
    assert unlisted(project) == [file, patched]
    release(template)
    project.update()
    check_news(project)
    assert project.read(file).endswith("# Our patch, until the template has it.\n")
    assert "# Our other patch." in project.read(patched)
    assert unlisted(project) == [file, patched], "the list is that of the newer template: both are still edits"
    project.commit("Updated")
    template.edit(f"{LIBRARY}/stagebook/model/task.py", {'"""\n': '"""\n\n# The template says otherwise.\n'})
    template.commit("Newest")
    said = project.update(ok=False)
    assert patched in said.partition("In conflict")[2]
    assert "<<<<<<< HEAD\n# Our other patch.\n=======\n# The template says otherwise.\n>>>>>>>" in project.read(patched)
    project.run("git", "checkout", "--theirs", patched)
    project.run("git", "add", patched)
    project.commit("Updated again, without our patch")
    assert unlisted(project) == [file]


def test_what_the_pipeline_wrote_stays(template, tmp_path):
    (tmp_path / "work").mkdir()
    table = tmp_path / "work" / "{own} data.csv"
    table.write_text("a,y\n1,0\n")
    answers = HOSTILE | {"target": "Güte \"x\" 'y' \\ {{ 1 }}", "time_column": ""}
    answers["target"] = answers["target"].replace("{{ 1 }}", "{% raw %}{{ 1 }} {# #}{% endraw %}")
    project = template.bake(tmp_path / "work", data="own", data_path=table.name, **answers)
    remembered = json.loads(project.read(".cruft.json"))["context"]["cookiecutter"]
    assert remembered["target"].endswith("\\ {{ 1 }} {# #}")
    assert remembered["data_path"] == "../{own} data.csv"
    written = ["dvc.lock", "data/schema.yaml", "data/baseline.json", "docs/data/README.md"]
    ignored = ["data/raw/table.parquet", "models/candidate/model.onnx", "reports/10_ingest.html"]
    for file in written + ignored:
        (project.path / file).parent.mkdir(parents=True, exist_ok=True)
        (project.path / file).write_text(f"what {file} says\n")
    project.commit("As the pipeline left it")
    table.unlink()  # the first data is long gone
    before = {file: project.read(file) for file in ("params.yaml", "README.md", "LICENSE", "notebooks/10_ingest.ipynb")}
    release(template)
    project.update()
    assert {file: project.read(file) for file in before} == before
    assert all(project.read(file) == f"what {file} says\n" for file in written + ignored)
    assert json.loads(project.read(".cruft.json"))["context"]["cookiecutter"] == remembered


def test_new_questions_take_their_defaults(template, tmp_path):
    project = template.bake(tmp_path / "work", author_name="Ours")
    question = '"team": "{{ cookiecutter.data }} and Co",'
    template.edit("cookiecutter.json", {'"author_name": "': question + '\n  "author_name": "'})
    (template.path / BAKED / "docs" / "team.md").write_text("{{ cookiecutter.team }}\n")
    template.commit("A new question")
    project.update()
    assert project.read("docs/team.md") == "flights and Co\n"
    answers = json.loads(project.read(".cruft.json"))["context"]["cookiecutter"]
    assert (answers["team"], answers["author_name"]) == ("flights and Co", "Ours")


def test_update_refuses_in_one_clear_line(template, tmp_path):
    project = template.bake(tmp_path / "work")
    first = project.run("git", "rev-parse", "HEAD").stdout.strip()
    state = json.loads(project.read(".cruft.json"))
    release(template)

    def refused(**changes) -> str:
        (project.path / ".cruft.json").write_text(json.dumps(state | changes))
        project.commit("Changed")
        said = project.update(ok=False)
        assert project.status() == ""
        project.run("git", "reset", "--hard", "--quiet", first)
        assert said.startswith("ERROR: ")
        assert "Traceback" not in said
        return said

    assert "has no commit, tag or branch 'v8'" in project.update(to="v8", ok=False)
    assert "no template at /no/such/place" in refused(template="/no/such/place")
    assert f"has no commit, tag or branch '{'0' * 40}'" in refused(commit="0" * 40)
    assert "no git repository when this was baked" in refused(commit=None)
    assert "is not as cruft or this template writes it" in refused(context={})
    answers = state["context"]["cookiecutter"] | {"package_name": "pandas"}
    assert "'pandas' is a library that the project installs" in refused(context={"cookiecutter": answers})
    project.edit("README.md", {"## Where to change what": "## Where"})
    assert "changes that are not committed" in project.update(ok=False)
    project.run("git", "add", "--all")
    assert "changes that are not committed" in project.update(ok=False)
    project.run("git", "reset", "--hard", "--quiet")
    project.run("git", "rm", "--quiet", ".cruft.json")
    project.commit("Forget")
    assert "there is no .cruft.json in git" in project.update(ok=False)


def test_an_ignored_file_is_not_overwritten(template, tmp_path):
    project = template.bake(tmp_path / "work")
    (project.path / ".git" / "info" / "exclude").write_text("new_page.md\n")
    (project.path / "docs" / "new_page.md").write_text("mine")
    release(template)
    assert "docs/new_page.md. Move them." in project.update(ok=False)
    assert project.read("docs/new_page.md") == "mine"
    assert project.status() == ""
    (project.path / "docs" / "new_page.md").unlink()
    project.update()
    assert "A  docs/new_page.md" in project.status()


def test_an_update_from_the_last_release_loses_nothing(template, tmp_path):
    """What people wrote is there. A release before the split is updated by `stagebook migrate`: see test_migrate.py."""
    release = next(filter(knows_updates, RELEASES), None)
    if not release:
        pytest.skip("this clone has no release that writes .cruft.json")
    newest = template.read_commit()
    template.run("git", "checkout", "--quiet", "--detach", release)
    project = template.bake(tmp_path / "work")
    edit(project)
    template.run("git", "checkout", "--quiet", newest)
    before = project.run("git", "rev-parse", "HEAD").stdout
    said = project.update() if project.has_file("vendor/stagebook/pyproject.toml") else project.migrate()
    assert "files changed, nothing committed" in said
    check_edits(project)
    assert project.has_file("vendor/stagebook/pyproject.toml")
    assert json.loads(project.read(".cruft.json"))["commit"] == newest
    assert project.run("git", "rev-parse", "HEAD").stdout == before, "nothing is committed"
    project.run("git", "reset", "--hard", "--quiet")
    assert project.status() == ""


def test_make_update_merges_notebooks_cell_by_cell(generated, template):
    """Git's own merge would leave a notebook in conflict that no Jupyter opens; the driver marks cells."""
    first = generated.run("git", "rev-parse", "HEAD").stdout.strip()
    clean = "notebooks/30_clean.ipynb"
    try:
        state = json.loads(generated.read(".cruft.json"))
        state |= {"template": str(template.path), "commit": template.read_commit()}
        (generated.path / ".cruft.json").write_text(json.dumps(state))
        edit_cell(generated, clean, 0, "\nOurs.")
        edit(generated)
        edit_cell(template, f"{BAKED}/options/data/flights/{clean}", 0, "\nTheirs.")
        release(template)
        said = generated.run("make", "update", "TO=v9.0.0", ok=False).stdout
        assert "In conflict" in said
        assert generated.run("git", "diff", "--name-only", "--diff-filter=U").stdout == f"{clean}\n"
        notebook = nbformat.read(generated.path / clean, as_version=4)
        nbformat.validate(notebook)
        assert all(text in "".join(cell.source for cell in notebook.cells) for text in ("Ours.", "Theirs."))
        check_edits(generated)
        check_news(generated)
        generated.run("git", "checkout", "--ours", clean)
        generated.run("rm", "notebooks/80_ours.ipynb")
        generated.commit("Updated")
        generated.run("stagebook", "check", "notebooks", "lint", "wiring", "library")
    finally:
        put_back(generated, first)
