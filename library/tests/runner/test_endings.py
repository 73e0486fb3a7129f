"""How a step ends: soon after its last cell and with its result, however a cell ends and no matter what it leaves running."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = pytest.mark.slow
RUN = [sys.executable, "-m", "stagebook"]
# The report is written after the last cell; a pool that is not ended as it must be hangs for 300 s.
SOON = 30
HELPER = "def square(x):\n    return x * x\n"
IMPORTS = "import atexit, multiprocessing, os, subprocess, sys, threading, time\nimport concurrent.futures as futures"
MARK = "with open('../data/last', 'w') as file: file.write(str(time.time()))\n"

# Each is the last cell but one of a notebook.
ENDS = {
    "joblib": "from joblib import Parallel, delayed\nassert Parallel(n_jobs=2)(delayed(abs)(-i) for i in range(4)) == [0, 1, 2, 3]",
    "search": "from sklearn.linear_model import Ridge\nfrom sklearn.model_selection import GridSearchCV\n"
    "GridSearchCV(Ridge(), {'alpha': [1, 2]}, cv=2, n_jobs=2).fit([[1], [2], [3], [4]], [1, 2, 3, 4])",
    "fork pool left open": "pool = multiprocessing.get_context('fork').Pool(2)\nassert pool.map(abs, [-1, -2]) == [1, 2]",
    "fork pool closed": "with multiprocessing.get_context('fork').Pool(2) as pool:\n    assert pool.map(abs, [-1, -2]) == [1, 2]\n"
    "pool.close(); pool.join()",
    "spawn pool left open": "import helper\npool = multiprocessing.get_context('spawn').Pool(1)\n"
    "assert pool.map(helper.square, [1, 2]) == [1, 4]",
    "spawn": "import helper\nchild = multiprocessing.get_context('spawn').Process(target=helper.square, args=[2])\n"
    "child.start(); child.join()\nassert child.exitcode == 0",
    "process executor left open": "pool = futures.ProcessPoolExecutor(2, multiprocessing.get_context('fork'))\n"
    "assert list(pool.map(abs, [-1, -2])) == [1, 2]",
    "thread executor left open": "pool = futures.ThreadPoolExecutor(2)\nassert list(pool.map(abs, [-1, -2])) == [1, 2]",
    "thread that ends": "def work():\n    time.sleep(1)\n    open('../data/late.txt', 'w').write('late')\n"
    "threading.Thread(target=work).start()",
    "daemon thread": "threading.Thread(target=time.sleep, args=[600], daemon=True).start()",
    "exit functions": "atexit.register(int, 'wrong at the end')\n"
    "atexit.register(lambda: print('said at the end, in', os.path.basename(os.getcwd())))",
    "sys.exit(0)": "sys.exit(0)",
    "exit()": "exit()",
    "quit()": "quit()",
}  # fmt: skip
# What these leave running is said, and ended.
LEAVE = {
    "thread that never ends": (
        "def forever():\n    while True: time.sleep(1)\nthreading.Thread(target=forever).start()",
        r"n\.ipynb: a thread \(Thread-\d+ \(forever\)\) or an exit function still ran",
    ),
    "child process": ("child = subprocess.Popen(['sleep', '600'])", r"left a process running.*: \d+ sleep 600"),
    "child of a shell": ("os.system('sleep 600 &')", r"left a process running.*: \d+ sleep 600"),
    "detached child": (
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)", r"left a process running.*: \d+ sleep 600",
    ),
    "stubborn child": ("child = subprocess.Popen(['sh', '-c', 'trap : TERM; while :; do sleep 1; done'])", "left a process"),
    "forked child": (
        "child = multiprocessing.get_context('fork').Process(target=time.sleep, args=[600]); child.start()",
        r"n\.ipynb: a thread or an exit function still ran",  # that of multiprocessing, which waits for the child
    ),
}  # fmt: skip
# These fail; the words are in what is said.
FAIL = {
    "sys.exit(3)": ("sys.exit(3)", "SystemExit: 3"),
    "input": ("input('name? ')", "StdinNotImplementedError"),
    "surrogate": ("raise ValueError('\\ud800')", "ValueError: \N{REPLACEMENT CHARACTER}"),
    "exit(3)": ("exit(3)", "SystemExit: 3"),
    "os._exit(3)": ("os._exit(3)", "cell last: its process ended with exit code 3"),
    "os._exit(3) beside a pool": (
        "pool = multiprocessing.get_context('fork').Pool(2); os._exit(3)", "cell last: its process ended with exit code 3",
    ),
    "out of memory beside the cell": (
        "import papermill.clientwrap as m\ndef f(*_): raise MemoryError\nm.PapermillNotebookClient.process_message = f; 1",
        "n.ipynb: its process ran out of memory",
    ),
    "error beside a thread": ("threading.Thread(target=time.sleep, args=[600]).start()\n1 / 0", "ZeroDivisionError"),
    "killed beside a child": ("subprocess.Popen(['sleep', '600']); os.kill(os.getpid(), 9)", "ended with SIGKILL"),
}  # fmt: skip
# Cells of one notebook, each with words that it shows.
SHOW = {
    "await": ("import asyncio\nasync def work():\n    await asyncio.sleep(0.01)\n    return 7\nawait work()", "7"),
    "gather": ("await asyncio.gather(work(), work())", "[7, 7]"),
    "bash": ("%%bash\necho out; echo err >&2", "out\nerr\n"),
    "time": ("%%time\n'timed'", "Wall time"),
    "timeit": ("%timeit -n1 -r1 1 + 1", "per loop"),
    "capture": ("%%capture kept\nprint('hidden')", ""),
    "captured": ("kept.stdout", "'hidden\\n'"),
    "autoreload": ("%load_ext autoreload\n%autoreload 2\nimport helper\nhelper.square(2)", "4"),
    "edit": ("time.sleep(1)\nwith open('helper.py', 'w') as file: file.write('def square(x): return -1')", ""),
    "autoreloaded": ("helper.square(2)", "-1"),
    "emoji": ("print('\N{GRINNING FACE} é')\n'\N{GRINNING FACE}'", "\N{GRINNING FACE} é\n'\N{GRINNING FACE}'"),
    "surrogate": ("print('a\\ud800b')\n'a\\ud800b'", "a\N{REPLACEMENT CHARACTER}b\n'a\\ud800b'"),
    "surrogate-html": (
        "from IPython.display import display\ndisplay({'text/plain': '\\ud83d\\ude00\\ud800'}, raw=True)",
        "\N{GRINNING FACE}\N{REPLACEMENT CHARACTER}",
    ),
    "bytes": ("code = subprocess.run(['printf', r'\\377x\\n'])", "\N{REPLACEMENT CHARACTER}x\n"),
    "bytes-shell": ("!printf '\\377x'", "\N{REPLACEMENT CHARACTER}x"),
    "bytes-bash": ("%%bash\nprintf '\\377x'", "\N{REPLACEMENT CHARACTER}x"),
    "tqdm": ("from tqdm import tqdm, trange\nfor _ in tqdm(range(3)): pass", "100%"),
    "tqdm-auto": ("import tqdm.auto\nfor _ in tqdm.auto.tqdm(range(3)): pass", "3/3"),
    "tqdm-nested": (
        "for _ in trange(2, desc='outer'):\n    for _ in trange(2, desc='inner', leave=False): pass", "outer: 100%",
    ),
    "tqdm-threads": ("from tqdm.contrib.concurrent import thread_map\nthread_map(abs, [-1, 2])", "[1, 2]"),
    "stdin": ("sys.stdin.read()", "''"),
    "many": ("for number in range(1000): print(number, flush=True)", "998\n999\n"),
    "large": ("print('x' * 190_000)", "x" * 190_000),
    "too-large": ("print('x' * 3_000_000)", "x\n[... 0 lines with 2,800,001 characters are left out of the report ...]\nx"),
    "large-value": ("from IPython.display import HTML\nHTML('x' * 3_000_000)", "HTML object"),
}  # fmt: skip


@dataclass
class Result:
    """How a step ended."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    notebook: nbformat.NotebookNode | None

    def outputs(self, cell):
        """What one cell shows."""
        return next(one.outputs for one in self.notebook.cells if one.id == cell)

    def text(self, cell):
        """What one cell printed and showed, as text."""
        return "".join(one.get("text") or one.get("data", {}).get("text/plain", "") for one in self.outputs(cell))


class Project:
    """A project of one step, `n`, whose notebook is another for each run."""

    def __init__(self, folder):
        self.folder = folder
        for name in (".dvc/tmp", "notebooks", "data", "reports"):
            (folder / name).mkdir(parents=True)
        (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
        (folder / "dvc.yaml").write_text(
            "stages:\n  n:\n    cmd: stagebook\n    outs: [reports/n.ipynb, reports/n.html]\n"
        )
        (folder / "params.yaml").write_text("n: {}\n")
        (folder / "pyproject.toml").write_text(
            "[project]\nname = 'endings'\n[tool.stagebook.warm_process]\npreload = []\n"
        )
        (folder / "notebooks" / "helper.py").write_text(HELPER)
        ours = ("MLFLOW_", "DVC_", "NOTEBOOK_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment = kept | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
        subprocess.run(["git", "init", "--quiet", folder], check=True)

    def start(self, cells):
        """Start the step with these cells, by name."""
        sources = {"parameters": "", "imports": IMPORTS, **cells}
        found = [new_code_cell(source, id=name) for name, source in sources.items()]
        found[0].metadata["tags"] = ["parameters"]
        nbformat.write(new_notebook(cells=found), self.folder / "notebooks" / "n.ipynb")
        for left in [*self.folder.glob("reports/*"), *self.folder.glob("data/*")]:
            left.unlink()
        return subprocess.Popen(
            [*RUN, "run", "notebooks/n.ipynb"], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip

    def run(self, cells):
        """Run the step and wait until it has ended and nobody holds its output any more."""
        process = self.start(cells)
        try:
            stdout, stderr = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        ended = time.time()
        assert (self.folder / "data" / "last").exists(), stderr
        shown = next((self.folder / "reports").glob("n*.ipynb"), None)
        notebook = nbformat.read(shown, as_version=4) if shown else None
        began = float((self.folder / "data" / "last").read_text())
        return Result(process.returncode, stdout, stderr, ended - began, notebook)

    def end(self, source):
        """Run the step with `source` in its last cell but one, and look after what must hold for all of them."""
        # The second mark, where the cell gets to it: on a busy machine a pool alone takes half a minute to start.
        result = self.run({"last": f"{MARK}{source}\n{MARK}", "after": "print('after')"})
        assert result.seconds < SOON, result.stderr
        assert "Traceback" not in re.sub(r"(?s)Exception ignored.*", "", result.stderr)
        assert not leftovers(self.folder), result.stderr
        return result


def leftovers(folder):
    """The processes that a step has left in the project."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            pass
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("endings"))
    yield project
    subprocess.run([*RUN, "stop"], cwd=project.folder, env=project.environment, check=True)


@pytest.mark.parametrize("case", ENDS)
def test_step_ends_with_its_result(project, case):
    result = project.end(ENDS[case])
    assert result.code == 0, result.stderr
    assert "WARNING" not in result.stderr
    after = "" if ENDS[case].endswith(("exit()", "exit(0)", "quit()")) else "after\n"
    assert result.text("after") == after
    assert "n: done" in result.stdout
    if case == "thread that ends":
        assert (project.folder / "data" / "late.txt").read_text() == "late"
    if case == "exit functions":
        assert "said at the end, in notebooks\n" in result.stdout
        assert "wrong at the end" in result.stderr


@pytest.mark.parametrize("case", LEAVE)
def test_what_a_cell_leaves_running_is_ended(project, case):
    source, words = LEAVE[case]
    result = project.end(source)
    assert result.code == 0, result.stderr
    assert re.search(words, result.stderr), result.stderr
    assert result.text("after") == "after\n"


@pytest.mark.parametrize("case", FAIL)
def test_failure_is_said_and_nothing_is_left(project, case):
    source, words = FAIL[case]
    result = project.end(source)
    assert result.code == 1
    assert words in result.stderr
    assert not result.outputs("after")


def test_cells_show_what_they_must(project):
    result = project.run({"last": MARK, **{name: source for name, (source, _) in SHOW.items()}})
    (project.folder / "notebooks" / "helper.py").write_text(HELPER)
    assert result.code == 0, result.stderr
    shown = {name: result.text(name) for name in SHOW}
    assert [name for name, (_, words) in SHOW.items() if words not in shown[name]] == []
    assert (shown["capture"], shown["tqdm"].count("\r")) == ("", 0)


@pytest.mark.parametrize("left", [
    "pool = multiprocessing.get_context('fork').Pool(2); child = subprocess.Popen(['sleep', '600'])",
    "threading.Thread(target=time.sleep, args=[600]).start()",
])  # fmt: skip
def test_interrupt_ends_what_a_cell_has_started(project, left):
    process = project.start({"last": MARK, "wait": f"{left}\nopen('../data/ready', 'w')\ntime.sleep(600)"})
    while not (project.folder / "data" / "ready").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=SOON)
    assert process.returncode == 130
    assert "Interrupted." in said
    assert not leftovers(project.folder)


def test_a_killed_runner_leaves_no_process(project):
    detached = "subprocess.Popen(['sleep', '600'], start_new_session=True)"
    pool = "pool = multiprocessing.get_context('fork').Pool(2)"
    process = project.start({"last": MARK, "wait": f"{detached}\n{pool}\nopen('../data/ready', 'w')\ntime.sleep(600)"})
    while not (project.folder / "data" / "ready").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    [runner] = [one for one in psutil.process_iter() if one.name() == "runner n" and one in leftovers(project.folder)]
    runner.kill()
    assert process.wait(timeout=SOON) == 137
    for pipe in (process.stdout, process.stderr):
        pipe.close()
    end = time.monotonic() + SOON
    while leftovers(project.folder) and time.monotonic() < end:
        time.sleep(0.2)
    assert not leftovers(project.folder)
