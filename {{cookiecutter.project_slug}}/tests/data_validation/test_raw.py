"""The raw tables in this checkout keep their schema, and move as the report says. Skipped until the pipeline (or `dvc pull`) has brought them."""

import json
from pathlib import Path

import pytest
from stagebook.data.schema import read_schema
from stagebook.data.tables import read_table
from stagebook.data.validate import check_table, find_moves
from stagebook.step.parameters import step_parameters

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = read_schema(ROOT / "data/schema.yaml") if (ROOT / "data/schema.yaml").is_file() else {}


@pytest.mark.parametrize("name", SCHEMA)
def test_raw_table_keeps_its_schema(bring, name):
    path = f"data/raw/{name}.parquet"
    check_table(read_table(bring(path)), SCHEMA[name], path)


@pytest.mark.parametrize("name", SCHEMA)
def test_report_says_how_the_table_has_moved(bring, name):
    report = json.loads(bring("reports/validation.json").read_text(encoding="utf-8"))
    baseline = json.loads(bring("data/baseline.json").read_text(encoding="utf-8"))
    frame = check_table(read_table(bring(f"data/raw/{name}.parquet")), SCHEMA[name], name)
    parameters = step_parameters(ROOT / "params.yaml", "validate")
    limits = {limit: value for limit, value in parameters.items() if limit.startswith("max_")}
    found = find_moves(frame, SCHEMA[name], baseline[name], limits)
    assert [finding for finding in report["findings"] if finding["table"] == name] == found
    assert report["value_skew"] == bool(report["findings"])
