"""Raw tables against their schema: bad values, rows without a partner and moved columns are named."""

import pandas as pd
import pytest
from stagebook.data.schema import Column, Table
from stagebook.data.validate import check_join_shares, check_table, describe_table, find_moves, join_shares
from stagebook.project.errors import DataError

COLUMNS = {"seats": {"type": "integer", "missing": False, "min": 1}, "model": {"type": "text", "pattern": "^[A-Z]"}}
PLANES = Table("planes", {name: Column(name, **keys) for name, keys in COLUMNS.items()}, key=["model"])
GOOD = pd.DataFrame({"seats": ["182", "20"], "model": ["A320", None]})


def test_good_table_gets_its_types():
    assert check_table(GOOD, PLANES, "planes.parquet")["seats"].tolist() == [182, 20]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (GOOD.assign(seats=["many", "20"]), "column 'seats': 'many' in row 0"),
        (GOOD.assign(seats=[-5, 20]), "column 'seats': -5 in row 0"),
        (GOOD.assign(model="b320"), "column 'model': 'b320' in row 0"),
        (GOOD.drop(columns="model"), "column 'model' is missing"),
        (GOOD.assign(wings=2), "column 'wings' is not in data/schema.yaml"),
        (GOOD.head(0), "has no rows"),
    ],
)
def test_broken_table_is_named_with_column_and_value(broken, words):
    with pytest.raises(DataError) as error:
        check_table(broken, PLANES, "planes.parquet")
    assert "planes.parquet" in str(error.value) and words in str(error.value)


def test_only_the_first_five_problems_are_listed():
    table = Table("t", {name: Column(name, "integer", min=1) for name in "abcdefg"})
    with pytest.raises(DataError, match=r"(?s)column 'e'.*and 2 more$") as error:
        check_table(pd.DataFrame({name: [0] for name in "abcdefg"}), table, "t.parquet")
    assert len(str(error.value).splitlines()) == 7


def test_rows_without_a_partner_are_counted():
    flights = Table("flights", {"tail": Column("tail", "text")}, joins={"planes": ["tail"]})
    schema = {"flights": flights, "planes": PLANES}
    shares = join_shares({"flights": pd.DataFrame({"tail": ["A320", "?"]}), "planes": GOOD}, schema)
    assert shares == {"planes": 0.5}
    check_join_shares(shares, schema, 0.5)
    with pytest.raises(DataError, match=r"planes\.parquet: only 50\.0% of the flights find their row by tail"):
        check_join_shares(shares, schema, 0.8)


def test_moved_column_is_found():
    now, before = pd.DataFrame({"seats": range(100, 200)}), pd.DataFrame({"seats": range(100)})
    seats = Table("planes", {"seats": Column("seats", "integer")})
    assert not find_moves(before, seats, describe_table(before, seats), {})
    [found, *_] = find_moves(now, seats, describe_table(before, seats), {})
    assert (found["table"], found["column"]) == ("planes", "seats")
