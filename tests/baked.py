"""Generated projects: bake them, give them the shared environment, copy finished ones, run what a user runs in them."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cookiecutter.main import cookiecutter
from ruamel.yaml import YAML
from stagebook.project.branch import VARIABLES

TEMPLATE = Path(__file__).resolve().parents[1]
NOTHING_TO_DO = "Data and pipelines are up to date."
STEPS = ["ingest", "validate", "clean", "features", "train", "request", "evaluate", "inspect", "backtest", "register"]
SAMPLE = {  # three months instead of twelve: the whole pipeline in well under a minute
    "months: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]": "months: [1, 2, 3]",
    '"2013-09-01"': '"2013-02-15"',
    '"2013-11-01"': '"2013-03-10"',
    "weather_outages: 0.05": "weather_outages: 0",
    "n_estimators: 50": "n_estimators: 10",
    "draws: 100": "draws: 20",
    "rows: 20000 #": "rows: 4000 #",
}


@dataclass
class Project:
    """A generated project."""

    path: Path

    @property
    def package(self) -> str:
        """The name of the project's package."""
        [package] = (self.path / "code").glob("*/__init__.py")
        return package.parent.name

    def environment(self) -> dict[str, str]:
        """The environment of this process with the project's own tools first on PATH."""
        foreign = ("MLFLOW_", "DVC_", "GIT_", "MAKE", "PYTEST_", "OPENLINEAGE_", "VIRTUAL_ENV", "MPLBACKEND")
        foreign += VARIABLES
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        path = f"{self.path}/.venv/bin{os.pathsep}{os.environ['PATH']}"
        identity = {
            f"GIT_{who}_{what}": "tester@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        # What DVC remembers of a folder by its path alone must not outlive the test.
        return inherited | identity | {"PATH": path, "DVC_SITE_CACHE_DIR": f"{self.path}/.git/dvc"}

    def run(self, *words: str, ok: bool | None = True, **env: str) -> subprocess.CompletedProcess:
        """Run a command in the project; `ok` is the expected outcome, None for either."""
        result = subprocess.run(
            words,
            cwd=self.path,
            env=self.environment() | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if ok is not None:
            assert (result.returncode == 0) is ok, f"{' '.join(words)}\n{result.stdout}\n{result.stderr}"
        return result

    def start(self, *words: str, **env: str) -> subprocess.Popen:
        """Start a command in the project, in a process group of its own."""
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        environment = self.environment() | env
        return subprocess.Popen(words, cwd=self.path, env=environment, start_new_session=True, **quiet)

    def stop(self) -> None:
        """End the project's warm process, if there is one."""
        self.run("stagebook", "stop", ok=None)

    def has_file(self, file: str) -> bool:
        return (self.path / file).is_file()

    def read(self, file: str) -> str:
        return (self.path / file).read_text(encoding="utf-8")

    def load(self, file: str):
        """Return what a JSON or YAML file holds."""
        text = self.read(file)
        return json.loads(text) if file.endswith(".json") else YAML(typ="safe").load(text)

    def edit(self, file: str, changes: dict[str, str]) -> None:
        """Replace text in a file; what is to be replaced must be there."""
        text = self.read(file)
        for old, new in changes.items():
            assert old in text, f"{file} has no {old!r}"
            text = text.replace(old, new)
        (self.path / file).write_text(text, encoding="utf-8")

    def commit(self, message: str) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--no-verify", "--message", message)

    def files(self) -> set[str]:
        return {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()}


def bake_into(folder: Path, **answers: str) -> Project:
    """Bake the template with `answers` and defaults for the rest."""
    return Project(Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder), extra_context=answers)))


# The shared environment: that of the template, which the tests run in.


def share_environment(project: Project) -> None:
    """Give a project a .venv of its own that finds the packages of the template's environment, in tenths of a second.

    `make` takes it for what `make setup` would have made. What is installed into it stays in it. The library is the one
    in library/stagebook, not the project's copy of it.
    """
    folder, shared = project.path / ".venv", Path(sys.prefix)
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    [packages] = folder.glob("lib/python*/site-packages")
    found = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})"  # with the .pth files in there
    (packages / "shared.pth").write_text(f"{found}\n{project.path / 'code'}\n", encoding="utf-8")
    for script in (shared / "bin").iterdir():
        copy = folder / "bin" / script.name
        if not copy.exists() and script.is_file() and "activate" not in script.name.lower():
            _copy_script(script, copy, folder / "bin" / "python")
    for place in ("share", "etc"):  # Jupyter's kernels and pages
        (folder / place).symlink_to(shared / place)
    mark_as_set_up(project)


def _copy_script(script: Path, copy: Path, python: Path) -> None:
    """Copy a script so that the environment of `python` runs it; link a program."""
    with script.open("rb") as file:
        is_script = file.read(2) == b"#!"
    if not is_script:
        copy.symlink_to(script)
        return
    first, rest = script.read_bytes().split(b"\n", 1)
    if first.startswith(b"#!/bin/sh") or b"python" in first:  # the former for a path that is too long or has a space
        body = rest.split(b"\n' '''\n", 1)[-1] if first == b"#!/bin/sh" else rest
        head = f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n".encode()
        copy.write_bytes(head + body)
        copy.chmod(0o755)
    else:
        shutil.copy(script, copy)


def mark_as_set_up(project: Project) -> None:
    """Touch what `make` compares with pyproject.toml and the notebooks."""
    for marker in (".ready", ".docs", ".exported"):
        (project.path / ".venv" / marker).touch()


def bake_ready(folder: Path, **answers: str) -> Project:
    """Bake a project with the shared environment, prepared and committed as the README says."""
    project = bake_into(folder, **answers)
    share_environment(project)
    project.run("stagebook", "setup")
    project.commit("As generated")
    return project


def copy_project(project: Project, folder: Path) -> Project:
    """Copy a project with all that it has made, so that nothing which is done to the copy reaches the original."""
    copy = Project(folder / project.path.name)
    copy.path.mkdir(parents=True)
    for entry in project.path.iterdir():
        if entry.name not in (".venv", ".dvc"):
            subprocess.run(["cp", "-a", "--reflink=auto", entry, copy.path], check=True)
    shutil.rmtree(copy.path / ".git" / "dvc", ignore_errors=True)  # what DVC remembers of the original's remote
    (copy.path / ".dvc").mkdir()
    for entry in (project.path / ".dvc").iterdir():  # DVC never writes to a file of its cache again
        how = "-al" if entry.name == "cache" else "-a"
        subprocess.run(["cp", how, entry, copy.path / ".dvc"], check=True)
    share_environment(copy)
    for file in (copy.path / ".git" / "hooks").glob("pre-commit"):
        file.write_text(file.read_text().replace(str(project.path), str(copy.path)))
    move_runs(copy.path / ".local" / "mlflow.db", str(project.path), str(copy.path))
    return copy


def move_runs(database: Path, old: str, new: str) -> None:
    """Let the runs and models of a copied project have their files in the copy: MLflow remembers whole paths."""
    if not database.is_file():
        return
    columns = {
        "experiments": ["artifact_location"],
        "runs": ["artifact_uri"],
        "logged_models": ["artifact_location"],
        "model_versions": ["source", "storage_location"],
    }
    old, new = (Path(path).as_uri().removeprefix("file://") for path in (old, new))
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, names in columns.items():
            for name in names:
                connection.execute(f"update {table} set {name} = replace({name}, ?, ?)", (f"{old}/", f"{new}/"))


def put_back(project: Project, commit: str = "HEAD") -> None:
    """Bring a project back to what a commit has, its data included; what MLflow knows stays."""
    project.run("git", "reset", "--hard", "--quiet", commit)
    project.run("git", "clean", "--quiet", "--force", "-d")
    if project.has_file("dvc.lock"):
        project.run("dvc", "checkout", "--force", "--quiet")
    for report in project.path.glob("reports/*.failed.*"):
        report.unlink()
    mark_as_set_up(project)


# What tests ask of a project.


def steps_run(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def boosting(trees: int) -> dict[str, str]:
    """The change of params.yaml that makes the candidate a boosting of this number of trees, even if it is not the best."""
    return {"model: best": "model: hist_gradient_boosting", "max_iter: 300": f"max_iter: {trees}"}


def fill_requirements(project: Project) -> None:
    """Write what only people can say into docs/requirements.yaml of own data: nobody but them can open the gate."""
    classes = json.loads(project.read("data/interim/task.json")).get("classes", [])
    costs = {actual: {said: 1 for said in classes if said != actual} for actual in classes}
    text = project.read("docs/requirements.yaml").replace('category: ""', "category: minimal")
    text = re.sub(r': ""', ": Somebody has thought about it.", text)
    (project.path / "docs" / "requirements.yaml").write_text(text, encoding="utf-8")
    costs = json.dumps(costs or {"too_high": 1, "too_low": 1}, ensure_ascii=False)
    reasons = "reasons: {error: All errors are alike to us.}"
    project.edit("docs/requirements.yaml", {"matrix: {}": f"matrix: {costs}", "reasons: {}": reasons})


def hashes(project: Project) -> dict[str, str]:
    stages = project.load("dvc.lock")["stages"].values()
    return {out["path"]: out["md5"] for stage in stages for out in stage["outs"]}


def output_files(project: Project) -> set[str]:
    """Return the files that dvc.lock lists, those in its folders included."""
    found = [project.path / path for path in hashes(project)]
    files = {file for path in found for file in (path.rglob("*") if path.is_dir() else [path])}
    return {file.relative_to(project.path).as_posix() for file in files if not file.is_dir()}


def contents(project: Project) -> dict[str, bytes]:
    """Return all that the pipeline has written, by path."""
    return {path: (project.path / path).read_bytes() for path in output_files(project)}


def script(project: Project, code: str) -> str:
    """Run Python code in the project's environment."""
    return project.run("python", "-c", code).stdout


def tracked(project: Project, code: str) -> str:
    """Run Python code that asks the project's MLflow."""
    connect = "import mlflow; from stagebook.track.tracking import connect_mlflow; connect_mlflow()"
    return script(project, f"{connect}; {code}")


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until `condition` holds; what it raises in the meantime is not yet an error."""
    end = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < end, "gave up waiting"
        time.sleep(0.2)
