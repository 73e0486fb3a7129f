"""The engine without a kernel process gives what papermill's own engine gives, output for output.

The cells follow those that papermill and nbclient test their own execution with.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from stagebook.step.execute import normalise

pytestmark = pytest.mark.slow
# As a project's pyproject.toml has them.
PRELOAD = ("pandas", "pyarrow.dataset", "pyarrow.parquet", "matplotlib.pyplot", "pandera.pandas", "sklearn.ensemble")
PRELOAD = (*PRELOAD, "sklearn.pipeline", "skl2onnx", "skrub")
# Each is one cell of one notebook; what one defines the next can use. `fails` marks a cell that may raise.
CELLS = {
    "result": "x = 20 + 1\nx * 2",
    "history": "_, Out[1], In[1], __name__",
    "semicolon": "x;",
    "empty": "",
    "comment": "# nothing",
    "stdout, stderr": "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('naïve ☃ 你好', end='', flush=True)",
    "long stream": "for number in range(20_000): print(number, end=' ')",
    "rich display": "from IPython.display import *\ndisplay(HTML('<b>x</b>'), Markdown('*m*'), JSON({'a': 1}), SVG('<svg/>'))",
    "own representation": "class A:\n    def _repr_html_(self): return '<i>A</i>'\nA()",
    "display is updated": "handle = display('one', display_id='id'); handle.update('two')",
    "display of another cell is updated": "handle.update('three')",
    "output is cleared": "print('gone')\nclear_output()\nprint('kept')",
    "output is cleared later": "print('gone')\nclear_output(wait=True)\nprint('kept')",
    "data frame": "import pandas as pd\nframe = pd.DataFrame({'a': [1, 2], 'b': ['x', 'é']})\nframe",
    "wide data frame": "pd.DataFrame([range(30)], columns=[f'column {n}' for n in range(30)])",
    "picture": "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.title('t')",
    "picture is shown": "fig, ax = plt.subplots()\nax.bar([1, 2], [3, 4])\nplt.show()\nprint('after')",
    "closed picture": "fig, ax = plt.subplots()\nplt.close(fig)",
    "line magic": "%who_ls DataFrame",
    "cell magic": "%%bash\necho bash; echo err >&2",
    "captured": "%%capture kept\nprint('hidden')",
    "capture is there": "kept.stdout",
    "shell": "!echo shell",
    "shell result": "lines = !echo one; echo two\nlines",
    "help": "len?",
    # A kernel's thread reads these from a pipe when it can; after the cell's end they are lost. Hence the sleeps.
    "system": "import os, time\nos.system('echo system'); time.sleep(0.5)",
    "file descriptor": "os.write(2, b'raw\\n'); time.sleep(0.5)",
    "subprocess": "import subprocess\ncode = subprocess.run(['echo', 'sub']).returncode; time.sleep(0.5)\nprint(code)",
    "C code": "import ctypes\nlibrary = ctypes.CDLL(None)\nlibrary.printf(b'from C\\n'); library.fflush(None); time.sleep(0.5)",
    "thread": "import threading\nthread = threading.Thread(target=print, args=['thread'])\nthread.start(); thread.join()",
    "forked child": "import multiprocessing\nchild = multiprocessing.get_context('fork').Process(target=print, args=['child'])\n"
    "child.start(); child.join()",
    "parallel": "from joblib import Parallel, delayed\ndef square(x): return x * x\nParallel(n_jobs=2)(delayed(square)(i) for i in range(4))",
    "progress bar": "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass",
    "logging": "import logging\nlogging.warning('warned'); logging.info('not shown')",
    "warning": "import warnings\nwarnings.warn('careful')",
    "await": "import asyncio\nawait asyncio.sleep(0.01); 'awaited'",
    "task": "async def work():\n    await asyncio.sleep(0.01)\n    return 7\ntask = asyncio.create_task(work())",
    "task of another cell": "await task",
    "comm": "from comm import create_comm\ncreate_comm(target_name='t', data={'a': 1}).close()",
    "pickle": "import pickle\nclass Local: pass\ntype(pickle.loads(pickle.dumps(Local()))).__name__",
    "error fails": "def divide(x):\n    return 1 / x\nprint('before')\ndivide(0)",
    "chained error fails": "try:\n    divide(0)\nexcept ZeroDivisionError as error:\n    raise RuntimeError('é ☃') from error",
    "error group fails": "raise ExceptionGroup('both', [ValueError(1), TypeError(2)])",
    "syntax error fails": "if True print(1)",
    "unknown name fails": "no_such_name",
    "error in await fails": "await asyncio.wait_for(asyncio.sleep(5), 0.01)",
    "exit fails": "import sys\nsys.exit(3)",
    "input fails": "input('name? ')",
    "password fails": "import getpass\ngetpass.getpass()",
    "on it goes": "'still here'",
}  # fmt: skip


def call(notebook, engine, out, *options):
    """The code that executes a notebook."""
    words = [f"{str(notebook)!r}, {str(out)!r}, engine_name={engine!r}, kernel_name='python3', progress_bar=False"]
    return f"import papermill; papermill.execute_notebook({', '.join([*words, *options])})"


def execute(notebook, engine, *options, before=""):
    """Execute a notebook in a process of its own, as a step does, and return the process and the result."""
    out = notebook.with_suffix(f".{engine}.ipynb")
    code = f"{before}\n{call(notebook, engine, out, *options)}"
    # With PYTEST_CURRENT_TEST a kernel leaves file descriptors alone.
    kept = {name: value for name, value in os.environ.items() if name not in {"MPLBACKEND", "PYTEST_CURRENT_TEST"}}
    environment = kept | {"PYTHONWARNINGS": "ignore:IProgress not found"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    return process, out


def outputs(path):
    """The cells' execution counts and outputs, without colours and times."""
    notebook = normalise(nbformat.read(path, as_version=4), Path("/nowhere"))
    text = nbformat.writes(notebook)
    text = re.sub(r"\\u001b\[[\d;]*m|[\d.]+it/s", "", text)
    cells = {cell.id: cell for cell in nbformat.reads(text, as_version=4).cells}  # papermill adds some on an error
    return [(cells[f"cell-{n}"].execution_count, cells[f"cell-{n}"].outputs) for n in range(len(CELLS))]


def write(path, sources):
    cells = [
        new_code_cell(source, id=f"cell-{n}", metadata={"tags": ["raises-exception"] if name.endswith("fails") else []})
        for n, (name, source) in enumerate(sources.items())
    ]
    nbformat.write(new_notebook(cells=[*cells, new_markdown_cell("# end")]), path)
    return path


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """All cells, executed by papermill's engine, by ours, and by ours with the libraries imported beforehand."""
    notebook = write(tmp_path_factory.mktemp("engines") / "cells.ipynb", CELLS)
    warm = write(notebook.with_name("warm.ipynb"), CELLS)
    imports = f"import os; os.environ['MPLBACKEND'] = 'module://matplotlib_inline.backend_inline'\nimport {', '.join(PRELOAD)}"
    started = {
        "kernel": execute(notebook, "nbclient"),
        "stagebook": execute(notebook, "stagebook"),
        "warm": execute(warm, "stagebook", before=imports),
    }
    found = {}
    for name, (process, out) in started.items():
        process.communicate()  # papermill ends with 1, for some cells have failed
        found[name] = dict(zip(CELLS, outputs(out), strict=True))
    return found


@pytest.mark.parametrize("cell", CELLS)
def test_outputs_are_those_of_a_kernel(results, cell):
    assert results["stagebook"][cell] == results["kernel"][cell]
    assert results["warm"][cell] == results["kernel"][cell]


def test_the_cells_show_what_they_are_there_for(results):
    """Guards the comparison itself: two engines that both show nothing would be equal."""
    shown = {name: str(cell) for name, cell in results["kernel"].items()}
    for name, words in {
        "picture": "image/png", "data frame": "text/html", "system": "system", "C code": "from C", "thread": "thread",
        "forked child": "child", "progress bar": "100%", "error fails": "ZeroDivisionError", "input fails": "StdinNot",
        "display of another cell is updated": "[]", "display is updated": "three", "on it goes": "still here",
    }.items():  # fmt: skip
        assert words in shown[name], name
    assert "gone" not in shown["output is cleared"]


@pytest.mark.parametrize("engine", ["nbclient", "stagebook"])
def test_error_ends_the_notebook(tmp_path, engine):
    notebook = write(tmp_path / "n.ipynb", {"one": "print('on')", "two": "1 / 0", "three": "print('never')"})
    process, out = execute(notebook, engine)
    _, said = process.communicate()
    assert process.returncode == 1
    assert "PapermillExecutionError" in said
    assert "ZeroDivisionError" in out.read_text()
    assert not nbformat.read(out, as_version=4).cells[-2].outputs


@pytest.mark.parametrize(
    ("engine", "wait"),
    [
        ("nbclient", "while True: pass"),
        ("stagebook", "while True: pass"),
        ("stagebook", "import time; time.sleep(300)"),
        ("stagebook", "import asyncio; await asyncio.sleep(300)"),
    ],
)
def test_cell_has_only_its_time(tmp_path, engine, wait):
    notebook = write(tmp_path / "n.ipynb", {"one": "print('on')", "two": wait})
    process, out = execute(notebook, engine, "execution_timeout=1")
    _, said = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "CellTimeoutError" in said
    assert "on" in nbformat.read(out, as_version=4).cells[0].outputs[0].text


@pytest.mark.parametrize("wait", ["time.sleep(300)", "import asyncio; await asyncio.sleep(300)", "!sleep 300"])
def test_interrupt_ends_the_notebook_and_keeps_what_there_is(tmp_path, wait):
    sign = tmp_path / "running"
    notebook = write(
        tmp_path / "n.ipynb", {"one": "print('on')", "two": f"import time; open({str(sign)!r}, 'w')\n{wait}"}
    )
    process, out = execute(notebook, "stagebook")
    while not sign.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=100)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in said.splitlines()[-1]
    assert "on" in nbformat.read(out, as_version=4).cells[0].outputs[0].text


def test_outputs_are_copied_to_the_terminal_once(tmp_path):
    notebook = write(tmp_path / "n.ipynb", {"one": "print('one', flush=True); print('two')"})
    process, out = execute(notebook, "stagebook", "stdout_file=__import__('sys').stdout")
    shown, _ = process.communicate()
    assert shown == "one\ntwo\n"
    [output] = nbformat.read(out, as_version=4).cells[0].outputs
    assert output.text == "one\ntwo\n"


def test_second_notebook_of_a_process_knows_nothing_of_the_first(tmp_path):
    first = write(tmp_path / "first.ipynb", {"one": "secret = 1"})
    second = write(tmp_path / "second.ipynb", {"one": "'secret' in globals(), len(In)"})
    process, out = execute(second, "stagebook", before=call(first, "stagebook", tmp_path / "out.ipynb"))
    process.communicate()
    assert nbformat.read(out, as_version=4).cells[0].outputs[0].data["text/plain"] == "(False, 2)"
