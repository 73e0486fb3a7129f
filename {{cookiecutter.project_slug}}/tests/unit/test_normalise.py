"""Two executions of a notebook must give the same bytes, or DVC re-runs what follows for nothing."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from {{ cookiecutter.package_name }}.pipeline.execute import normalise

ROOT = Path("/somewhere/project")


def executed(pieces, address, second):
    """A notebook as papermill leaves it; the arguments are what differs from run to run."""
    streams = [new_output("stream", name="stdout", text=piece) for piece in pieces]
    shown = new_output("execute_result", data={"text/plain": f"<object at {address}>"}, execution_count=1)
    cell = new_code_cell("f()", id="injected" + address[-4:], outputs=[*streams, shown])
    cell.metadata.update(tags=["injected-parameters"], papermill={"duration": second}, execution={"t": second})
    notebook = new_notebook(cells=[cell])
    notebook.metadata.update(papermill={"start_time": second}, language_info={"name": "python", "version": "3.11.7"})
    return notebook


def test_what_differs_between_runs_is_dropped():
    one = normalise(executed(["a", "b\n"], "0x7f01", "1"), ROOT)
    two = normalise(executed(["ab\n"], "0x7f02", "2"), ROOT)
    assert nbformat.writes(one) == nbformat.writes(two)


def test_results_are_kept_and_paths_of_the_machine_are_not():
    text = "10%\r90%\rdone\n/somewhere/project/data/x.csv:1: 0.75\n/tmp/ipykernel_123/456.py:3: Warning\n"
    [cell] = normalise(executed([text], "0x1", "1"), ROOT).cells
    assert cell.outputs[0].text == "done\n./data/x.csv:1: 0.75\ncell:3: Warning\n"
    assert cell.outputs[1].data["text/plain"] == "<object>"
    assert cell.metadata == {"tags": ["injected-parameters"]}
