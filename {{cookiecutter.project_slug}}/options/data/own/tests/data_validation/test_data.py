"""The data in this checkout keeps its promises. Skipped until the pipeline (or `dvc pull`) has brought it."""

import json
from itertools import pairwise

import pytest
from stagebook.data.schema import read_schema
from stagebook.data.tables import read_table

SPLITS = ("train", "validation", "holdout")


@pytest.fixture
def load(bring):
    return lambda path: read_table(bring(path)) if path.endswith(".parquet") else json.loads(bring(path).read_text())


@pytest.fixture
def table(root, load):
    load("data/interim/task.json")
    return read_schema(root / "data/schema.yaml")["table"]


@pytest.mark.parametrize("path", ["interim/table", *(f"processed/{split}" for split in SPLITS)])
def test_nothing_personal_or_set_aside_is_left(load, table, path):
    masked = [column.name for column in table.columns.values() if column.pii and column.mask == "drop"]
    assert not {*masked, *table.with_role("ignored")} & set(load(f"data/{path}.parquet"))


def test_splits_have_all_rows_once_and_do_not_overlap_in_time(load, table):
    splits = [load(f"data/processed/{split}.parquet") for split in SPLITS]
    assert sum(map(len, splits)) == len(load("data/interim/table.parquet"))
    for name in table.with_role("time"):
        assert all(earlier[name].max() < later[name].min() for earlier, later in pairwise(splits))


def test_no_group_is_in_two_splits(load, table):
    for name in [] if table.with_role("time") else table.with_role("group"):
        groups = [set(load(f"data/processed/{split}.parquet")[name]) for split in SPLITS]
        assert not set.intersection(*groups[:2]) and not groups[2] & (groups[0] | groups[1])


@pytest.mark.parametrize("split", SPLITS)
def test_target_is_known(load, table, split):
    task = load("data/interim/task.json")
    target = load(f"data/processed/{split}.parquet")[task["target"]]
    assert target.notna().all()
    assert target.nunique() > 1 or (task["task"] == "regression" and split != "train")
