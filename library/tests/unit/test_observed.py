"""Windows of a real prediction log as tables, and the history of window records."""

import json
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from stagebook.model.task import Task
from stagebook.monitor.history import append_record, find_window, read_history
from stagebook.monitor.observed import Window, feature_kinds, observe_table, read_observed
from stagebook.predictions.log import Prediction, PredictionLog
from stagebook.predictions.outcomes import Outcome, record_outcomes
from stagebook.predictions.store import open_log, with_outcomes
from stagebook.project.errors import DataError, StoreError

DAY = datetime(2026, 1, 10, tzinfo=UTC)
MONTH = Window("2026-01", pd.Timestamp("2026-01-01", tz="UTC"), pd.Timestamp("2026-02-01", tz="UTC"))
BINARY = Task("binary", "late", ["no", "yes"], keys=["day"], time="day")
KINDS = {"x": "number", "kind": "category"}


def write_log(tmp_path, *predictions):
    url = f"sqlite:///{tmp_path}/log.db"
    log = PredictionLog(url)
    log.write(predictions)
    assert log.flush(10)
    log.close()
    return url


def logged(name, features=None, **values):
    given = {"asked_at": DAY, "model": "m", "version": "1", "key": {}, "inputs": {}, "latency_ms": 2.0}
    given |= {"output": {"probability": 0.25, "prediction": "no"}}
    given |= {"features": {"x": 1.5, "kind": "a"} if features is None else features}
    return Prediction(name, 0, **(given | values))


def test_a_window_of_the_log_becomes_the_models_table_with_labels_by_number(tmp_path):
    url = write_log(
        tmp_path,
        logged("first", version="3", control=True, control_share=0.1),
        logged("second", {"x": None, "kind": None}, asked_at=DAY + timedelta(days=1)),
        logged("later", asked_at=DAY + timedelta(days=40)),
    )
    record_outcomes(url, [Outcome("yes", "first", received_at=DAY + timedelta(days=2))])
    seen = read_observed(url, MONTH, BINARY, KINDS)
    assert seen.table["x"].dtype == np.float32
    assert seen.table["x"].isna().tolist() == [False, True]
    assert seen.table["kind"].tolist() == ["a", ""]
    assert seen.prediction.tolist() == [0.25, 0.25]
    assert seen.label[0] == 1 and np.isnan(seen.label[1])
    assert seen.version.tolist() == ["3", "1"] and seen.control.tolist() == [True, False]
    assert seen.control_share.tolist() == [0.1, 0.0] and seen.latency_ms.tolist() == [2.0, 2.0]
    assert seen.known_at[0] == pd.Timestamp("2026-01-12", tz="UTC") and seen.known_at.isna()[1]
    assert seen.left_out == {}


def test_a_true_value_that_arrived_after_the_given_time_is_not_known_yet(tmp_path):
    url = write_log(tmp_path, logged("first"), logged("second"))
    record_outcomes(url, [Outcome("yes", "first", received_at=DAY + timedelta(days=2))])
    record_outcomes(url, [Outcome("no", "second", received_at=DAY + timedelta(days=9))])
    seen = read_observed(url, MONTH, BINARY, KINDS, known_until=DAY + timedelta(days=5))
    assert [label for label in seen.label if not np.isnan(label)] == [1.0]
    assert seen.known_at.isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("task", "output", "expected"),
    [
        (Task("multiclass", "y", ["a", "b", "c"]), {f"probability_{name}": 0.1 for name in "abc"}, [[0.1, 0.1, 0.1]]),
        (Task("regression", "y"), {"prediction": 7.5, "lower": 1, "upper": 9}, [7.5]),
    ],
)
def test_predictions_have_the_shape_that_the_task_asks_for(tmp_path, task, output, expected):
    seen = read_observed(write_log(tmp_path, logged("one", output=output)), MONTH, task, KINDS)
    assert seen.prediction.tolist() == expected


def test_rows_without_features_or_of_another_task_are_counted_and_left_out(tmp_path):
    url = write_log(tmp_path, logged("good"), logged("old", {}), logged("number", output={"prediction": 3.0}))
    seen = read_observed(url, MONTH, BINARY, KINDS)
    assert len(seen.table) == len(seen.label) == len(seen.known_at) == 1
    assert list(seen.left_out.values()) == [2]


def test_an_empty_window_is_an_empty_table_with_all_columns(tmp_path):
    for url in (write_log(tmp_path), f"sqlite:///{tmp_path}/never_written.db"):
        seen = read_observed(url, MONTH, BINARY, KINDS)
        assert list(seen.table) == list(KINDS) and len(seen.table) == len(seen.prediction) == len(seen.label) == 0


def test_a_log_that_is_away_and_a_class_that_is_none_are_named(tmp_path):
    with pytest.raises(StoreError, match="Prediction log"):
        read_observed(f"sqlite:///{tmp_path}/no/folder/log.db", MONTH, BINARY, KINDS)
    url = write_log(tmp_path, logged("one"))
    record_outcomes(url, [Outcome("perhaps", "one")])
    with pytest.raises(DataError, match=r"'perhaps' is no class of the task; it must be one of no, yes"):
        read_observed(url, MONTH, BINARY, KINDS)


def test_a_processed_table_becomes_a_reference_with_predictions():
    days = pd.to_datetime(["2026-01-01", "2026-01-03"])
    table = pd.DataFrame({"x": np.float32([1, 2]), "kind": ["a", "b"], "day": days, "late": [0, 1]})
    assert feature_kinds(table, BINARY) == KINDS
    seen = observe_table(table, BINARY, lambda rows: rows["x"].to_numpy() / 4, name="holdout", version="7")
    assert list(seen.table) == ["x", "kind"] and seen.prediction.tolist() == [0.25, 0.5]
    assert seen.label.tolist() == [0, 1] and set(seen.version) == {"7"}
    assert seen.window.since == pd.Timestamp("2026-01-01", tz="UTC") < seen.asked_at[1] < seen.window.until


def record(name, since, **values):
    return {"window": {"name": name, "since": since, "until": since}, **values}


def test_a_window_that_is_measured_again_replaces_its_record_and_the_oldest_is_first(tmp_path):
    file = tmp_path / "reports" / "history.json"
    append_record(file, record("second", "2026-02-01", rows=1))
    append_record(file, record("first", "2026-01-01", rows=2))
    history = append_record(file, record("second", "2026-02-01", rows=3))
    assert [(one["window"]["name"], one["rows"]) for one in history] == [("first", 2), ("second", 3)]
    assert read_history(file) == history and find_window(history, "second")["rows"] == 3
    assert find_window(history, "third") is None and read_history(tmp_path / "none.json") == []


def test_two_monitors_at_once_lose_no_window(tmp_path):
    file = tmp_path / "history.json"
    threads = [threading.Thread(target=append_record, args=(file, record(f"{n}", f"{n:03}"))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_history(file)) == 20


def test_a_history_that_is_none_is_named_with_the_fix(tmp_path):
    for text in ("[", "{}", json.dumps({"windows": [{"name": "no window"}]})):
        (tmp_path / "history.json").write_text(text)
        with pytest.raises(DataError, match=r"history\.json is no history of windows .*Delete it"):
            read_history(tmp_path / "history.json")


def test_predictions_without_a_key_are_joined_by_the_whole_primary_key_or_a_month_takes_minutes(tmp_path):
    url = write_log(tmp_path, logged("one"))
    with open_log(url).connect() as connection:
        query = str(with_outcomes().compile(connection, compile_kwargs={"literal_binds": True}))
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    [found] = [line for line in plan if "by_key" in line]
    assert "request_id=? AND row=? AND key_hash=?" in found
