"""An endless, silent or huge source ends with an error that names the limit; a large one that is allowed shows how far it is."""

import bz2
import gzip
import json
import lzma
import threading
import time
import tracemalloc
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from samples import write_project
from stagebook.data.reading import limits
from stagebook.data.reading.limits import read_limits
from stagebook.data.reading.locations import fetch_file
from stagebook.data.reading.sources import read_source
from stagebook.data.reading.unpack import unpack_file
from stagebook.project.errors import DataError
from stagebook.step.execute import normalise

SETTINGS = "[tool.stagebook.limits]\nmegabytes = 2\nminutes = 0.02\nsilent_seconds = 0.5\n"
TABLE = b"a,b\n1,2\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with narrow limits, from whose notebooks a table is read."""
    root = write_project(tmp_path / "project", SETTINGS)
    (root / "notebooks").mkdir()
    monkeypatch.chdir(root / "notebooks")
    return root


class Handler(BaseHTTPRequestHandler):
    """Answers in the way that the path names."""

    def do_GET(self):
        self.send_response(200)
        if self.path == "/large.csv":
            self.send_header("Content-Length", "3000000")
        if self.path == "/table.csv":
            self.send_header("Content-Length", str(len(TABLE)))
        self.end_headers()
        if self.path == "/table.csv":
            self.wfile.write(TABLE)
        for _ in range(2_000):
            if self.path == "/endless.csv":
                self.wfile.write(b"x" * 100_000)
            elif self.path == "/drip.csv":
                self.wfile.write(b"x")
                time.sleep(0.05)
        if self.path == "/silent.csv":
            self.wfile.write(b"a,b\n")
            self.server.over.wait(20)

    def log_message(self, *_):
        """Keep quiet."""


@contextmanager
def serve():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close, server.over = True, False, threading.Event()
    server.handle_error = lambda *_: None  # the client hangs up
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "endless.csv",
            r"the download has .* MB or more; the limit is 2\. Raise `megabytes` in \[tool\.stagebook\.limits\]",
        ),
        ("large.csv", r"the file has 3\.0 MB or more; the limit is 2\."),
        ("drip.csv", r"the download took longer than 0\.02 minutes\. Raise `minutes`"),
        ("silent.csv", "it cannot be fetched"),
    ],
)
def test_an_address_without_an_end_is_left(project, tmp_path, name, words):
    with serve() as address:
        began = time.monotonic()
        with pytest.raises(DataError, match=words):
            fetch_file(f"{address}/{name}", project, tmp_path)
        assert time.monotonic() - began < 15
    assert not (tmp_path / name).exists() or name == "silent.csv"


def test_a_usual_address_is_fetched(project, tmp_path):
    with serve() as address:
        assert fetch_file(f"{address}/table.csv", project, tmp_path).read_bytes() == TABLE


def bomb(path: Path) -> None:
    """Write an archive of a few kB that unpacks to 4 MB."""
    content = b"0" * 4_000_000
    if path.suffix in (".zip", ".xlsx"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/workbook.xml" if path.suffix == ".xlsx" else "t.csv", content)
    else:
        path.write_bytes({".gz": gzip, ".bz2": bz2, ".xz": lzma}[path.suffix].compress(content))


@pytest.mark.parametrize("name", ["t.zip", "t.csv.gz", "t.csv.bz2", "t.csv.xz", "t.xlsx"])
def test_an_archive_that_unpacks_to_too_much_is_refused(project, tmp_path, name):
    bomb(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 100_000
    with pytest.raises(DataError, match=r"the unpacked file has .* MB or more; the limit is 2\."):
        unpack_file(tmp_path / name, tmp_path)
    assert not [file for file in (tmp_path / "unpacked").glob("*") if file.is_file()]


def test_progress_is_shown_and_leaves_no_trace_in_a_report(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(limits, "PROGRESS_SECONDS", 0)
    limits.write_limited([b"x" * 1_000_000] * 2, tmp_path / "t", "the download", 2_000_000)
    shown = capsys.readouterr().err
    assert "the download: 1 of 2 MB\r" in shown
    cell = new_code_cell()
    cell.outputs = [NotebookNode(output_type="stream", name="stderr", text=shown)]
    assert normalise(new_notebook(cells=[cell]), tmp_path).cells[0].outputs == []


def test_without_a_project_there_are_limits_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = {"megabytes": 5000, "minutes": 60, "silent_seconds": 30, "row_megabytes": 16, "cell_megabytes": 8}
    assert read_limits() == known


LENGTHS = "[tool.stagebook.limits]\nrow_megabytes = 2\ncell_megabytes = 1.5\n"
LINE, CELL = r"Raise `row_megabytes` in", r"Raise `cell_megabytes` in"


@pytest.fixture
def narrow(tmp_path, monkeypatch):
    """A project in which a row may have 2 MB and a value 1.5."""
    monkeypatch.chdir(write_project(tmp_path / "project", LENGTHS))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n" + "3," + "x" * 3_000_000 + "\n", rf"line 3 has more than 2 MB: are line breaks missing\? {LINE}"),
        ("a,b\n1,2\n" + "3," + "x" * 1_600_000 + "\n4,5\n", rf"column 'b' has a value of 1\.6 MB.*{CELL}"),
        ("a,b\n" + "1,2;" * 1_000_000, r"line 2 has more than 2 MB"),
        (
            'a,b\n1,2\n3,"4\n' + "5,6\n" * 800_000,
            r"a value has more than 1\.5 MB at line \d+\. Is a quote opened and never",
        ),
        ("a b\n1 2\n3 " + "x" * 3_000_000 + "\n", r"line 3 has more than 2 MB"),
        ("a,b\n1,ä\n".encode("cp1252") + b"2," + b"x" * 3_000_000 + b"\n", r"line 3 has more than 2 MB"),
        ("x" * 3_000_000, r"line 1 has more than 2 MB|no header|one column"),
    ],
)
def test_endless_row_or_value_ends_with_its_line_and_the_limit(narrow, text, words):
    (narrow / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=words):
        read_source(str(narrow / "t.csv"))


def test_line_that_does_not_end_is_not_read_to_its_end(narrow):
    """400 MB in a sparse file: reading it whole takes as much memory."""
    with (narrow / "t.csv").open("wb") as file:
        file.write(b"a,b\n1,2\n3,")
        file.truncate(400_000_000)
    with pytest.raises(DataError):
        read_source(str(narrow / "t.csv"))
    tracemalloc.start()
    try:
        with (narrow / "t.csv").open() as stream, pytest.raises(DataError, match="line 3 has more than 2 MB"):
            list(limits.take_lines(stream))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_long_values_of_other_kinds_are_refused_and_allowed_ones_are_read(narrow, monkeypatch):
    long = "x" * 1_600_000
    pd.DataFrame({"a": [1, 2], "b": ["y", long]}).to_parquet(narrow / "t.parquet")
    (narrow / "t.json").write_text(json.dumps([{"a": 1, "b": long}, {"a": 2, "b": None}]))
    for name in ("t.parquet", "t.json"):
        with pytest.raises(
            DataError, match=rf"t\.\w+: column 'b' has a value of 1\.6 MB; the limit is 1\.5\. .*{CELL}"
        ):
            read_source(str(narrow / name))
    rows = "a,b\n1,2\n3," + "x" * 1_400_000 + '\n4,"' + "y\n" * 300_000 + '"\n'
    (narrow / "t.csv").write_text(rows)
    assert read_source(str(narrow / "t.csv"))["b"].str.len().tolist() == [1, 1_400_000, 600_000]
    monkeypatch.chdir("/")  # the usual limits
    assert read_source(str(narrow / "t.parquet"))["b"].str.len().tolist() == [1, 1_600_000]
