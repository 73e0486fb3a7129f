"""The record of a window: right for usual windows; odd ones give a note, never an error and never a false alarm."""

import dataclasses
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from stagebook.evaluate.costs import Costs
from stagebook.gate.requirements import Requirements
from stagebook.model.task import Task
from stagebook.monitor.measure import MeasureSettings, measure_window
from stagebook.monitor.observed import Observed, Window
from stagebook.monitor.plots import draw_drift, draw_performance, draw_value, drift_table

BINARY = Task("binary", "late", ["no", "yes"])
THREE = Task("multiclass", "kind", ["a", "b", "c"])
VALUE = Task("regression", "delay")
NEEDS = Requirements(costs=Costs(matrix={"no": {"yes": 1.0}, "yes": {"no": 4.0}}), segments=["carrier", "gone"])
PLAIN = Requirements()
TASKS = [BINARY, THREE, VALUE]
START = pd.Timestamp("2013-06-01", tz="UTC")


def make(task, rows, seed=0, *, start=START, days=30, shift=0.0, version="3", flip=False):
    """Return a window of a calibrated model: its predictions are the truth, unless the concept is flipped."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "temp": random.normal(shift, 1, rows).astype("float32"),
            "dist": random.normal(0, 1, rows).astype("float32"),
            "carrier": random.choice(["UA", "B6", "EV"], rows),
        }
    )
    score = 1.5 * table["temp"].to_numpy(float) + 1.5 * table["dist"].to_numpy(float)
    if task.kind == "regression":
        prediction, label = score, score * (-1 if flip else 1) + random.normal(0, 1, rows)
    else:
        exps = np.exp(np.column_stack([np.zeros(rows), score - 1, -2 * score - 1][: len(task.classes)]))
        prediction = exps / exps.sum(axis=1, keepdims=True)
        label = (random.random((rows, 1)) > prediction.cumsum(axis=1)[:, :-1]).sum(axis=1).astype(float)
        label = len(task.classes) - 1 - label if flip else label
        prediction = expit(score - 1) if task.kind == "binary" else prediction
    asked_at = pd.Series(start + pd.to_timedelta(np.sort(random.uniform(0, days, rows)), "D"))
    window = Window(f"{start:%Y-%m}", start, start + pd.Timedelta(days=days))
    facts = np.full(rows, version, dtype=object), np.zeros(rows, bool), np.zeros(rows), np.full(rows, 2.0)
    return Observed(window, table, prediction, label, asked_at, *facts, asked_at + pd.Timedelta(days=1))


def change(observed, **fields):
    return dataclasses.replace(observed, **fields)


def reference(task, rows=2000):
    return {"holdout": make(task, rows, 99, start=pd.Timestamp("2013-03-01", tz="UTC"), days=60)}


def measure(observed, task=BINARY, references=None, needs=PLAIN, **settings):
    references = reference(task) if references is None else references
    record = measure_window(observed, references, task, needs, MeasureSettings(draws=40, **settings))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    return record


def alarms(record):
    """Return what a careful reader would be alarmed by."""
    found = list(record.get("drift", {}).get("moved", []))
    for path in (("performance_drop",), ("estimate_drop",), ("label_shift", "largest")):
        value = record
        for key in path:
            value = value.get(key, {})
        found += [path] if value.get("low", 0) > 0 else []
    found += ["domain"] if record.get("drift", {}).get("domain_auc", {}).get("low", 0) > 0.55 else []
    return found + record.get("concept", {}).get("changes", [])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
@pytest.mark.parametrize("rows", [30, 200, 2000])
def test_a_usual_window_raises_no_alarm(task, rows):
    record = measure(make(task, rows, rows), task, confidence=0.99)
    assert alarms(record) == []
    assert (record["rows"], record["labelled"], record["versions"], record["enough"]) == (rows, rows, {"3": rows}, True)
    assert {"drift", "estimate", "performance", "performance_drop", "value", "calibration", "concept"} <= set(record)
    assert record["system"]["latency_p99_ms"] == 2.0
    assert record["notes"] == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_a_model_whose_concept_is_gone_is_found_once_labels_arrive(task):
    now = make(task, 2000, 1, flip=True)
    record = measure(now, task)
    assert record["performance_drop"]["low"] > 0.1
    assert record["concept"]["changes"][0]["row"] < 200
    assert record["drift"]["moved"] == []
    assert record["estimate_drop"]["low"] < 0.05  # it cannot see this
    before_labels = measure(change(now, label=np.full(2000, np.nan), known_at=pd.Series(pd.NaT, range(2000))), task)
    assert before_labels["missing_outcomes"] == 2000
    assert "no true value has arrived yet" in before_labels["notes"]
    assert "performance" not in before_labels
    assert alarms(before_labels) == []


def test_a_feature_that_moved_is_named():
    record = measure(make(BINARY, 2000, 1, shift=1.5))
    assert record["drift"]["moved"] == ["temp"]
    assert record["drift"]["share"] == pytest.approx(1 / 3, abs=1e-5)
    assert record["drift"]["domain_auc"]["low"] > 0.7
    assert record["drift"]["domain_auc"]["features"][0] == "temp"


def test_a_season_that_a_reference_knows_is_no_drift():
    now, year_ago = (
        make(BINARY, 1000, 1, shift=1.5),
        make(BINARY, 1000, 2, shift=1.5, start=START - pd.Timedelta(365, "D")),
    )
    record = measure(now, references=reference(BINARY) | {"same season": year_ago})
    assert record["drift"]["moved"] == []
    assert record["drift"]["domain_auc"]["low"] < 0.55
    assert record["drift"]["domain_auc"]["reference"] == "same season"


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.kind)
def test_an_empty_window_is_told(task):
    record = measure(make(task, 0), task)
    assert (record["rows"], record["enough"], record["notes"]) == (0, False, ["the window is empty"])
    assert "drift" not in record


def test_too_few_rows_are_told():
    record = measure(make(BINARY, 29))
    assert record["notes"] == ["the window has 29 rows, 30 are needed"]
    assert "drift" not in record


def test_one_class_is_told_and_no_drop():
    now = make(BINARY, 300)
    record = measure(change(now, label=np.zeros(300)))
    assert "one class only: roc_auc may not be told" in record["notes"]
    assert "performance_drop" not in record
    assert "brier" in record["performance"]


def test_constant_and_missing_features_are_no_drift():
    now, before = make(BINARY, 500), make(BINARY, 1000, 1)
    for one in (now, before):
        one.table["temp"], one.table["dist"] = np.float32(1), np.float32(np.nan)
    assert measure(now, references={"holdout": before})["drift"]["moved"] == []


def test_missing_values_and_new_categories_are_counted():
    now = make(BINARY, 500)
    now.table.loc[:99, "temp"] = np.nan
    now.table.loc[:49, "carrier"] = "ZZ"
    drift = measure(now)["drift"]
    assert drift["missing_rise"] == pytest.approx(0.2)
    assert drift["new_category_share"] == pytest.approx(0.1)


def test_late_missing_and_early_outcomes_are_counted():
    now = make(BINARY, 300)
    known_at, label = now.known_at.copy(), now.label.copy()
    known_at[:20] += pd.Timedelta(days=30)
    known_at[20:25] -= pd.Timedelta(days=2)
    label[25:65], known_at[25:65] = np.nan, pd.NaT
    record = measure(change(now, known_at=known_at, label=label))
    assert (record["late_outcomes"], record["missing_outcomes"], record["labelled"]) == (20, 40, 260)
    assert record["clock_skew"] == 5
    assert "5 true values arrived before they were asked for: check the clocks" in record["notes"]


def test_rows_beyond_the_window_and_left_out_ones_are_told():
    now = make(BINARY, 300)
    asked_at = now.asked_at.copy()
    asked_at.iloc[:3] += pd.Timedelta(days=400)
    record = measure(change(now, asked_at=asked_at, left_out={"no inputs": 4}))
    assert "3 rows are not of this window: check the clocks of the services" in record["notes"]
    assert "4 rows are left out: no inputs" in record["notes"]


def test_rows_of_another_version_do_not_count_for_this_one():
    now, bad = make(BINARY, 600, 1), make(BINARY, 600, 2, flip=True, version="4")
    both = change(
        now,
        table=pd.concat([now.table, bad.table], ignore_index=True),
        asked_at=pd.concat([now.asked_at, bad.asked_at], ignore_index=True),
        known_at=pd.concat([now.known_at, bad.known_at], ignore_index=True),
        **{
            name: np.concatenate([getattr(now, name), getattr(bad, name)])
            for name in ("prediction", "label", "version", "control", "control_share", "latency_ms")
        },
    )
    record = measure(both, confidence=0.99)
    assert record["versions"] == {"3": 600, "4": 600}
    assert "600 rows were answered by other versions: they count for drift only" in record["notes"]
    assert alarms(record) == []


def test_no_reference_with_true_values_is_told():
    before = reference(BINARY)["holdout"]
    record = measure(make(BINARY, 300), references={"x": change(before, label=np.full(2000, np.nan))})
    assert "no reference has 30 rows with true values: performance cannot be compared" in record["notes"]
    assert record["drift"]["moved"] == []
    record = measure(make(BINARY, 300), references={})
    assert record["drift"]["features"] == []


def test_a_feature_that_follows_the_time_is_no_drift():
    now, before = make(BINARY, 500), make(BINARY, 1000, 1, start=START - pd.Timedelta(60, "D"))
    for one in (now, before):
        one.table["number"] = one.asked_at.astype("int64").to_numpy() / 1e15
    record = measure(now, references={"holdout": before})
    assert "number only follow the time: not compared" in record["notes"]
    assert record["drift"]["moved"] == []


def test_segments_costs_and_the_control_arm():
    now = make(BINARY, 1000)
    random = np.random.default_rng(0)
    record = measure(change(now, control=random.random(1000) < 0.2, control_share=np.full(1000, 0.2)), needs=NEEDS)
    assert {line["segment"] for line in record["segments"]} == {"carrier = B6", "carrier = EV", "carrier = UA"}
    assert "segments gone: no such feature in the prediction log" in record["notes"]
    assert record["value"]["saved"]["low"] > 0
    assert record["control"]["share"] == pytest.approx(0.2, abs=0.05)
    assert record["control"]["performance"]["roc_auc"] == pytest.approx(
        record["performance"]["roc_auc"]["value"], abs=0.08
    )


def test_the_record_is_the_same_twice():
    one, other = (measure(make(BINARY, 500), needs=NEEDS) for _ in range(2))
    assert one == other


def test_times_that_are_not_known_are_no_error():
    now = make(BINARY, 300)
    nowhere = pd.Series(pd.NaT, index=range(2000)).dt.tz_localize("UTC")
    before = change(
        reference(BINARY)["holdout"], asked_at=nowhere, known_at=nowhere, window=Window("x", pd.NaT, pd.NaT)
    )
    assert alarms(measure(now, references={"holdout": before}, confidence=0.99)) == []


def test_plots_show_what_the_records_say():
    first, odd = measure(make(BINARY, 300)), measure(make(BINARY, 0))
    moved = measure(make(BINARY, 300, shift=2, start=START + pd.Timedelta(30, "D")))
    features, windows, psi, dots = drift_table([first, odd, moved])
    assert (features[0], windows) == ("temp", ["2013-06", "2013-06", "2013-07"])
    assert dots.tolist() == [[False, False, True], [False] * 3, [False] * 3]
    assert np.isnan(psi[:, 1]).all()
    figure = draw_drift([first, odd, moved])
    assert figure.axes[0].get_title() == "1 features moved in the last window"
    axis = draw_performance([first, odd, moved], BINARY).axes[0]
    assert axis.get_legend_handles_labels()[1] == ["reference", "estimated without true values", "true"]
    assert draw_value([first, odd]).axes[0].get_ylabel() == "errors per row"
    for draw in (draw_drift, draw_value, lambda records: draw_performance(records, BINARY)):
        draw([])
        draw([odd])
    plt.close("all")
