"""Scoring of a whole project, by the commands that a user types, and on PostgreSQL, which goes away meanwhile."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

pytestmark = pytest.mark.slow

NOTEBOOK = "pipelines/scoring/80_score.ipynb"
PARAMETERS = "pipelines/scoring/params.yaml"
LIBRARY = Path(__file__).parents[1] / "library" / "tests"
# Upserts chunks until the file `stop` is there; a thread of the server's administrator ends its connections.
UPSERTS = """
import sys
from datetime import datetime
from pathlib import Path
from stagebook.serve.batch.table import open_table, upsert
engine, chunk = open_table(sys.argv[1]), 0
while not Path("stop").exists():
    upsert(engine, [(f"{chunk}-{row}", "{}", "m", "1", datetime(2024, 1, 1), "r") for row in range(2_000)], 60)
    chunk += 1
print(chunk)
"""


def test_the_champion_scores_the_timetable_and_a_key_is_looked_up(own_copy):
    rows = pd.read_parquet(own_copy.path / "data" / "raw" / "flights.parquet").head(3_000)
    rows.to_csv(own_copy.path / "new.csv", index=False)
    own_copy.edit(PARAMETERS, {'path: ""': "path: new.csv", "chunk_rows: 50000": "chunk_rows: 1000"})
    own_copy.run("stagebook", "run", NOTEBOOK)
    scored = pd.read_parquet(own_copy.path / "data" / "scored")
    assert len(scored) == len(rows) and scored["probability"].between(0, 1).all() and scored["version"].nunique() == 1
    row = scored.iloc[1_234]
    key = [f"{name}={row[name]}" for name in ("time_hour", "carrier", "flight", "origin")]
    found = json.loads(own_copy.run("stagebook", "lookup", *key).stdout)
    assert found["output"] == {"prediction": row["prediction"], "probability": row["probability"]}
    assert found["version"] == row["version"] and own_copy.has_file("reports/80_score.html")
    assert own_copy.run("stagebook", "lookup", *key[:-1], "origin=XXX", ok=False).returncode == 1
    assert own_copy.run("dvc", "status", "dvc.yaml").stdout.strip() == "Data and pipelines are up to date."
    own_copy.run("nbdev-test", "pipelines")
    own_copy.run("stagebook", "check", "wiring")

    columns = rows.rename(columns={"carrier": "airline"})
    columns.to_csv(own_copy.path / "new.csv", index=False)
    failed = own_copy.run("stagebook", "run", NOTEBOOK, ok=False)
    assert "new.csv: column 'carrier' is missing" in failed.stderr
    assert len(pd.read_parquet(own_copy.path / "data" / "scored")) < len(rows)


@pytest.mark.full
def test_scoring_on_postgresql(postgres):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        LIBRARY / "service" / "test_batch_faults.py",
    ]
    environment = os.environ | {"TEST_PRECOMPUTED_URL": postgres.url}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.full
def test_postgresql_that_ends_its_connections_gets_each_chunk_whole_and_once(postgres, tmp_path):
    engine = sa.create_engine(postgres.url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS precomputed"))
    command = [sys.executable, "-c", UPSERTS, postgres.url]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ended, until = 0, time.monotonic() + 60
    while not sa.inspect(engine).has_table("precomputed"):
        assert time.monotonic() < until and process.poll() is None
    terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    terminate += " AND datname = current_database()"
    for pause in (0.2, 0.13, 0.29, 0.41, 0.05, 0.37):
        time.sleep(pause)
        with engine.connect() as connection:
            ended += connection.execute(sa.text(terminate)).scalar()
    threading.Timer(1.0, (tmp_path / "stop").touch).start()
    said, wrong = process.communicate(timeout=120)
    assert process.returncode == 0 and ended >= 3, wrong
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM precomputed")).scalar() == 2_000 * int(said)
