"""The feature store of a generated project: serving looks up what training joined, from SQLite and from PostgreSQL."""

import json
import re

import pytest
from baked import script

pytestmark = pytest.mark.slow

ROW = """
import json
import pandas as pd
from flight_delays.features.build import asked_at
from flight_delays.features.registry import VIEWS
flights = pd.read_parquet("data/interim/flights.parquet")
flights = flights[flights["split"] == "holdout"].reset_index(drop=True)
known = pd.read_parquet("data/processed/holdout.parquet").assign(plane_year=flights["plane_year"])
row = flights.index[flights["plane_year"].notna()][5000]
raw = pd.read_parquet("data/raw/flights.parquet")  # has the tail number, too
keys = ["time_hour", "carrier", "flight", "origin"]
[keys] = flights.loc[[row], keys].merge(raw, on=keys).to_dict("records")
print(json.dumps({
    "asked": asked_at(flights, 60)[row].isoformat(),
    "views": {view.name: [str(keys[column]) for column in view.entity] for view in VIEWS},
    "features": {name: float(known[name][row]) for view in VIEWS for name in view.features if name in known},
}))
"""


@pytest.fixture
def store(project):
    yield project
    for file in project.path.glob(".local/features.db*"):
        file.unlink()


def looked_up(project, **env):
    """What training had for a flight, and what the commands give for the same keys and time."""
    row = json.loads(script(project, ROW))
    project.run("stagebook", "features", "--as-of", row["asked"], **env)
    found = {}
    for view, key in row["views"].items():
        words = project.run("stagebook", "look-up", "--at", row["asked"], view, *key, **env)
        shown = dict(re.findall(r"^  (\w+) +(\S+)", words.stdout, re.MULTILINE))
        found |= {name: float(shown[name]) for name in shown if name in row["features"]}
    return row["features"], found


def test_look_up_gives_what_training_had(store):
    trained, found = looked_up(store)
    assert {"weather_age", "departures", "plane_year", "dest_lat", "airport_late_3h"} <= set(trained)
    assert found == pytest.approx(trained, rel=1e-5)
    assert store.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.full
def test_postgresql_serves_the_same(store, postgres):
    trained, found = looked_up(store, FEATURE_STORE_URL=postgres.url)
    assert found == pytest.approx(trained, rel=1e-5)
    assert not (store.path / ".local" / "features.db").exists()


def test_the_newest_data_is_written_and_its_age_told(store):
    output = store.run("stagebook", "features").stdout
    assert re.search(
        r"carrier_recent +1\d rows by carrier; newest known at 2013-0[34]-\d\d .*; owner data science", output
    )
    assert re.search(r"^plane +[\d,]+ rows by tailnum; always known; owner data engineering$", output, re.MULTILINE)
    again = store.run("stagebook", "features").stdout
    assert again == output
    assert "time to live 7 days" in store.run("stagebook", "look-up", "carrier_recent", "AA").stdout
    assert "missing" in store.run("stagebook", "look-up", "carrier_recent", "ZZ").stdout
    assert "It is stale" in store.run("stagebook", "look-up", "carrier_recent", "AA", "--at=now").stdout
    early = store.run("stagebook", "look-up", "carrier_recent", "AA", "--at=2013-01-01").stdout
    assert "It is not yet known" in early


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (["carrier_recent", "AA"], {}, "does not have carrier_recent as it is defined now. `stagebook features`"),
        (["weather", "JFK"], {}, "no feature view 'weather'; there is weather_recent, schedule, destination,"),
        (["carrier_recent"], {}, "carrier_recent is looked up by carrier: one value for each, not 0 values."),
        (["carrier_recent", "AA", "--at=soon"], {}, "soon"),
        (
            ["carrier_recent", "AA"],
            {"FEATURE_STORE_URL": "postgresql://me:s3cret@127.0.0.1:1/x"},
            "127.0.0.1:1/x: connection failed",
        ),
    ],
)
def test_what_cannot_be_looked_up_is_said_in_one_line(store, words, env, said):
    if words[-1] == "--at=soon":
        store.run("stagebook", "features")
    result = store.run("stagebook", "look-up", *words, ok=False, **env)
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert "s3cret" not in result.stderr + result.stdout


def test_features_without_data_say_how_to_get_it(store):
    (store.path / "data" / "raw" / "flights.parquet").unlink()
    result = store.run("stagebook", "features", ok=False)
    assert "flights.parquet is missing. `dvc repro` makes it" in result.stderr
    assert "Traceback" not in result.stderr
