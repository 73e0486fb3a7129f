"""How steps are started, at their worst: processes killed at any time, two at once, a full disk, no warm process."""

import os
import pty
import random
import re
import signal
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import nbformat
import pytest
from baked import NOTHING_TO_DO, Project, put_back, share_environment, steps_run, tracked, wait_for
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = pytest.mark.full

RUN = "stagebook run notebooks/"
VALIDATE = f"{RUN}20_validate.ipynb".split()
CHANGE = {'"2013-02-15"': '"2013-02-10"'}  # another split: clean and all that follows


def command(pid: str) -> str:
    return Path("/proc", pid, "cmdline").read_text(encoding="utf-8").replace("\0", " ")


def name(pid: str) -> str:
    return Path("/proc", pid, "comm").read_text(encoding="utf-8").strip()


def place(pid: str) -> Path:
    return Path("/proc", pid, "cwd").readlink()


def processes(project: Project, kind: str) -> list[int]:
    """The processes of one kind that work for the project."""
    tests = {
        "dvc": lambda pid: "dvc repro" in command(pid) and place(pid) == project.path,
        "caller": lambda pid: RUN in command(pid) and place(pid) == project.path,
        "warm": lambda pid: f'"project": "{project.path}"' in command(pid) and name(pid) == "python",
        "runner": lambda pid: f'"project": "{project.path}"' in command(pid) and name(pid).startswith("runner "),
        "cells": lambda pid: f'"project": "{project.path}"' in command(pid) and name(pid).startswith("cells "),
    }
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and tests[kind](entry.name):
                found.append(int(entry.name))
        except OSError:  # it has just ended
            pass
    return found


def statuses(project: Project) -> set[str]:
    return set(tracked(project, "print(*mlflow.search_runs()['status'])").split())


def stop(project: Project) -> None:
    project.stop()
    wait_for(lambda: not processes(project, "warm"))


@pytest.fixture(scope="module")
def undisturbed(sample) -> tuple[str, float]:
    """What dvc.lock is after CHANGE if nobody disturbs the run, and the seconds that it takes."""
    sample.edit("params.yaml", CHANGE)
    started = time.monotonic()
    sample.run("dvc", "repro", "--no-run-cache")
    seconds = time.monotonic() - started
    lock = sample.read("dvc.lock")
    put_back(sample)
    return lock, seconds


@pytest.mark.parametrize("victim", ["dvc", "caller", "runner", "cells", "warm"])
def test_whatever_is_killed_repro_goes_on_to_the_same_end(project, undisturbed, victim):
    lock, seconds = undisturbed
    project.edit("params.yaml", CHANGE)
    process = project.start("dvc", "repro", "--no-run-cache")
    after = random.uniform(0, seconds)
    print(f"{victim} is killed after {after:.2f} s")
    time.sleep(after)
    if process.poll() is None:
        if victim == "dvc":
            process.kill()
        else:
            wait_for(lambda: processes(project, victim) or process.poll() is not None)
            for pid in processes(project, victim):
                os.kill(pid, signal.SIGKILL)
    process.wait()
    # The next repro begins at once: what is left of the first one must be out of its way by then.
    project.run("dvc", "repro", "--no-run-cache")
    assert project.read("dvc.lock") == lock
    assert NOTHING_TO_DO in project.run("dvc", "repro").stdout
    assert not list(project.path.glob("*/.partial-*"))
    wait_for(lambda: not processes(project, "runner") and not processes(project, "cells"))
    assert "RUNNING" not in statuses(project)


def test_warm_process_is_private_and_serves_all_steps_until_it_is_told_to_end(project):
    project.run("dvc", "repro", "--force", "--single-item", "validate")
    [pid] = processes(project, "warm")
    project.run("dvc", "repro", "--force", "--single-item", "clean")
    assert processes(project, "warm") == [pid]
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp") / f"notebook-steps-{os.geteuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    sockets = [path for path in folder.glob("*.sock") if str(path) in command(str(pid))]
    assert [path.stat().st_mode & 0o777 for path in sockets] == [0o600]
    assert "stagebook stop" in project.run("make", "--dry-run", "clean").stdout
    stop(project)
    assert not sockets[0].exists()


def test_edited_code_is_used_at_once(project):
    clean = f"{RUN}30_clean.ipynb".split()
    project.run(*clean)
    [before] = processes(project, "warm")
    module = project.path / "code/flight_delays/datasets/arrivals.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nprint('edited')\n", encoding="utf-8")
    assert "edited" in project.run(*clean).stdout
    assert processes(project, "warm") == [before]


@pytest.mark.parametrize("change", ["package installed", "variable", "preload", "killed", "stopped"])
def test_warm_process_is_renewed(project, change):
    project.run(*VALIDATE)
    [before] = processes(project, "warm")
    environment = {}
    if change == "package installed":
        [packages] = (project.path / ".venv" / "lib").glob("python*/site-packages")
        os.utime(packages)
    elif change == "variable":
        environment["OMP_NUM_THREADS"] = "1"
    elif change == "preload":
        project.edit("pyproject.toml", {'"pandas",': '"pandas",\n    "no_such_library",'})
    elif change == "killed":
        os.kill(before, signal.SIGKILL)
    else:
        project.stop()
    said = project.run(*VALIDATE, **environment)
    assert "validate: done" in said.stdout
    assert "No warm process" not in said.stderr
    wait_for(lambda: before not in processes(project, "warm"))
    assert len(processes(project, "warm")) == 1


def test_idle_warm_process_ends(project):
    project.edit("pyproject.toml", {"idle_minutes = 15": "idle_minutes = 0.05"})
    stop(project)
    process = project.start(*VALIDATE)
    wait_for(lambda: processes(project, "warm"))
    assert process.wait() == 0
    wait_for(lambda: not processes(project, "warm"))


@pytest.mark.parametrize("trouble", ["open folder", "kernel"])
def test_without_warm_process_a_kernel_gives_the_same(project, tmp_path, trouble):
    before, environment = project.read("dvc.lock"), {"NOTEBOOK_ENGINE": "kernel"}
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a short path: sockets in it are possible
        if trouble == "open folder":
            environment = {"XDG_RUNTIME_DIR": folder}
            (Path(folder) / f"notebook-steps-{os.geteuid()}").mkdir(mode=0o777)
            (Path(folder) / f"notebook-steps-{os.geteuid()}").chmod(0o777)
        result = project.run("dvc", "repro", "--force", "--single-item", "clean", **environment)
    assert "clean: done" in result.stdout
    assert result.stderr.count("No warm process, the step starts a kernel") == (trouble == "open folder")
    assert project.read("dvc.lock") == before
    said = project.run(*f"{RUN}30_clean.ipynb".split(), ok=False, NOTEBOOK_ENGINE="fast").stderr
    assert "NOTEBOOK_ENGINE is 'fast'; it must be `warm` (the default) or `kernel`." in said


@pytest.mark.parametrize("folder", ["gone", "long/" + "x" * 100])
def test_a_folder_for_sockets_that_does_not_do_is_not_used(project, tmp_path, folder):
    (tmp_path / "long" / ("x" * 100)).mkdir(parents=True)
    result = project.run("dvc", "repro", "--force", "--single-item", "clean", XDG_RUNTIME_DIR=str(tmp_path / folder))
    assert "clean: done" in result.stdout
    assert "No warm process" not in result.stderr


def test_log_shows_the_cell_on_a_terminal_and_is_quiet_elsewhere(project):
    step = f"{RUN}50_train.ipynb".split()
    lines = project.run(*step).stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["No search", "train"]
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = subprocess.Popen(step, cwd=project.path, env=project.environment(), stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 1024):
            shown += data
    except OSError:  # the other end is closed
        pass
    assert process.wait() == 0
    cells = len(nbformat.read(project.path / "notebooks" / "50_train.ipynb", as_version=4).cells)
    assert re.search(rf"50_train: cell \d+ of {cells + 1}, 00:0", shown.decode())  # one more: the injected parameters


@pytest.fixture
def two_steps(sample, tmp_path) -> Project:
    """A project of two steps that do not depend on each other, and one that needs both; nothing has run yet."""
    project = Project(tmp_path / "two")
    sample.run("git", "clone", "--quiet", str(sample.path), str(project.path))
    share_environment(project)
    for notebook in (project.path / "notebooks").glob("*.ipynb"):
        notebook.unlink()
    (project.path / "dvc.lock").unlink()
    stages = []
    for step, reads in {"10_left": [], "20_right": [], "30_both": ["left", "right"]}.items():
        word = step[3:]
        source = (
            f"import time; from pathlib import Path\nbegan = time.time(); time.sleep(0.1)\n"
            f"Path('../data/{word}.txt').write_text(f'{{began}} {{time.time()}}')"
        )
        cells = [new_code_cell("", metadata={"tags": ["parameters"]}), new_code_cell(source)]
        nbformat.write(new_notebook(cells=cells), project.path / "notebooks" / f"{step}.ipynb")
        deps = [f"notebooks/{step}.ipynb", *(f"data/{other}.txt" for other in reads)]
        outs = [f"data/{word}.txt", f"reports/{step}.ipynb", f"reports/{step}.html"]
        stages.append(f"  {word}:\n    cmd: {RUN}{step}.ipynb\n    deps: {deps}\n    outs: {outs}\n")
    (project.path / "dvc.yaml").write_text("stages:\n" + "".join(stages), encoding="utf-8")
    yield project
    stop(project)


def test_two_steps_at_once_in_a_new_project(two_steps):
    """Each waits for the other: both must be there; the first to come makes MLflow's database."""
    project = two_steps
    assert not (project.path / ".local" / "mlflow.db").exists()
    meet = "Path('../data/{}').touch(); [time.sleep(0.1) for _ in range(600) if not Path('../data/{}').exists()]"
    project.edit("notebooks/10_left.ipynb", {"time.sleep(0.1)": meet.format("left", "right")})
    project.edit("notebooks/20_right.ipynb", {"time.sleep(0.1)": meet.format("right", "left")})
    started = [project.start(*f"{RUN}{step}.ipynb".split()) for step in ("10_left", "20_right")]
    assert [process.wait() for process in started] == [0, 0]
    (left, left_end), (right, right_end) = (
        map(float, project.read(f"data/{step}.txt").split()) for step in ("left", "right")
    )
    assert max(left, right) < min(left_end, right_end)
    code = "print(*(run.info.run_name + ':' + run.info.status for run in mlflow.search_runs(output_format='list')))"
    assert set(tracked(project, code).split()) == {"pipeline:FINISHED", "left:FINISHED", "right:FINISHED"}
    assert steps_run(project.run("dvc", "repro").stdout) == ["left", "right", "both"]
    assert NOTHING_TO_DO in project.run("dvc", "repro").stdout
    project.edit("notebooks/20_right.ipynb", {meet.format("right", "left"): "1 / 0"})
    said = project.run("dvc", "repro", ok=False).stderr
    assert "ERROR: " in said
    assert "20_right.ipynb" in said
    assert "ZeroDivisionError" in said
    assert "Traceback" not in said


def test_parallel_experiments_do_not_disturb_each_other(project):
    before = project.read("dvc.lock")
    trees = {"few": 21, "more": 22}
    setting = "train.hist_gradient_boosting.max_iter"
    started = [
        project.start("dvc", "exp", "run", "--temp", "--set-param", f"{setting}={count}", "--name", word)
        for word, count in trees.items()
    ]
    assert [process.wait() for process in started] == [0, 0]
    shown = project.run("dvc", "exp", "show", "--csv").stdout
    code = (
        "runs = mlflow.search_runs(filter_string=\"tags.`dvc.experiment` = '{}'\");"
        "print(*runs['params.hist_gradient_boosting.max_iter'].dropna(), *set(runs['status']))"
    )
    for word, count in trees.items():
        assert word in shown
        assert tracked(project, code.replace("{}", word)).split() == [str(count), "FINISHED"]
        project.run("dvc", "exp", "remove", word)
    assert project.read("dvc.lock") == before
    assert project.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.skipif(os.system("unshare --mount --map-root-user true") != 0, reason="no small disk can be mounted here")
def test_full_disk_is_said(two_steps):
    mounted = "mount -t tmpfs -o size=200k none reports && dvc repro left"
    result = two_steps.run("unshare", "--mount", "--map-root-user", "sh", "-c", mounted, ok=False)
    assert "No space left on device" in result.stderr
    assert "10_left.ipynb" in result.stderr
    assert "Traceback" not in result.stderr
    assert steps_run(two_steps.run("dvc", "repro", "left").stdout) == ["left"]
