"""The data in this checkout keeps its promises. Skipped until the pipeline (or `dvc pull`) has brought it."""

import json
from itertools import pairwise

import pytest
from stagebook.data.schema import read_schema
from stagebook.data.tables import read_table

from {{ cookiecutter.package_name }}.datasets.clean import KNOWN_AFTERWARDS
from {{ cookiecutter.package_name }}.features.build import LABEL

SPLITS = ("train", "validation", "holdout")


@pytest.fixture
def table(bring):
    return lambda path: read_table(bring(path))


@pytest.mark.parametrize("path", ["interim/flights", *(f"processed/{split}" for split in SPLITS)])
def test_nothing_known_only_afterwards_is_left(table, path):
    assert not set(table(f"data/{path}.parquet")) & set(KNOWN_AFTERWARDS)


@pytest.mark.parametrize("path", ["interim/flights", *(f"processed/{split}" for split in SPLITS)])
def test_no_personal_column_is_left(table, root, path):
    columns = [column for each in read_schema(root / "data/schema.yaml").values() for column in each.columns.values()]
    personal = {column.name for column in columns if column.pii and column.mask == "drop"}
    assert personal
    assert not set(table(f"data/{path}.parquet")) & personal


def test_cleaning_loses_no_flight(table):
    raw, interim = table("data/raw/flights.parquet"), table("data/interim/flights.parquet")
    assert len(interim) == raw["arr_delay"].notna().sum()


def test_task_names_the_label_and_the_keys(table, root):
    holdout = table("data/processed/holdout.parquet")
    task = json.loads((root / "data/interim/task.json").read_text(encoding="utf-8"))
    assert task["task"] == "binary"
    assert {task["target"], *task["keys"]} <= set(holdout)


def test_splits_do_not_overlap_in_time(table):
    days = [table(f"data/processed/{split}.parquet")["date"] for split in SPLITS]
    assert all(earlier.max() < later.min() for earlier, later in pairwise(days))


@pytest.mark.parametrize("split", SPLITS)
def test_label_is_known_and_has_both_classes(table, split):
    assert set(table(f"data/processed/{split}.parquet")[LABEL]) == {0, 1}
