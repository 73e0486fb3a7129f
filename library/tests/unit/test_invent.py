"""Invented rows: like the data column by column, and never a row of it."""

import json

import numpy as np
import pandas as pd
import pytest
from stagebook.automate.invent import ROWS, invent_column, invent_table
from stagebook.data.conform import convert_column
from stagebook.data.schema import Column, Table, write_schema
from stagebook.data.skew.baseline import describe_baseline
from stagebook.project.errors import StepError

RANDOM = np.random.default_rng(1)
FRAME = pd.DataFrame(
    {
        "price": RANDOM.lognormal(3, 1, 5000),
        "rooms": RANDOM.choice([1.0, 2.0, 5.0], 5000, p=[0.7, 0.2, 0.1]),
        "town": RANDOM.choice(["Ürzig", "Oy", None], 5000, p=[0.6, 0.3, 0.1]),
        "sold": pd.to_datetime("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 300, 5000), unit="D"),
        "bought": RANDOM.choice(["yes", "no"], 5000, p=[0.004, 0.996]),
    }
)
COLUMNS = {
    "price": Column("price", "number"),
    "rooms": Column("rooms", "integer"),
    "town": Column("town", "category"),
    "sold": Column("sold", "date"),
    "bought": Column("bought", "category", role="target"),
    "number": Column("number", "category", role="identifier"),
    "closed": Column("closed", "date", role="ignored"),
}


@pytest.fixture
def project(tmp_path):
    kinds = {name: column.kind for name, column in COLUMNS.items() if name in FRAME}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "baseline.json").write_text(json.dumps({"table": describe_baseline(FRAME, kinds)}))
    write_schema({"table": Table("table", COLUMNS)}, {}, tmp_path / "data" / "schema.yaml", "")
    return tmp_path


def test_columns_are_distributed_like_those_of_the_data(project):
    invented = pd.read_csv(invent_table(project, project))
    assert len(invented) == ROWS
    assert list(invented) == list(COLUMNS)
    for share in (0.25, 0.5, 0.75):
        assert invented["price"].quantile(share) == pytest.approx(FRAME["price"].quantile(share), rel=0.15)
    assert invented["price"].between(FRAME["price"].min(), FRAME["price"].max()).all()
    assert set(invented["rooms"]) == {1, 2, 5}
    assert invented["town"].isna().mean() == pytest.approx(0.1, abs=0.04)
    assert invented["town"].value_counts(normalize=True)["Ürzig"] == pytest.approx(2 / 3, abs=0.06)
    assert pd.to_datetime(invented["sold"]).between("2024-01-01", "2024-10-27").all()
    assert (invented["bought"] == "yes").sum() >= 15, "a rare class must be in each split"
    assert invented["number"].is_unique
    assert pd.to_datetime(invented["closed"]).notna().all()


def test_the_same_rows_each_time_and_none_of_the_data(project):
    first = invent_table(project, project).read_bytes()
    assert invent_table(project, project).read_bytes() == first
    merged = pd.read_csv(project / "sample.csv").merge(
        FRAME.assign(price=FRAME["price"].round(6)), on=["price", "town"]
    )
    assert merged.empty


def test_numbers_are_written_with_the_decimal_mark_of_the_schema(project):
    found = json.loads((project / "data" / "baseline.json").read_text())["table"]["columns"]["price"]
    column = Column("price", "number", decimal=",")
    invented = invent_column(column, found, np.random.default_rng(0))
    assert invented.str.contains(",").any() and not invented.str.contains(".", regex=False).any()
    numbers = convert_column(invented, column)
    assert numbers.median() == pytest.approx(FRAME["price"].median(), rel=0.15)


def test_rows_that_somebody_wrote_go_first(project):
    (project / "tests").mkdir()
    (project / "tests" / "sample.csv").write_text("a,b\n1,2\n")
    assert invent_table(project, project).read_text() == "a,b\n1,2\n"


def test_what_cannot_be_invented_is_said(project, tmp_path):
    with pytest.raises(StepError, match="column 'plate', which must match"):
        invent_column(Column("plate", "text", pattern="^[A-Z]{2}-[0-9]+$"), {}, RANDOM)
    (project / "data" / "baseline.json").unlink()
    with pytest.raises(StepError, match="not there yet"):
        invent_table(project, project)
