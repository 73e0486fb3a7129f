"""Any table that people have must arrive as it is, and what cannot be read must be said in words."""

import bz2
import csv
import datetime
import decimal
import gzip
import io
import itertools
import json
import lzma
import sqlite3
import subprocess
import sys
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import write_project
from stagebook.data.origin import describe_file, log_arrival
from stagebook.data.reading.columns import tidy_columns, tidy_names
from stagebook.data.reading.sources import expected_columns, load_source, read_source
from stagebook.data.tables import read_table, write_table
from stagebook.project.addresses import mask_addresses
from stagebook.project.errors import DataError

SAMPLE = 1 << 20  # bytes of a text file that are looked at
TABLE = 'id;größe;name\n007;1,5;Zoë\n008;;"a;b\nc"\n'
ROWS = [["007", "1,5", "Zoë"], ["008", None, "a;b\nc"]]


@pytest.fixture
def write(tmp_path):
    """Write bytes or text to a file of the test's own and return its path."""

    def write_file(name, content, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return str(path)

    return write_file


def values(frame):
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_csv", ".csv"), content)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_separator_and_encoding_are_found(write, encoding):
    frame, facts = load_source(write("t.csv", TABLE, encoding))
    assert list(frame) == ["id", "größe", "name"]
    assert values(frame) == ROWS
    assert (facts["separator"], facts["rows"], facts["columns"]) == (";", 2, 3)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gb18030", "城市,名字\n北京市,你好\n上海市,再见\n"),
        ("cp932", "都市,名前\n東京都,こんにちは\n大阪府,さようなら\n"),
    ],
)
def test_other_alphabets_are_found(write, encoding, text):
    assert values(read_source(write("t.csv", text * 3, encoding)))[0] == text.split("\n")[1].split(",")


def test_letter_that_is_not_ascii_may_come_late(write):
    lines = "a,b\n" + "1,2\n" * (SAMPLE // 4 + 9) + "ü,3\n"
    for encoding in ("utf-8", "cp1252"):
        frame, facts = load_source(write("t.csv", lines, encoding))
        assert frame.iloc[-1, 0] == "ü"
        assert facts["encoding"] == encoding


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, lambda text: zipped(in__t_csv=text)])
def test_compressed_files_are_unpacked(write, pack):
    path = write("t.csv.packed", pack(TABLE.encode()))
    frame, facts = load_source(path)
    assert values(frame) == ROWS
    assert facts | describe_file(path) == facts


def test_values_stay_as_they_are_and_only_markers_are_missing(write):
    frame = read_source(write("t.csv", 'a,b\n"NA",None\n, x \nnull,-\n"",0\n'))
    assert values(frame) == [[None, "None"], [None, " x "], [None, "-"], [None, "0"]]
    assert set(frame.dtypes.astype(str)) == {"str"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,a, b ,,a_2\n1,2,3,4,5\n", ["a", "a_3", "b", "column_4", "a_2"]),
        ('\n\n"x\ny",z\n1,2\n', ["x y", "z"]),
        ("sep=;\na;b\n1;2\n", ["a", "b"]),
        ('"Month", "1958"\n"JAN", "340, 1"\n', ["Month", "1958"]),
        ("a\tb,c\td\n1,5\t2\t3\n", ["a", "b,c", "d"]),
        ("a|b\n1,1|2,2\n", ["a", "b"]),
        ("a,__split__\n1,2\n", ["a", "__split___2"]),
        ("PK,text\n1," + "x" * 200_000 + "\n", ["PK", "text"]),
    ],
)
def test_odd_headers(write, text, names):
    frame = read_source(write("t.csv", text))
    assert list(frame) == names
    assert len(frame) == 1
    assert not frame.isna().any(axis=None)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters='"'), max_size=8)
CELL = st.one_of(TEXT, st.sampled_from(['say "x"', "two\nlines", "a;b,c\td|e", "00123", "1.234,5"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_csv_writes_is_read_back(tmp_path, data):
    width = data.draw(st.integers(2, 5))
    rows = data.draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=6))
    separator = data.draw(st.sampled_from(",;\t|"))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    rows = [[cell.encode(encoding, "ignore").decode(encoding) for cell in row] for row in rows]
    rows.append(["x"] * width)  # or else the last row could be a note below the table
    with (tmp_path / "t.csv").open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL)
        writer.writerows([[f"column {place}" for place in range(width)], *rows])
    missing = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NaT", "NULL", "null", "\\N"]
    wanted = [[None if cell in missing else cell for cell in row] for row in rows]
    wanted = [row for row in wanted if any(cell and cell.strip() for cell in row)]  # others are empty rows
    told = "cp1252" if encoding == "cp1252" else ""  # letters at random make no sense in any encoding
    assert values(read_source(str(tmp_path / "t.csv"), encoding=told)) == wanted


ODD = {
    "whole": [1, 2],
    "mixed": [1, "x"],
    "gaps": pd.array([1, None], dtype="Int64"),
    "huge": pd.array([2**53 + 1, None], dtype="Int64"),
    "truth": pd.array([True, None], dtype="boolean"),
    "money": [decimal.Decimal("1.50"), None],
    "bytes": [b"ab", b"\xff"],
    "list": [[1, "é"], {"k": None}],
    "day": [datetime.date(2024, 1, 2), None],
    "zone": pd.to_datetime(["2024-01-02T01:00+02:00", None], utc=True).tz_convert("Europe/Berlin"),
    "wait": pd.to_timedelta(["90s", None]),
    "month": pd.PeriodIndex(["2024-01", None], freq="M"),
    "group": pd.Categorical(["a", None]),
    "empty": [None, None],
}


def test_odd_types_become_what_parquet_holds(tmp_path):
    tidy = tidy_columns(pd.DataFrame(ODD))
    write_table(tidy, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), tidy)
    row = {name: tidy[name].iloc[0] for name in tidy}
    assert row.pop("zone") == pd.Timestamp("2024-01-01 23:00")
    assert row.pop("day") == pd.Timestamp("2024-01-02")
    assert row.pop("month") == pd.Timestamp("2024-01-01")
    assert np.isnan(row.pop("empty"))
    assert row == {
        "whole": 1, "mixed": "1", "gaps": 1.0, "huge": "9007199254740993", "truth": "true", "money": 1.5,
        "bytes": "ab", "list": '[1, "é"]', "wait": 90.0, "group": "a",
    }  # fmt: skip
    assert tidy["bytes"].iloc[1] == "ff"


def test_names_that_are_no_text():
    assert tidy_names([datetime.datetime(2024, 1, 31), pd.Timestamp("2024-02-29 12:00")]) == [
        "2024-01-31",
        "2024-02-29 12:00:00",
    ]
    assert tidy_names([1, None, ("a", ""), ("a", "b"), np.nan, 2.5]) == ["1", "column_2", "a", "a_b", "column_5", "2.5"]


def test_parquet_keeps_types_and_an_index_with_a_name(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2], "n": [1, 2]}, index=pd.Index(["x", "y"], name="key"))
    frame.to_parquet(tmp_path / "t.parquet")
    read = read_source(str(tmp_path / "t.parquet"))
    assert list(read) == ["key", "a", "n"]
    assert read["n"].dtype == "int64"
    frame.set_axis([5, 7]).to_parquet(tmp_path / "t.parquet")
    assert list(read_source(str(tmp_path / "t.parquet"))) == ["a", "n"]


def test_workbook_first_or_named_sheet(tmp_path):
    book = openpyxl.Workbook()
    for row in ([], ["id", "when", "", 2024], ["007", datetime.datetime(2024, 1, 2), None, 1], [8, None, None, "NA"]):
        book.active.append(row)
    book.create_sheet("second").append(["a", "b"])
    book["second"].append([1, 2])
    book.save(tmp_path / "t.xlsx")
    frame, facts = load_source(str(tmp_path / "t.xlsx"))
    assert facts["sheet"] == "Sheet"
    assert list(frame) == ["id", "when", "2024"]
    assert values(frame[["id", "2024"]]) == [["007", 1.0], ["8", None]]
    assert values(read_source(str(tmp_path / "t.xlsx"), sheet="second")) == [[1, 2]]
    with pytest.raises(DataError, match=r"there is no sheet 'third'.*Sheet, second"):
        read_source(str(tmp_path / "t.xlsx"), sheet="third")


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json"])
def test_json_records(write, name):
    records = [{"a": 1, "b": "00123"}, {"a": 2, "c": {"d": [1]}}]
    lines = json.dumps(records) if name == "t.json" else "\n".join(map(json.dumps, records)) + "\n"
    frame = read_source(write(name, lines))
    assert values(frame) == [[1, "00123", None], [2, None, '{"d": [1]}']]
    assert frame["a"].dtype == "int64"


@pytest.fixture
def database(tmp_path):
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("create table 'my table' (id integer primary key, name text, x real)")
        connection.executemany("insert into 'my table' values (?, ?, ?)", [(2, "b", None), (1, "a", 1.5)])
        connection.execute("create table other (a)")
    return f"sqlite:///{tmp_path}/t.db"


@pytest.mark.parametrize(
    "query", ["my table", "select * from 'my table' where name <> ':x' or name like '%a%' order by id;"]
)
def test_database_table_and_select(database, query):
    frame, facts = load_source(database, query=query)
    assert values(frame) == [[1, "a", 1.5], [2, "b", None]]
    assert facts["query"] == query
    assert values(read_source(f"{database}#my table")) == values(frame)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "has several tables. Name a table .*: my table, other"),
        ("none", "has no table 'none'"),
        ("drop table other", "has no table 'drop table other'"),
        ("select x from other", "the database says: no such column: x"),
    ],
)
def test_database_says_what_is_wrong(database, query, words):
    with pytest.raises(DataError, match=words):
        read_source(database, query=query)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", "", "t.csv: it is empty"),
        ("t.csv", "\n \n", "it is empty"),
        ("t.csv", "a,b\n", "it has a header and no rows"),
        ("t.csv", "a,b", "it has a header and no rows"),
        ("t.csv", "a,b\n1,2\n\n\"x\ny\",3\n4\n", "line 6 has 1 values, the header has 2 names"),
        ("t.csv", "a,b\n1,2,3\n4,5\n", "line 2 has 3 values"),
        ("t.csv", 'a,b\n1,"2\n3,4\n', "the quote before '2.n3,4.n' is never closed"),
        ("t.csv", b"a,b\n\x89PNG\0\1\2\0\5", "it holds binary data, not text"),
        ("t.csv", "ü,b\nä,1\nö,2\n".encode() + b"\xfc,3\n", "line 4 is not in UTF-8"),
        ("t.csv", "<!DOCTYPE html><html>", "it is a web page"),
        ("t.csv.gz", b"a,b\n1,2\n", "its name says .gz, but it is none"),
        ("t.csv.gz", gzip.compress(TABLE.encode())[:-9], "it cannot be unpacked"),
        ("t.zip", zipped(a_csv="a,b\n1,2\n")[:-30], "it cannot be unpacked"),
        ("t.zip", zipped(a_csv="a", b_csv="b"), "this one holds 2: a.csv, b.csv"),
        ("t.xlsx", b"PK\3\4 nothing", "it cannot be read as Excel"),
        ("t.xls", b"\xd0\xcf\x11\xe0", "files of the kind .xls are not read. Save it as .xlsx"),
        ("t.parquet", b"PAR1 nothing", "it cannot be read as Parquet"),
        ("t.jsonl", '{"a": 1}\n{"a": \n', "line 2 is not JSON"),
        ("t.json", "[1, 2]", "record 1 is '1'"),
        ("t.json", "[]", "no rows"),
    ],
    ids=itertools.count(),  # some contents hold the time
)  # fmt: skip
def test_what_cannot_be_read_is_said(write, name, content, words):
    path = write(name, content)
    with pytest.raises(DataError, match=words) as caught:
        read_source(path)
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "`ingest.path` in params.yaml is empty"),
        ("no/such.csv", r"no/such.csv: there is no file /.*no/such.csv"),
        (".", "it is a folder"),
        ("sqlite:///none.db", "there is no file /.*none.db"),
        ("nosql://host/x", "no kind of database or of file has such an address"),
        ("mysql://user@host/x", 'add "pymysql" to `dependencies` in pyproject.toml'),
        ("sftp://user@host/x.csv", 'nothing here can read sftp://; add "paramiko"'),
        ("http://127.0.0.1:9/x.csv", "cannot be fetched"),
    ],
)
def test_what_is_not_there_is_said(path, words):
    with pytest.raises(DataError, match=words):
        read_source(path)


@pytest.mark.parametrize(
    "path",
    [
        "postgresql://me:hunter2@host/db",
        "postgresql://me@host/db?password=hunter2",
        "https://me:hunter2@host/t.csv",
        "s3://key:hunter2@bucket/t.csv",
        "https://me:hun@ter2@host/t.csv",
        "postgresql://me:hun/t#er2@host/db",
    ],
)
def test_password_in_an_address_is_refused_and_not_shown(path):
    with pytest.raises(DataError, match=r"password .* environment variable (DATABASE|HTTP)_PASSWORD") as caught:
        read_source(path)
    assert "er2" not in str(caught.value)


def test_secrets_are_hidden_in_origins():
    address = "https://h/t.csv?id=7&sig=abc&access_token=xyz#part"
    assert mask_addresses("http://host:8000/a@b.csv") == "http://host:8000/a@b.csv"
    assert mask_addresses(address) == "https://h/t.csv?id=7&sig=***&access_token=***#part"


def test_expected_columns_are_those_of_the_schema_step(tmp_path, monkeypatch):
    (write_project(tmp_path) / "params.yaml").write_text("schema: {target: 2024, time_column: ''}\n")
    monkeypatch.chdir(tmp_path)
    assert expected_columns() == ["2024"]
    (tmp_path / "params.yaml").write_text("ingest: {path: ''}\n")
    assert expected_columns() == []


def test_wrong_settings_are_named(write):
    path = write("t.csv", TABLE)
    with pytest.raises(DataError, match=r"`ingest.separator` is 'ab'"):
        read_source(path, separator="ab")
    with pytest.raises(DataError, match=r"`ingest.encoding` is 'klingon'"):
        read_source(path, encoding="klingon")
    with pytest.raises(DataError, match="it is not in ascii"):
        read_source(path, encoding="ascii")


def test_log_grows_by_a_line_for_each_arrival(tmp_path, monkeypatch):
    (write_project(tmp_path) / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    for rows in (1, 2):
        log_arrival("table", {"rows": rows})
    lines = [json.loads(line) for line in (tmp_path / ".local" / "arrivals.jsonl").read_text().splitlines()]
    assert [line["table"] for line in lines] == ["table", "table"]
    assert [line["rows"] for line in lines] == [1, 2]
    assert all(datetime.datetime.fromisoformat(line["time"]).utcoffset() == datetime.timedelta(0) for line in lines)


def test_a_text_file_is_read_where_only_the_readers_of_own_data_are_missing(tmp_path):
    """A project on the flights has no stagebook[sources], but `stagebook outcomes` reads files there."""
    pd.DataFrame({"x": [1]}).to_csv(tmp_path / "t.csv", index=False)
    pd.DataFrame({"x": [1]}).to_excel(tmp_path / "t.xlsx", index=False)
    code = (
        "import sys; sys.modules['openpyxl'] = sys.modules['psycopg'] = None\n"
        "from stagebook.data.reading.sources import load_source\n"
        "from stagebook.project.errors import DataError\n"
        "print(len(load_source('t.csv')[0]))\n"
        "try: load_source('t.xlsx')\n"
        "except DataError as error: print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    first, second = found.stdout.splitlines()
    assert first == "1" and 'add "stagebook[sources]" to pyproject.toml' in second, found.stderr
