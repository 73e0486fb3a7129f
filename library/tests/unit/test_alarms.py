"""What a colleague reads of an alarm: each of the five things is there, with the right numbers, for any name."""

import json
from datetime import timedelta

import pytest
from records import WHY, record, settings, week
from stagebook.monitor.alarms import describe_alarm, describe_verdict, find_links, title_of
from stagebook.monitor.triggers import decide

SETTINGS = settings()
LINKS = [("report", "reports/90_monitor.html"), ("MLflow run", "sqlite:///x abc")]


def costs(number, drop, cost, rows=1000):
    value = {"currency": "USD", "per": "flight", "no_model": 90.0, "cost": {"value": cost, "low": cost, "high": cost}}
    return record(number, drop, rows=rows, value=value)


def read(history, given=SETTINGS, **more):
    now = week(len(history)) + timedelta(hours=1)
    verdict = decide(history, given, now, **more)
    return [describe_alarm(alarm, history, given, verdict, now, LINKS) for alarm in verdict.alarms]


def test_an_alarm_says_what_since_when_cost_next_and_where():
    [text] = read([costs(0, 0.0, 70), costs(1, 0.0, 72), costs(2, 0.2, 90), costs(3, 0.3, 92, rows=3000)])
    what, since, cost, following, where, table = text.split("\n\n")
    assert "is 29.0% worse than on the reference (relative change) in window `week 3`" in what
    assert (
        "(interval 29.0% to 31.0%, the end nearest to the threshold counts). Threshold: at most 0.05. Why it is there: because"
        in what
    )
    assert since == (
        "**Since when.** Window `week 2`, which began on 2024-01-15. 2 of the last windows are beyond the threshold."
    )
    # (90 * 1000 + 92 * 3000) / 4000 = 91.5 now, 71 before: 20.5 a row, 4,000 rows
    assert "82,000 USD more than before, for 4,000 predictions: 91.5 instead of 71 USD per flight" in cost
    assert following.startswith("**What to do next.** A training is due: the workflow Monitor starts it")
    assert following.endswith("Owner of the threshold: data scientist.")
    assert where == "**Where to look.** report: reports/90_monitor.html; MLflow run: sqlite:///x abc"
    assert table.splitlines()[2:] == [
        "| `week 0` | -0.01 |",
        "| `week 1` | -0.01 |",
        "| `week 2` | 0.19 |",
        "| `week 3` | 0.29 |",
    ]


def test_a_cost_that_is_not_known_is_not_made_up():
    [unknown] = read([record(0), record(1, 0.2), record(2, 0.2)])
    assert "**What it costs.** Not known yet: no true values of these windows" in unknown
    [first] = read([costs(0, 0.2, 80), costs(1, 0.2, 80)])
    assert "Decisions cost 80 USD per flight; without a model they would cost 90. No earlier window tells" in first


def test_what_to_do_next_depends_on_what_moved_and_on_what_holds_a_training_back():
    broken = [record(number, drift={"missing_rise": 0.5, "moved": ["wind"]}) for number in range(2)]
    [text] = read(broken)
    assert (
        "Values are missing in 50.0% more of the rows of a feature than in every reference in window `week 1`" in text
    )
    assert "Do not train again before it is repaired: the model would learn the fault." in text
    worse = [record(number, 0.2) for number in range(2)]
    [held] = read(worse, retrained=[week(1)])
    assert "Wait, or train now with `stagebook retrain`. No training is started: cool-down until 2024-01-28" in held
    [moved] = read([record(number, share=0.5) for number in range(2)])
    assert "a change in the world, or a fault of a source?" in moved
    slow = settings(thresholds={"slow": {"metric": "system.latency_p99_ms", "at_most": 5, **WHY}})
    [text] = read([record(number, system={"latency_p99_ms": 9.5}) for number in range(2)], slow)
    assert "One answer in a hundred takes 9.5 ms or longer in window `week 1`" in text
    assert "Look at the service: the Grafana dashboard" in text


def test_features_that_moved_are_named_the_largest_effect_first_and_hostile_names_stay_text():
    hostile = "<img src=x onerror=alert(1)>|`x`"
    names = ["calm", hostile, "wild", *"abcd"]
    effects = dict.fromkeys(names, 0.15) | {"wild": 2.0, "calm": 0.1, hostile: 0.5}
    features = [
        {"feature": name, "reference": one, "psi": effects[name] + 0.1 * (one == "holdout")}
        for name in names
        for one in ("training", "holdout")
    ]
    drift = {"share": 0.5, "moved": names, "features": features}
    history = [record(number, drift=drift) for number in range(2)]
    history[1]["window"]["name"] = history[0]["window"]["name"] + "|<b>"
    [text] = read(history)
    assert "`wild` (PSI 2.00), <code>&#60;img" in text
    assert " and 2 more in" not in text
    assert "(PSI 0.15) and 2 more" in text
    assert "<img" not in text
    assert "<b>" not in text
    assert all(line.count(" | ") == 1 for line in text.split("\n\n")[-1].splitlines())


def test_the_estimate_says_what_it_assumes():
    given = settings(thresholds={"expected": {"metric": "estimate_drop", "at_most": 0.05, **WHY}})
    history = [record(number, None, estimate_drop={"value": 0.2, "low": 0.1, "high": 0.3}) for number in range(2)]
    [text] = read(history, given)
    assert "is expected to be 10.0% worse" in text
    assert (
        "estimated without true values. It assumes that the same features still mean the same label (no concept drift)."
        in text
    )


def test_the_verdict_tells_what_holds_it_back_and_what_it_cannot_tell():
    worse = [record(number, 0.2) for number in range(2)]
    now = week(2)
    verdict = decide(worse, SETTINGS, now, retrained=[week(1)])
    text = describe_verdict(verdict, worse, SETTINGS, now)
    assert text.startswith("## Monitoring of window week 1: fine\n\nTriggers that fire: decayed, train\\_again. ")
    assert "No training is started: cool-down until" in text
    assert title_of(verdict.alarms[0]) == "Monitoring: worse (performance_drop above 0.05)"
    empty = decide([], SETTINGS, now)
    assert (
        describe_verdict(empty, [], SETTINGS, now)
        == "## Monitoring: cannot tell\n\n- no window has been measured yet\n"
    )


def test_links_lead_to_report_run_model_and_data_without_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:s3cret@mlflow.example.com")
    assert find_links(tmp_path) == []
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "90_monitor.html").write_text("x")
    found = {"model": "flights", "version": 3, "run": "abc123"}
    (tmp_path / "reports" / "registration.json").write_text(json.dumps(found))
    outs = [{"path": "data/processed/train.parquet", "md5": "0123"}, {"path": "data/raw/x.parquet", "md5": "45"}]
    (tmp_path / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": {"features": {"outs": outs}, "x": {}}}))
    assert find_links(tmp_path, "https://ci/run/1") == [
        ("run of CI", "https://ci/run/1"),
        ("report", "reports/90_monitor.html"),
        ("MLflow run", "https://me:***@mlflow.example.com abc123"),
        ("model", "flights version 3"),
        ("md5 of data/processed/train.parquet", "0123"),
    ]


@pytest.mark.parametrize("state", ["", "{}", "stages:\n"])
def test_a_lock_file_without_stages_has_no_hashes(tmp_path, state):
    (tmp_path / "dvc.lock").write_text(state)
    assert find_links(tmp_path) == []
