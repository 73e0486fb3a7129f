"""True values must reach their predictions, whenever they come; a file is stored as a whole or not at all."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa
from logged import log_url, prediction, stored
from stagebook.predictions.log import PredictionLog
from stagebook.predictions.outcome_files import read_outcomes
from stagebook.predictions.outcomes import Outcome, record_outcomes
from stagebook.predictions.retention import delete_old
from stagebook.predictions.store import OUTCOMES, REPLACED, open_log
from stagebook.project.errors import DataError

CLASSES = ["late", "on time"]


@pytest.fixture
def log(tmp_path):
    url = log_url(tmp_path)
    log = PredictionLog(url)
    log.write([prediction("a"), prediction("b", key={"flight": "17"}), prediction("c", key={"flight": "17"})])
    assert log.flush(10)
    yield url
    log.close()


def outcome_of(url, request_id):
    return stored(url).set_index("request_id").loc[request_id, "outcome"]


def test_joined_duplicate_contradictory_and_waiting_are_counted(log):
    given = [Outcome("late", "a"), Outcome("late", key={"flight": "17"}), Outcome("late", "later")]
    first = record_outcomes(log, given, classes=CLASSES)
    assert (first.counts["joined"], first.predictions, first.counts["waiting"]) == (2, 3, 1)
    second = record_outcomes(log, [*given[:2], Outcome("on time", "later")], classes=CLASSES)
    assert (second.counts["duplicate"], second.counts["contradictory"]) == (2, 1)
    assert 'later row 0: "late", now "on time"' in str(second)
    writer = PredictionLog(log)
    writer.write([prediction("later")])
    writer.close()
    assert [outcome_of(log, each) for each in ("a", "b", "c", "later")] == ["late", "late", "late", "on time"]


@pytest.mark.parametrize(("classes", "wrong"), [(CLASSES, "soon"), ([], "x"), ([], True), ([], float("nan"))])
def test_a_wrong_value_is_named_and_nothing_is_stored(log, classes, wrong):
    good = Outcome(classes[0] if classes else 1.5, "a")
    with pytest.raises(DataError, match=r"f\.csv, row 2, column 'y'"):
        record_outcomes(log, [good, Outcome(wrong, "b")], classes=classes, source="f.csv", column="y")
    assert stored(log)["outcome"].isna().all()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_by_key_may_be_loaded_twice(log, tmp_path, kind):
    file = str(tmp_path / f"outcomes.{kind}")
    frame = pd.DataFrame({"flight": [17, 18], "other": ["x", "y"], "delay": ["late", "on time"]})
    frame.to_csv(file, index=False) if kind == "csv" else frame.to_parquet(file)
    for sorts in ({"joined": 1, "waiting": 1}, {"duplicate": 2}):
        found = record_outcomes(log, read_outcomes(file, log, "delay")[0], classes=CLASSES, source=file)
        assert found.counts == {"all": 2} | sorts
    assert outcome_of(log, "c") == "late"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("request_id,other\na,1\nb,2\n", "no column 'delay' or 'value'"),
        ("request_id,row,value\na,x,1\nb,0,2\n", "line 2, column 'row': 'x'"),
        ("other,value\na,1\nb,2\n", "nor the key column 'flight'"),
        ("request_id,value,observed_at\na,1,soon\nb,2,soon\n", "'observed_at': 'soon'"),
    ],
)
def test_a_wrong_file_is_refused_by_column_and_value(log, tmp_path, text, said):
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(DataError, match=said.replace("(", r"\(")):
        read_outcomes(str(tmp_path / "f.csv"), log, "delay")


def test_true_values_that_wait_or_were_replaced_are_deleted_when_they_are_old(log):
    """A key may be asked about for ever: its replaced values must go all the same."""
    old = [Outcome("late", "unknown"), Outcome("late", key={"flight": "18"}), Outcome("late", key={"flight": "17"})]
    record_outcomes(log, [*old, Outcome("late", "a")], classes=CLASSES)
    record_outcomes(log, [Outcome("on time", "unknown"), Outcome("on time", key={"flight": "17"})], classes=CLASSES)
    record_outcomes(log, [Outcome("late", "unknown, new")], classes=CLASSES)
    engine, long_ago = open_log(log), datetime.now(UTC).replace(tzinfo=None) - timedelta(days=30)
    with engine.begin() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(REPLACED)).scalar() == 2
        connection.execute(
            OUTCOMES.update().where(OUTCOMES.c.request_id != "unknown, new").values(received_at=long_ago)
        )
        connection.execute(REPLACED.update().values(received_at=long_ago))
    assert not delete_old(engine, datetime.now(UTC) - timedelta(days=20))
    with engine.connect() as connection:
        left = {(row.request_id, row.key) for row in connection.execute(sa.select(OUTCOMES))}
        assert connection.execute(sa.select(sa.func.count()).select_from(REPLACED)).scalar() == 0
    engine.dispose()
    assert left == {("a", "{}"), ("", '{"flight":"17"}'), ("unknown, new", "{}")}
    assert len(stored(log)) == 3, "predictions are new"


def test_values_by_id_and_by_key_that_differ_are_contradictory_whichever_comes_first(log):
    record_outcomes(log, [Outcome("late", "b")], classes=CLASSES)
    found = record_outcomes(log, [Outcome("on time", key={"flight": "17"})], classes=CLASSES)
    assert (found.counts["contradictory"], found.counts["joined"]) == (1, 0)
    assert '"late" by the id b row 0, "on time" by the key {"flight":"17"}' in str(found)
    assert [outcome_of(log, each) for each in "bc"] == ["late", "on time"], "that by id is used"
    assert record_outcomes(log, [Outcome("late", "c")], classes=CLASSES).counts["contradictory"] == 1
    assert record_outcomes(log, [Outcome("late", "c")], classes=CLASSES).counts["duplicate"] == 1


FILE = """Delays of July,
# exported by the airport

flight,delay
17,late
"18
a",on time
19,soon
Total,3
"""


def test_a_wrong_value_is_named_by_the_line_of_the_file(log, tmp_path):
    file = tmp_path / "f.csv"
    file.write_text(FILE)
    found, skipped = read_outcomes(str(file), log, "delay")
    with pytest.raises(DataError, match=r"f\.csv, line 8, column 'delay': 'soon' is no class"):
        record_outcomes(log, found, classes=CLASSES, source=str(file), column="delay")
    assert skipped == ["line 1: Delays of July", "line 2: # exported by the airport", "line 9: Total | 3"]


def test_a_table_that_is_no_text_is_named_by_its_rows(log, tmp_path):
    file = tmp_path / "f.xlsx"
    frame = pd.DataFrame({"flight": [17, None], "delay": ["late", "late"], "other": ["x", "y"]})
    frame.to_excel(file, index=False)
    with pytest.raises(DataError, match=r"f\.xlsx, row 2, column 'flight' is empty"):
        read_outcomes(str(file), log, "delay")
