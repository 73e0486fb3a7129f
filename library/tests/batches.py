"""New rows to score: a project with a small model, a table of rows, and what a run leaves behind."""

import json
import sqlite3
import sys
from pathlib import Path

import pandas as pd
from serving import EXAMPLE, write_service
from stagebook.serve.batch.run import Options, score_rows
from stagebook.serve.package import open_package

KINDS = ["new", "old", "", "unseen"]
ROWS = 23
# Scores new.csv in chunks of five rows, and ends by SIGKILL at a place that the first word names.
KILLED = """
import os, signal, sys
from pathlib import Path
from batches import score
from stagebook.serve.batch import run, table, writer
place, calls = sys.argv[1], []

def kill_at_third(function, before):
    def called(*words, **named):
        calls.append(1)
        if len(calls) == 3 and before:
            os.kill(os.getpid(), signal.SIGKILL)
        done = function(*words, **named)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return called

if place == "while it prepares":
    run.Scorer.score = kill_at_third(run.Scorer.score, True)
if place == "in the transaction":
    table._insert = kill_at_third(table._insert, False)
if place == "before the log":
    writer.record_chunk = kill_at_third(writer.record_chunk, True)
if place == "before the manifest":
    writer.record_chunk = kill_at_third(writer.record_chunk, False)
score(Path.cwd())
"""


def new_rows(rows: int = ROWS) -> pd.DataFrame:
    """Return raw rows as a text file has them."""
    frame = pd.DataFrame([EXAMPLE] * rows)
    return frame.assign(
        id=[f"c{place}" for place in range(rows)],
        price=[f"{1 + place % 900}.{place % 10}00,5" if place else "12,25" for place in range(rows)],
        age=[str(20 + 3 * place % 70) for place in range(rows)],
        kind=[KINDS[place % 4] for place in range(rows)],
        mail=[f"somebody{place}@example.org" for place in range(rows)],
    )


def write_batch(folder: Path, rows: int = ROWS) -> Path:
    """Write a project and new.csv in it."""
    root = write_service(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tiny"]:
        del sys.modules[name]  # of another test's project
    new_rows(rows).to_csv(root / "new.csv", index=False)
    return root


def score(root: Path, path: str = "new.csv", model: str = "models/first", chunk_rows: int = 5, **options) -> dict:
    """Score a table of a project; `large` of the options makes it read a text file piece by piece."""
    how = {"large": options.pop("large")} if "large" in options else {}
    options = {"wait_seconds": 1.0, "chunk_rows": chunk_rows} | options
    package = open_package(root / model, root, "tiny")
    return score_rows(root, path, package, root / "data" / "scored", Options(**options), **how)


def written(root: Path) -> pd.DataFrame:
    """Return what the Parquet files have."""
    return pd.read_parquet(root / "data" / "scored")


def in_table(root: Path) -> dict[str, dict]:
    """Return what the SQL table has: the row of each id."""
    with sqlite3.connect(root / ".local" / "precomputed.db") as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("select * from precomputed").fetchall()
    return {json.loads(row["key"])["id"]: dict(row) for row in rows}


def in_log(root: Path) -> int:
    """Return how many predictions the log has."""
    with sqlite3.connect(root / ".local" / "predictions.db") as connection:
        return connection.execute("select count(*) from predictions").fetchone()[0]
