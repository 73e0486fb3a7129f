"""The gate is closed by default: each bad model is refused for exactly its own reason, and a good one is not."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stagebook.evaluate.holdout import evaluate_models
from stagebook.gate.check import check_evidence, decide, refused, without_timings
from stagebook.gate.duties import find_empty_texts
from stagebook.gate.evidence import Evidence, collect_evidence, find_differences
from stagebook.gate.measure import measure_evidence
from stagebook.gate.metrics import METRICS, find_metric
from stagebook.gate.requirements import Requirements
from stagebook.gate.thresholds import Gate
from stagebook.model.task import Task
from stagebook.registry.verdict import print_verdict


def make_gate(name, metric, threshold, at_most=True, **more):
    return Gate(name, metric, threshold, at_most, "data scientist", "because", **more)


REQUIREMENTS = Requirements(
    use={},
    data={},
    risk={"category": "minimal", "reason": "no persons", "transparency": "", "human_oversight": "", "logging": False},
    costs={"currency": "EUR", "per": "row", "matrix": {"too_high": 1.0}, "reasons": {"too high": "waste"}},
    segments=["origin"],
    sensitive=["sex"],
    gates=[
        *(make_gate(f"beats_{rival}", f"gain.{rival}", 0.01, at_most=False) for rival in ("trivial", "baseline")),
        make_gate("beats_champion", "gain.champion", 0.002, at_most=False),
        make_gate("worst_segment", "inspection.worst_segment_ratio", 1.5),
        make_gate("segment_against_champion", "segments_rise.champion", 0.1),
        make_gate("calibration", "metrics.candidate.ece", 0.05, kinds=("binary", "multiclass")),
        make_gate("coverage", "metrics.candidate.coverage", 0.8, at_most=False, kinds=("regression",)),
        make_gate("saves", "saving.no model", 0, at_most=False),
        make_gate("fairness", "inspection.fairness_difference", 0.1),
        make_gate("behaviour", "inspection.behaviour.failed", 0),
        make_gate("parity", "metrics.parity.candidate", 0.0001),
        make_gate("latency", "timings.one_row_ms", 50),
        make_gate("size", "size_mb", 50),
        make_gate("risk", "risk.duties", 0),
        make_gate("documentation", "card.missing", 0),
    ],
    requirements={},
)
DOCS = Path(__file__).resolve().parents[2] / "stagebook" / "docs"
BINARY, VALUES = Task("binary", "late", ["no", "yes"]), Task("regression", "minutes")
GOOD = Evidence(
    task=BINARY,
    candidate={"roc_auc": 0.75, "ece": 0.011, "coverage": 0.91},
    rivals={"trivial": 0.5, "baseline": 0.614, "champion": 0.746},
    cost={"no model": 129.15, "baseline": 120.5, "candidate": 100.8},
    parity=1.2e-7,
    segments={"origin = JFK": 1.2, "origin = LGA": 0.9},
    segment_rise=0.02,
    fairness={"sex": 0.04, "age": 0.01},
    behaviour_tests=5,
    failed_tests=[],
    timings={"one_row_ms": 0.8},
    size_mb=0.5,
    package_format="onnx",
    missing=[],
    differences=[],
)


def reasons(evidence, requirements=REQUIREMENTS):
    return refused(check_evidence(requirements, evidence))


def point(name, evidence, requirements=REQUIREMENTS):
    [found] = [point for point in check_evidence(requirements, evidence) if point.gate == name]
    return found


def rivals(**changed):
    return {"rivals": GOOD.rivals | changed}


def candidate(**changed):
    return {"candidate": GOOD.candidate | changed}


def test_a_good_model_passes_every_point():
    points = check_evidence(REQUIREMENTS, GOOD)
    assert refused(points) == [] and all(point.passed for point in points)
    assert [point.gate for point in points][:2] == ["evidence", "beats_trivial"]
    assert point("calibration", GOOD).message == "calibration error 0.011 is within 0.05"
    assert point("calibration", GOOD).threshold == "at most 0.05"
    assert point("saves", GOOD).message == "saving against deciding without a model 28.35 is at least 0"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (rivals(trivial=0.749), "gain over the trivial model 0.001 is below 0.01, the least allowed"),
        (rivals(baseline=0.78), "gain over the baseline -0.03 is below 0.01, the least allowed"),
        (rivals(champion=0.7481), "gain over the champion 0.0019 is below 0.002, the least allowed"),
        (
            {"segments": {"origin = JFK": 1.72, "origin = LGA": 0.9}},
            "loss of the worst named segment by the loss of all rows 1.72 (origin = JFK) is above 1.5, the most allowed",
        ),
        (
            {"segment_rise": 0.3},
            "largest rise of a segment's loss against the champion 0.3 is above 0.1, the most allowed",
        ),
        (candidate(ece=0.081), "calibration error 0.081 is above 0.05, the most allowed"),
        (
            {"cost": GOOD.cost | {"no model": 90}},
            "saving against deciding without a model -10.8 is below 0, the least allowed",
        ),
        (
            {"fairness": {"sex": 0.2, "age": 0.01}},
            "largest difference between groups 0.2 (sex) is above 0.1, the most allowed",
        ),
        ({"failed_tests": ["evening", "storm"]}, "behavioural tests that fail: evening; storm"),
        ({"parity": 0.02}, "difference between package and trained model 0.02 is above 0.0001, the most allowed"),
        ({"timings": {"one_row_ms": 81.5}}, "time for one row 81.5 ms is above 50 ms, the most allowed"),
        ({"size_mb": 200}, "size of the package 200 MB is above 50 MB, the most allowed"),
        ({"missing": ["use.limits is empty"]}, "model card and data sheet are half-filled: use.limits is empty"),
        (
            {"differences": ["candidate.roc_auc is 0.99, the model reaches 0.753"]},
            "reports/metrics.json does not match the model on the hold-out: candidate.roc_auc is 0.99, the model reaches 0.753",
        ),
        ({"differences": None}, "reports/metrics.json was not compared with the model"),
    ],
)
def test_a_bad_model_is_refused_for_exactly_its_reason(changed, reason):
    assert reasons(replace(GOOD, **changed)) == [reason]


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("gain.trivial", rivals(trivial=None)),
        ("gain.baseline", {"rivals": {"trivial": 0.5, "champion": 0.746}}),
        ("gain.champion", rivals(champion=None)),
        ("inspection.worst_segment_ratio", {"segments": {}}),
        ("segments_rise.champion", {"segment_rise": None}),
        ("metrics.candidate.ece", {"candidate": {"roc_auc": 0.75}}),
        ("metrics.candidate.ece", candidate(ece=None)),
        ("saving.no model", {"cost": {}}),
        ("saving.no model", {"cost": GOOD.cost | {"no model": None}}),
        ("inspection.fairness_difference", {"fairness": {}}),
        ("inspection.behaviour.failed", {"behaviour_tests": None, "failed_tests": None}),
        ("metrics.parity.candidate", {"parity": None}),
        ("timings.one_row_ms", {"timings": {}}),
        ("size_mb", {"size_mb": None}),
        ("card.missing", {"missing": None}),
    ],
)
def test_a_metric_that_is_not_there_refuses(path, changed):
    assert reasons(replace(GOOD, **changed)) == [f"no metric, no promotion: {path} is missing"]


def test_every_metric_of_the_file_is_tested_above():
    assert {gate.metric for gate in REQUIREMENTS.gates} <= {*METRICS}
    with pytest.raises(
        ValueError, match=r"'gain.chmpion' is not known; did you mean 'gain.champion'\? Known are gain.t"
    ):
        find_metric("gain.chmpion")
    documented = re.findall(r"`([\w. ]+)`", (DOCS / "quality_gates.md").read_text(encoding="utf-8"))
    assert {*METRICS} <= {*documented}
    own = make_gate("top", "metrics.candidate.precision_of_top_tenth", 0.4, at_most=False)
    mine = replace(REQUIREMENTS, gates=[*REQUIREMENTS.gates, own])
    assert reasons(GOOD, mine) == ["no metric, no promotion: metrics.candidate.precision_of_top_tenth is missing"]
    good = replace(GOOD, **candidate(precision_of_top_tenth=0.5))
    assert point("top", good, mine).message == "metrics.candidate.precision_of_top_tenth 0.5 is at least 0.4"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "0.01", True, np.float64("nan"), {}])
@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("metrics.candidate.ece", lambda value: candidate(ece=value)),
        ("size_mb", lambda value: {"size_mb": value}),
        ("timings.one_row_ms", lambda value: {"timings": {"one_row_ms": value}}),
    ],
)
def test_what_is_no_finite_number_refuses(path, change, value):
    [reason] = reasons(replace(GOOD, **change(value)))
    assert reason.startswith(f"no metric, no promotion: {path} is ") and reason.endswith(", no finite number")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5"])
def test_a_rival_or_a_cost_that_is_not_finite_refuses(value):
    assert len(reasons(replace(GOOD, **rivals(baseline=value)))) == 1
    assert len(reasons(replace(GOOD, cost=GOOD.cost | {"candidate": value}))) == 1


@pytest.mark.parametrize("reports", [({}, {}, {}), ({"candidate": None}, {"segments": None}, {"worst": None})])
def test_without_metrics_everything_but_the_risk_refuses(reports):
    points = check_evidence(REQUIREMENTS, collect_evidence(BINARY, *reports).against(None, None))
    assert {point.gate for point in points if point.passed} == {"risk"}
    assert all(point.value is None for point in points if not point.passed)


def test_the_threshold_itself_passes_also_when_floats_are_a_hair_off():
    assert reasons(replace(GOOD, candidate=GOOD.candidate | {"roc_auc": 0.755}, **rivals(champion=0.753))) == []
    assert reasons(replace(GOOD, **candidate(ece=0.05))) == []


def test_numpy_numbers_are_metrics_and_can_be_written_down():
    found = point("calibration", replace(GOOD, **candidate(ece=np.float32(0.0112345678))))
    assert found.passed and json.dumps(asdict(found)) and found.value == 0.0112346


def test_a_gate_for_another_task_is_left_out():
    value = replace(GOOD, task=VALUES, candidate={"r2": 0.75, "coverage": 0.91})
    names = {one.task.kind: {p.gate for p in check_evidence(REQUIREMENTS, one)} for one in (GOOD, value)}
    assert names["binary"] - names["regression"] == {"calibration"}
    assert names["regression"] - names["binary"] == {"coverage"}
    assert reasons(replace(value, candidate={"r2": 0.75, "coverage": 0.7})) == [
        "share of rows inside their interval 0.7 is below 0.8, the least allowed"
    ]


def test_less_is_better_where_the_metric_is_a_loss():
    task = Task("multiclass", "part", ["a", "b", "c"])
    loss = replace(GOOD, task=task, candidate={"log_loss": 0.5, "ece": 0.01})
    worse = replace(loss, rivals={"trivial": 1.1, "baseline": 0.6, "champion": 0.4})
    assert reasons(worse) == ["gain over the champion -0.1 is below 0.002, the least allowed"]
    decision = decide(REQUIREMENTS, worse)
    assert (decision["metric"], decision["candidate"], decision["rivals"]) == ("log_loss", 0.5, worse.rivals)
    assert decision["refused"] == reasons(worse)


def test_a_first_version_is_not_held_against_a_champion_but_against_all_else():
    lost = replace(GOOD, **rivals(champion=None), segment_rise=None)
    assert len(reasons(lost)) == 2, "there is a champion, but it was not measured"
    first = replace(lost, rivals={"trivial": 0.5, "baseline": 0.614})
    assert reasons(first) == []
    found = point("beats_champion", first)
    assert found.passed and found.message == "not asked: a first version, there is no champion to compare with"


def test_fairness_is_asked_if_a_column_is_named_or_the_risk_is_high():
    none = replace(GOOD, fairness={})
    unnamed = replace(REQUIREMENTS, sensitive=[])
    assert reasons(none, unnamed) == []
    assert reasons(none) == ["no metric, no promotion: inspection.fairness_difference is missing"]
    high = replace(unnamed, risk=replace(REQUIREMENTS.risk, category="high"))
    assert "no metric, no promotion: inspection.fairness_difference is missing" in reasons(none, high)


def test_segments_are_not_asked_for_if_none_is_named():
    none = replace(GOOD, segments={})
    assert reasons(none, replace(REQUIREMENTS, segments=[])) == []
    assert len(reasons(none)) == 1


def test_parity_is_not_asked_of_skops():
    none = replace(GOOD, parity=None)
    assert reasons(replace(none, package_format="skops")) == []
    assert "skops" in point("parity", replace(none, package_format="skops")).message
    assert len(reasons(none)) == 1


def test_high_risk_without_a_note_is_refused():
    high = {"category": "high", "reason": "loans", "transparency": "said", "human_oversight": "", "logging": True}
    [reason] = reasons(GOOD, replace(REQUIREMENTS, risk=high))
    assert reason.startswith("open duties of the category of risk: risk.human_oversight is empty")


def test_unacceptable_risk_is_refused_however_good_the_metrics():
    risk = replace(REQUIREMENTS.risk, category="unacceptable")
    assert "forbidden" in reasons(GOOD, replace(REQUIREMENTS, risk=risk))[0]


def test_what_is_written_down_has_no_measured_time():
    def written(milliseconds):
        points = without_timings(check_evidence(REQUIREMENTS, replace(GOOD, timings={"one_row_ms": milliseconds})))
        return json.dumps([asdict(point) for point in points])

    assert written(0.81) == written(0.97) != written(81.5)
    assert "0.81" not in written(0.81) and "81.5" not in written(81.5)
    slow = without_timings(check_evidence(REQUIREMENTS, replace(GOOD, timings={"one_row_ms": 81.5})))
    assert refused(slow) == ["time for one row is not at most 50 ms"]


def test_a_time_that_was_not_measured_stays_a_refusal():
    points = without_timings(check_evidence(REQUIREMENTS, replace(GOOD, timings={})))
    assert refused(points) == ["no metric, no promotion: timings.one_row_ms is missing"]


def write_report(root, evidence=GOOD, **changes):
    points = check_evidence(REQUIREMENTS, evidence)
    report = {"model": "m", "version": 1, "refused": refused(points), "points": [asdict(p) for p in points]} | changes
    (root / "reports").mkdir(exist_ok=True)
    (root / "reports" / "registration.json").write_text(json.dumps(report), encoding="utf-8")


def test_a_refused_model_fails_the_command_with_its_reason(tmp_path, capsys):
    write_report(tmp_path, replace(GOOD, size_mb=200))
    assert print_verdict(tmp_path) == 1
    said = capsys.readouterr().out
    assert re.search(r"REFUSED  size +size of the package 200 MB is above 50 MB", said)


@pytest.mark.parametrize("text", [None, "", "{}", '{"points": [], "refused": []}', "[]"])
def test_no_verdict_is_no_promotion(tmp_path, text, capsys):
    (tmp_path / "reports").mkdir()
    if text is not None:
        (tmp_path / "reports" / "registration.json").write_text(text, encoding="utf-8")
    assert print_verdict(tmp_path) == 1
    assert "REFUSED" in capsys.readouterr().out


def test_a_point_that_is_refused_counts_even_if_the_list_of_refusals_was_emptied(tmp_path, capsys):
    write_report(tmp_path, replace(GOOD, size_mb=200), refused=[])
    assert print_verdict(tmp_path) == 1
    assert "m version 1: refused" in capsys.readouterr().out


def test_what_errors_cost_and_how_it_must_behave_is_not_asked_where_nobody_said_it():
    silent = replace(REQUIREMENTS, costs={"currency": "", "per": "row", "matrix": {}, "reasons": {}})
    said = {point.metric: point.message for point in check_evidence(silent, replace(GOOD, behaviour_tests=0))}
    assert said["saving.no model"] == "not asked: docs/requirements.yaml has no costs of errors"
    assert said["inspection.behaviour.failed"] == "not asked: docs/behaviour.yaml has no tests"
    assert "costs.matrix" in find_empty_texts(silent), "the card is then half-filled, which keeps the gate closed"


LABEL = np.array([0, 1] * 50)
HOLDOUT = pd.DataFrame({"origin": ["JFK", "LGA"] * 25 + ["LGA", "JFK"] * 25, "late": LABEL})
PREDICTIONS = {"baseline": np.full(100, 0.5) + LABEL * 0.1, "candidate": np.clip(LABEL * 0.8 + 0.1, 0, 1)}


def measure(**changed):
    """Return evidence on a model whose reports were written truly, then changed."""
    requirements = replace(REQUIREMENTS, costs=replace(REQUIREMENTS.costs, matrix={}))
    known = {"trivial": np.full(100, 0.5), **PREDICTIONS}
    metrics = evaluate_models(BINARY, LABEL, known, requirements.costs, {}, calibration_bins=5)
    metrics |= {"holdout": {"rows": 100, "calibration_bins": 5}}
    metrics["candidate"] |= changed.pop("candidate", {})
    facts = {
        "metrics": metrics | changed,
        "training": {"trivial": {"no": 0.5, "yes": 0.5}},
        "requirements": requirements,
    }
    facts |= {"inspection": {"segments": {"named": [{"segment": "origin = JFK", "ratio": 1.0}]}}, "backtest": {}}
    row = {"size_mb": 0.5, "format": "onnx", "one_row_ms": 1.0, "thousand_rows_ms": 2.0}
    return measure_evidence(BINARY, facts, HOLDOUT, PREDICTIONS, pd.DataFrame({"candidate": row}).T, {}, [])


def test_metrics_are_computed_again_and_an_edited_report_is_refused():
    assert measure().differences == []
    assert measure(candidate={"brier": 0.0099}).differences == [], "the last digit may differ on another processor"
    edited = measure(candidate={"brier": 0.002})
    assert edited.differences == ["candidate.brier is 0.002, the model reaches 0.01"]
    assert reasons(replace(GOOD, differences=edited.differences))[0].startswith("reports/metrics.json does not match")
    assert measure(value={}).differences[0] == "value.currency is None, not 'EUR'"
    assert measure(baseline={}).differences[0].startswith("baseline.roc_auc is None, the model reaches")


@pytest.mark.parametrize("value", ["0.5", None, True, float("nan")])
def test_what_is_no_number_in_the_report_differs(value):
    assert find_differences({"a": value}, {"a": 1.0}) == [f"a is {value}, the model reaches 1.0"]


def test_the_hash_of_the_evidence_leaves_out_times_and_nothing_else():
    assert replace(GOOD, timings={"one_row_ms": 3.0}).digest() == GOOD.digest()
    assert replace(GOOD, size_mb=0.6).digest() != GOOD.digest() != replace(GOOD, differences=["x"]).digest()
