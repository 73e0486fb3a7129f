"""True values must reach their predictions, whenever they come; a file is stored as a whole or not at all."""

import pandas as pd
import pytest
from logged import log_url, prediction, stored
from stagebook.predictions.log import PredictionLog
from stagebook.predictions.outcomes import Outcome, read_outcomes, record_outcomes
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
        found = record_outcomes(log, read_outcomes(file, log, "delay"), classes=CLASSES, source=file)
        assert found.counts == {"all": 2} | sorts
    assert outcome_of(log, "c") == "late"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("request_id,other\na,1\nb,2\n", "no column 'delay' or 'value'"),
        ("request_id,row,value\na,x,1\nb,0,2\n", "row 1, column 'row': 'x'"),
        ("other,value\na,1\nb,2\n", "nor the key column 'flight'"),
        ("request_id,value,observed_at\na,1,soon\nb,2,soon\n", "'observed_at': 'soon'"),
    ],
)
def test_a_wrong_file_is_refused_by_column_and_value(log, tmp_path, text, said):
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(DataError, match=said.replace("(", r"\(")):
        read_outcomes(str(tmp_path / "f.csv"), log, "delay")
