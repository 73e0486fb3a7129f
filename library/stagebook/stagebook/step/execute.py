"""Run one notebook with papermill and make what comes out independent of when and where it ran."""

import math
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from ..project.addresses import mask_addresses, mask_page
from .environment import socket_folder
from .trim import trim_outputs, trim_text

__all__ = ["Execution", "died", "execute_notebook", "finish", "normalise"]

MESSAGE_LENGTH = 5_000  # characters of an exception's message on the terminal; the report has more


@dataclass(frozen=True)
class Execution:
    """How the cells of a notebook went: what failed, if anything, and the seconds that they took."""

    failure: str | None
    cells_seconds: float


def execute_notebook(
    notebook: Path, output: Path, parameters: dict, root: Path, env: dict[str, str], engine: str | None = None
) -> Execution:
    """Execute `notebook` in its own folder and write the result to `output`, also when a cell fails.

    Parameters
    ----------
    notebook, output : Path
    parameters : dict
        Values for the notebook's `parameters` cell.
    root : Path
        The project: its path is cut out of the outputs.
    env : dict
        Added to the environment of the cells.
    engine : str, optional
        Papermill's engine; None is its own, with a kernel process.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    bar = {"desc": notebook.stem, "initial": 1, "leave": False, "bar_format": "{desc}: cell {n} of {total}, {elapsed}"}
    failure, began = None, time.monotonic()
    try:
        with tempfile.TemporaryDirectory(dir=socket_folder()) as sockets:
            # A kernelspec of this name in the user's home would otherwise win over the one of this environment.
            os.environ.update(env, JUPYTER_PREFER_ENV_PATH="1", JUPYTER_RUNTIME_DIR=sockets)
            papermill.execute_notebook(
                notebook,
                output,
                parameters=parameters,
                engine_name=engine,
                kernel_name="python3",
                language="python",
                cwd=notebook.parent,
                progress_bar=bar if sys.stderr.isatty() else False,
                stdout_file=sys.stdout,
                stderr_file=sys.stderr,
                config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),  # no open port
            )
    except PapermillExecutionError as error:
        failure = _explain(notebook, error)
    except CellTimeoutError as error:
        failure = f"{notebook.name}: {error}"
    except DeadKernelError as error:
        failure = died(notebook, output, f"{error} (killed? out of memory?)")
    return finish(output, root, failure, time.monotonic() - began)


def finish(output: Path, root: Path, failure: str | None, longest: float = math.inf) -> Execution:
    """Normalise what was executed, and bound its length.

    Papermill measures each cell by the clock of the machine, which may be set meanwhile: not below 0 s, and not above
    `longest` together.
    """
    executed = nbformat.read(output, as_version=4)
    durations = (cell.metadata.get("papermill", {}).get("duration") or 0 for cell in executed.cells)
    seconds = min(sum(max(each, 0) for each in durations), longest)
    nbformat.write(trim_outputs(normalise(executed, root)), output)
    return Execution(failure, seconds)


def died(notebook: Path, output: Path, how: str) -> str:
    """Say in which cell the process that ran them ended."""
    cells = nbformat.read(output, as_version=4).cells
    running = next((cell for cell in cells if cell.metadata.get("papermill", {}).get("status") == "running"), None)
    place = f", cell {running.id}" if running else ""
    return f"{notebook.name}{place}: {how}"


def _explain(notebook: Path, error: PapermillExecutionError) -> str:
    # Papermill counts the cells of its own copy, which has one more: the injected parameters.
    source = nbformat.read(notebook, as_version=4).cells
    place = next((n for n, cell in enumerate(source, 1) if cell.source == error.source), None)
    cell = f"cell {place} of {len(source)} ({source[place - 1].id})" if place else "the injected parameters"
    arrow = re.search(r"^-+> *\d+ (.*)$", strip_ansi("\n".join(error.traceback)), re.MULTILINE)
    line = arrow[1].strip() if arrow else error.source.strip().splitlines()[-1]
    return f"{notebook.name}, {cell}: `{line}`\n{error.ename}: {trim_text(error.evalue, MESSAGE_LENGTH)}"


def normalise(notebook: NotebookNode, root: Path) -> NotebookNode:
    """Drop from an executed notebook what differs from run to run: times, durations, random ids, addresses, paths.

    Two runs with the same inputs then give the same bytes, and DVC sees that nothing changed.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        if cell.cell_type == "code":
            cell.outputs = _join_streams(cell.outputs)
            for output in cell.outputs:
                _clean_text(output, root)
            # A bar that wiped itself out, as that of a long download, is there or not by the speed of the machine.
            cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
    return notebook


def _join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of one stream: how a kernel cuts them up depends on timing."""
    joined: list[NotebookNode] = []
    for stream, group in groupby(outputs, key=lambda output: output.get("name")):  # only streams have a name
        pieces = list(group)
        if stream:
            pieces[0].text = "".join(piece.text for piece in pieces)
            del pieces[1:]
        joined += pieces
    return joined


def _clean_text(output: NotebookNode, root: Path) -> None:
    def clean(text: str) -> str:
        # Notebooks embed megabytes on one line: a repetition in front must begin where its line or word does.
        text = re.sub(r"^[^\n]*\r(?!\n)", "", text, flags=re.MULTILINE)  # a progress bar: keep its last state
        text = re.sub(r" at 0x[0-9a-f]+", "", text)
        text = re.sub(r"(?<!\S)\S*ipykernel_\d+/\d+\.py", "cell", text)  # what a kernel calls the file of a cell
        return text.replace(str(root), ".")

    if output.output_type == "stream":
        output.text = mask_addresses(clean(output.text))
    elif output.output_type == "error":
        output.evalue = mask_addresses(clean(output.evalue))
        output.traceback = [mask_addresses(clean(line)) for line in output.traceback]
    for kind, content in output.get("data", {}).items():
        if kind.startswith("text/") and isinstance(content, str):
            output.data[kind] = (mask_addresses if kind == "text/plain" else mask_page)(clean(content))
