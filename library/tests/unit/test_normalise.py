"""Two executions of a notebook must give the same bytes, or DVC re-runs what follows for nothing."""

import re
import time
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters import ansi2html
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from stagebook.step.execute import finish, normalise
from stagebook.step.report import colours_to_html, results_first, write_html

ROOT = Path("/somewhere/project")
MEGABYTES = 10
# One line each, of what notebooks show: pictures and pages embedded in text, bars, logs, addresses.
LONG_LINES = {
    "one word": "x" * 1_000_000,
    "words": "word 0123 " * 100_000,
    "carriage returns": "  9%\r 10%\r" * 100_000,
    "line ends": "x\r\n" * 300_000 + "x" * 100_000,
    "only carriage returns": "\r" * 1_000_000,
    "addresses": "<A at 0x7f> at 0x at 0" * 50_000,
    "cells": "/tmp/ipykernel_1/2.py ipykernel_1/2.p /ipykernel_/" * 20_000,
    "cells in one word": "/tmp/ipykernel_1/2.py,ipykernel_1/2.p,/ipykernel_/" * 20_000,
    "digits": "ipykernel_" + "1" * 500_000 + "/" + "2" * 500_000,
    "almost": "ipykernel" * 100_000,
}


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


def stream(text, name="stdout"):
    return NotebookNode(output_type="stream", name=name, text=text)  # not checked, which takes a while


def cleaned(*outputs):
    cell = new_code_cell()
    cell.outputs = list(outputs)
    return normalise(new_notebook(cells=[cell]), ROOT).cells[0].outputs


def clean_slowly(text):
    """What the text becomes, by expressions that are plain but take a time quadratic in the length of a line."""
    text = re.sub(r"[^\n]*\r(?!\n)", "", text)
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    text = re.sub(r"\S*ipykernel_\d+/\d+\.py", "cell", text)
    return text.replace(str(ROOT), ".")


LETTERS = ["\r", "\n", "\r\n", " ", "\t", "\u00a0", "\x1c", "a", "é", "0", "٣", "/", ".", "\ud800"]
WORDS = [" at 0x7f", " at 0x", "/tmp/ipykernel_12/345.py", "ipykernel_1/2.p", "ipykernel_", "2/3.py", "y", "cell"]


@given(st.lists(st.sampled_from([str(ROOT), *LETTERS, *WORDS]), max_size=25).map("".join))
def test_text_is_cleaned_as_the_plain_expressions_do(text):
    assert "".join(output.text for output in cleaned(stream(text))) == clean_slowly(text)


@pytest.mark.parametrize("name", LONG_LINES)
def test_a_long_line_takes_no_longer_for_being_one_line(name):
    text = LONG_LINES[name] * MEGABYTES
    began = time.process_time()
    cleaned(stream(text), new_output("display_data", data={"text/html": text}))
    assert time.process_time() - began < 10  # a second on a slow machine; hours if it is quadratic


def test_many_small_messages_are_joined_in_linear_time():
    pieces = [stream(f"{number} ") for number in range(100_000)]
    began = time.process_time()
    [joined] = cleaned(*pieces)
    assert time.process_time() - began < 5
    assert joined.text == " ".join(map(str, range(100_000))) + " "


def test_pieces_of_other_streams_and_displays_stay_apart():
    shown = new_output("display_data", data={"text/plain": "d"})
    pieces = [stream("a"), stream("b"), stream("e", "stderr"), shown, shown, stream("c"), stream("d")]
    kept = [output.get("text", "shown") for output in cleaned(*pieces)]
    assert kept == ["ab", "e", "shown", "shown", "cd"]


@pytest.mark.parametrize(("durations", "seconds"), [([1.5, 2.0], 3.5), ([-3e8, 2.0], 2.0), ([3e8, None], 60)])
def test_a_clock_that_is_set_while_cells_run_does_not_count(tmp_path, durations, seconds):
    cells = [new_code_cell("f()", metadata={"papermill": {"duration": each}}) for each in durations]
    nbformat.write(new_notebook(cells=cells), tmp_path / "n.ipynb")
    assert finish(tmp_path / "n.ipynb", ROOT, None, longest=60).cells_seconds == seconds


def test_page_has_the_colours_of_nbconvert(tmp_path):
    text = "plain \x1b[1;31mbold red\x1b[4m underlined\x1b[0m plain \x1b[32mgreen \x1b[1mbold\x1b[m plain <&>"
    nbformat.write(new_notebook(cells=[new_code_cell(outputs=[stream(text)])]), tmp_path / "n.ipynb")
    write_html(tmp_path / "n.ipynb", tmp_path / "n.html")
    assert ansi2html(text) in (tmp_path / "n.html").read_text()


STEP = ["# Step", "- **Reads** a", "## Why `x` is here", "## Run", "### Part", "## Results\n\nLook.", "plot"]


def test_the_page_begins_with_results_and_links_each_heading(tmp_path):
    cells = [new_markdown_cell(text) for text in STEP]
    order = [cell.source.splitlines()[0] for cell in results_first(cells)]
    assert [order[0], *order[2:]] == ["# Step", "## Results", "plot", *STEP[1:5]]
    nbformat.write(new_notebook(cells=cells), tmp_path / "n.ipynb")
    write_html(tmp_path / "n.ipynb", tmp_path / "n.html")
    page = (tmp_path / "n.html").read_text()
    for anchor in ("Results", "Why-x-is-here", "Run", "Part"):
        assert f'href="#{anchor}">' in page and f'id="{anchor}"' in page
    assert len(results_first(cells[:4])) == 4, "a short page has no table of contents"


def test_a_page_that_failed_keeps_its_order():
    failed = new_code_cell(outputs=[new_output("error", ename="E", evalue="", traceback=[])])
    cells = [new_markdown_cell("# Step"), failed, new_markdown_cell("## Results")]
    assert results_first(cells) == cells


def test_a_long_coloured_log_is_converted_in_linear_time():
    line = "\x1b[32m[I 2024-01-01 00:00:00,000]\x1b[0m Trial finished with value: 0.123456789\n\x1b[A"
    seconds = []
    for lines in (5_000, 80_000):
        began = time.process_time()
        colours_to_html(line * lines)
        seconds.append(time.process_time() - began)
    assert seconds[1] < 40 * seconds[0]  # 16 times the lines; 80 times the time if it is quadratic
