"""What a report keeps of large outputs: a bounded part, with a note, in a time that grows with their size only."""

import asyncio
import base64
import time
from pathlib import Path
from queue import Empty

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from stagebook.step.execute import finish
from stagebook.step.report import write_html
from stagebook.step.run import _publish
from stagebook.step.trim import OUTPUTS, RICH_LENGTH, TEXT_LENGTH, TOTAL_LENGTH, trim_outputs, trim_text
from stagebook.step.warm.kernel import _Channel

IMAGE = base64.b64encode(bytes(range(256)) * 20_000).decode()  # 5 MB and more
PAGE = "<div><script>" + "x=[0.1234,1];" * 400_000 + "</script></div>"  # as plotly embeds itself


def stream(text, name="stdout"):
    return NotebookNode(output_type="stream", name=name, text=text)


def shown(**data):
    data = {kind.replace("_", "/"): content for kind, content in data.items()}
    return NotebookNode(output_type="display_data", data=data, metadata={})


def error(message):
    return NotebookNode(output_type="error", ename="ValueError", evalue=message, traceback=[message])


def notebook(*outputs):
    cell = new_code_cell()
    cell.outputs = list(outputs)
    return new_notebook(cells=[cell])


def trimmed(*outputs):
    return trim_outputs(notebook(*outputs)).cells[0].outputs


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="ab\n", max_size=200), st.integers(10, 100))
def test_a_text_keeps_its_ends_and_says_how_much_is_missing(text, length):
    kept = trim_text(text, length)
    if len(text) <= length:
        assert kept == text
        return
    first, rest = kept.split("\n[... ")
    note, last = rest.split(" ...]\n")
    lines, characters = (int(word.replace(",", "")) for word in note.split() if word[0].isdigit())
    assert text.startswith(first) and text.endswith(last)
    missing = text[len(first) : len(text) - len(last)]
    assert (missing.count("\n"), len(missing)) == (lines, characters)
    assert len(first) + len(last) <= length


def test_a_hundred_thousand_lines_become_the_first_and_the_last():
    [output] = trimmed(stream("".join(f"line {number}\n" for number in range(100_000))))
    lines = output.text.splitlines()
    assert (lines[0], lines[-1]) == ("line 0", "line 99999")
    assert len(output.text) < TEXT_LENGTH + 200
    kept = sum(line.startswith("line") for line in lines)
    assert f"[... {100_000 - kept:,} lines with " in output.text


def test_images_and_embedded_pages_of_usual_size_are_kept_whole():
    outputs = trimmed(shown(image_png=IMAGE, text_plain="<Figure>"), shown(text_html=PAGE))
    assert outputs == [shown(image_png=IMAGE, text_plain="<Figure>"), shown(text_html=PAGE)]


def test_what_is_too_large_to_show_is_named_in_its_place():
    [output] = trimmed(shown(text_html="x" * (RICH_LENGTH + 1), text_plain="<Map>", image_png=IMAGE))
    assert set(output.data) == {"text/plain"}, "the note must be the form that a page shows"
    assert output.data["text/plain"] == "<Map>\n[text/html with 20,000,001 characters is left out of the report]"
    [output] = trimmed(
        NotebookNode(output_type="display_data", metadata={}, data={"application/json": ["x" * 21_000_000]})
    )
    assert "application/json with 21,000,004 characters" in output.data["text/plain"]


def test_many_large_outputs_are_bounded_together():
    page = "x" * (RICH_LENGTH - 100)
    outputs = trimmed(*[shown(text_html=page) for _ in range(8)], error("x" * 10**6), stream("x" * 10**6))
    kept = [output for output in outputs[:8] if "text/html" in output.data]
    assert len(kept) == TOTAL_LENGTH // RICH_LENGTH
    assert sum(len(nbformat.writes(notebook(output))) for output in outputs) < TOTAL_LENGTH + 10**6


def test_of_many_outputs_the_first_and_the_last_are_kept():
    outputs = trimmed(*[shown(text_plain=str(number)) for number in range(10_000)], error("wrong"))
    assert (outputs[0].data["text/plain"], outputs[-1].evalue) == ("0", "wrong")
    assert len(outputs) == OUTPUTS + 1
    assert outputs[OUTPUTS // 2].text == "[... 9,001 outputs are left out of the report ...]\n"


LARGE = {
    "lines": lambda size: [stream("".join(f"line {number}\n" for number in range(size // 10)))],
    "colours": lambda size: [stream("".join(f"\x1b[31mline\x1b[0m {number}\n" for number in range(size // 20)))],
    "one line": lambda size: [stream("x" * size)],
    "image": lambda size: [shown(image_png="x" * size)],
    "page": lambda size: [shown(text_html=PAGE[:13] + "x=[0.1234,1];" * (size // 13))],
    "displays": lambda size: [shown(text_plain=str(number)) for number in range(size // 1_000)],
    "error": lambda size: [error("x" * size)],
}


@pytest.mark.parametrize("kind", LARGE)
def test_from_the_cells_to_the_page_the_time_grows_with_the_size(tmp_path, kind):
    seconds = []
    for size in (250_000, 5_000_000):
        (tmp_path / "n.ipynb").write_text(nbformat.writes(notebook(*LARGE[kind](size))))
        began = time.process_time()
        finish(tmp_path / "n.ipynb", tmp_path, None)
        write_html(tmp_path / "n.ipynb", tmp_path / "n.html")
        seconds.append(time.process_time() - began)
    assert seconds[1] < 40 * seconds[0] + 1  # 20 times the size; 400 times the time if it is quadratic
    assert (tmp_path / "n.html").stat().st_size < 6_000_000


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def fill_disk(executed: Path, page: Path) -> None:
        page.write_text("<html>")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stagebook.step.run.write_html", fill_disk)
    (tmp_path / "50_train.html").write_text("the last good page")
    (tmp_path / ".partial-50_train.ipynb").write_text("{}")
    with pytest.raises(OSError, match="No space"):
        _publish(tmp_path / ".partial-50_train.ipynb", tmp_path / "50_train.ipynb")
    assert (tmp_path / "50_train.html").read_text() == "the last good page"
    assert not (tmp_path / ".partial-50_train.html").exists()


def message(text, name="stdout", kind="stream"):
    return {"header": {"msg_type": kind}, "parent_header": {"msg_id": "1"}, "content": {"name": name, "text": text}}


def test_pieces_of_a_stream_reach_nbclient_as_one_message():
    channel = _Channel()
    sent = [message("a"), message("b"), message("c"), message("d", "stderr"), message("", kind="status"), message("e")]
    for each in sent:
        channel.put(each)
    got = [asyncio.run(channel.get_msg(0)) for _ in range(4)]
    assert [each["content"]["text"] for each in got] == ["abc", "d", "", "e"]
    with pytest.raises(Empty):
        asyncio.run(channel.get_msg(0.01))
