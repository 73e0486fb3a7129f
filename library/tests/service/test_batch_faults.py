"""A scoring run that is interrupted, wherever it is, goes on and ends with what an uninterrupted one writes.

TEST_PRECOMPUTED_URL names an empty PostgreSQL database to be used instead of SQLite (tests/test_scoring.py).
"""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa
from batches import KILLED, ROWS, in_log, new_rows, score, write_batch, written
from stagebook.project.errors import StepError, StoreError
from stagebook.serve.batch.manifest import FILE
from stagebook.serve.batch.table import META, PRECOMPUTED, connect_table, open_table

pytestmark = pytest.mark.slow
OTHER = "TEST_PRECOMPUTED_URL"
# Only a process of its own can have a limit on the size of files.
LIMITED = """
import resource
from pathlib import Path
from batches import score
from stagebook.project.errors import StagebookError
resource.setrlimit(resource.RLIMIT_FSIZE, (int({size}), resource.RLIM_INFINITY))
try:
    score(Path.cwd(), chunk_rows=4_000, wait_seconds=20.0, log_share=0.0)
except StagebookError as error:
    print(error)
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    if url := os.environ.get(OTHER):
        monkeypatch.setenv("PRECOMPUTED_URL", url)
        META.drop_all(open_table(url))
    return write_batch(tmp_path / "tiny")


def python(root, code, *words):
    paths = [Path(__file__).parents[1], *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=root, env=variables, capture_output=True, text=True, check=False
    )


def rows_of(root):
    """Return the outputs in the table by id, and the versions."""
    engine = open_table(connect_table(root))
    if not sa.inspect(engine).has_table("precomputed"):
        return {}
    with engine.connect() as connection:
        found = connection.execute(sa.select(PRECOMPUTED)).mappings().all()
    return {json.loads(row["key"])["id"]: row["output"] for row in found}


def outputs(root):
    return written(root).drop(columns=["predicted_at"])


@pytest.mark.parametrize("place", ["while it prepares", "in the transaction", "before the log", "before the manifest"])
def test_a_run_that_is_killed_goes_on_and_ends_as_one_that_was_not(root, tmp_path, place):
    if os.environ.get(OTHER) and place == "in the transaction":
        place = "before the log"  # PostgreSQL is written by another function
    whole = write_batch(tmp_path / "whole")
    score(whole)
    expected, table = outputs(whole), rows_of(whole)
    if url := os.environ.get(OTHER):
        META.drop_all(open_table(url))
    assert python(root, KILLED, place).returncode == -9
    done = json.loads((root / "data" / "scored" / FILE).read_text())
    assert len(done["chunks"]) == 2 and not done["finished"]
    assert len(rows_of(root)) == (15 if place.startswith("before") else 10)
    assert score(root)["resumed_rows"] == 10
    pd.testing.assert_frame_equal(outputs(root), expected)
    assert rows_of(root) == table and in_log(root) == ROWS
    assert not list((root / "data" / "scored").glob(".partial*"))


def test_two_kills_and_a_complete_run_lose_nothing(root):
    for _ in range(2):
        assert python(root, KILLED, "while it prepares").returncode == -9
    done = score(root)
    assert (done["resumed_rows"], done["rows"], len(rows_of(root)), in_log(root)) == (20, ROWS, ROWS, ROWS)


@pytest.mark.skipif(OTHER in os.environ, reason="about SQLite")
def test_a_locked_database_is_waited_for_or_stops_the_run_between_two_chunks(root, monkeypatch):
    score(root, path="new.csv", log_share=0.0)
    new_rows().assign(age="50").to_csv(root / "new.csv", index=False)
    before = rows_of(root)
    monkeypatch.setattr("stagebook.serve.batch.table.LOCK_SECONDS", 0.1)
    holder = sqlite3.connect(root / ".local" / "precomputed.db", check_same_thread=False, isolation_level=None)
    holder.execute("begin immediate")
    with pytest.raises(
        StoreError, match=r"precomputed.db: database is locked. 0 rows of new.csv are written; the same"
    ):
        score(root, wait_seconds=0.3)
    assert rows_of(root) == before
    threading.Timer(1.0, lambda: holder.execute("rollback")).start()
    began = time.monotonic()
    assert score(root, wait_seconds=30.0)["keys"] == ROWS and time.monotonic() - began > 0.9
    assert rows_of(root) != before


@pytest.mark.skipif(OTHER in os.environ, reason="about SQLite")
def test_a_database_that_cannot_be_opened_is_named_and_the_run_goes_on_elsewhere(root, monkeypatch):
    monkeypatch.setenv("PRECOMPUTED_URL", "sqlite:////no/such/folder/table.db")
    with pytest.raises(StoreError, match=r"/no/such/folder/table.db: unable to open database file"):
        score(root, wait_seconds=0.2)
    monkeypatch.delenv("PRECOMPUTED_URL")
    assert score(root)["keys"] == ROWS
    monkeypatch.setenv("PRECOMPUTED_URL", "postgresql://somebody:s3cret@127.0.0.1:1/nothing")
    with pytest.raises(StoreError) as error:
        score(root, wait_seconds=0.2)
    assert "postgresql" in str(error.value) and "s3cret" not in str(error.value)


@pytest.mark.skipif(OTHER in os.environ, reason="about SQLite")
def test_a_full_disk_stops_the_run_with_whole_chunks_and_it_goes_on(root):
    new_rows(12_000).to_csv(root / "new.csv", index=False)
    said = python(root, LIMITED.format(size=8_000)).stdout
    assert "data/scored/part-00000.parquet cannot be written: File too large" in said and "0 rows of new.csv" in said
    assert not list((root / "data" / "scored").glob("*part*"))
    said = python(root, LIMITED.format(size=1_000_000)).stdout  # enough for Parquet, not for the table
    assert "precomputed.db: " in said and "the same command goes on" in said
    done = json.loads((root / "data" / "scored" / FILE).read_text())["chunks"]
    assert len(rows_of(root)) % 4_000 == 0 and 4_000 * len(done) <= len(rows_of(root)) < 12_000
    assert score(root, chunk_rows=4_000)["rows"] == 12_000
    assert len(rows_of(root)) == len(written(root)) == 12_000


def test_a_log_that_is_away_stops_the_run_and_nothing_is_logged_twice(root, monkeypatch):
    monkeypatch.setenv("PREDICTION_LOG_URL", "sqlite:////no/such/folder/log.db")
    with pytest.raises(StoreError, match=r"/no/such/folder/log.db: unable to open database file. 0 rows"):
        score(root, wait_seconds=0.5)
    monkeypatch.delenv("PREDICTION_LOG_URL")
    assert score(root)["log_rows"] == in_log(root) == ROWS == len(rows_of(root))


def test_a_folder_that_cannot_be_written_is_named(root):
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "scored").write_text("a file")
    with pytest.raises(StepError, match="data/scored cannot be made: File exists"):
        score(root)
