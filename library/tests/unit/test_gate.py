"""The gate is closed by default: each bad model is refused for exactly its own reason, and a good one is not."""

import copy
import json
import re
from dataclasses import asdict, replace

import numpy as np
import pytest
from stagebook.card.verdict import print_verdict
from stagebook.gate.duties import find_empty_texts
from stagebook.gate.judge import judge, refused, without_timings
from stagebook.gate.requirements import Requirements
from stagebook.gate.thresholds import Gate


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
FIGURES = {
    "gain": {"trivial": 0.25, "baseline": 0.136, "champion": 0.004},
    "segments_rise": {"champion": 0.02},
    "metrics": {
        "candidate": {"ece": 0.011, "coverage": 0.91},
        "value": {"cost": {"no model": 129.15, "baseline": 120.5, "candidate": 100.8}},
        "parity": {"candidate": 1.2e-7},
    },
    "inspection": {
        "segments": {"named": [{"segment": "origin = JFK", "ratio": 1.2}, {"segment": "origin = LGA", "ratio": 0.9}]},
        "worst_segment_ratio": 1.2,
        "fairness": {"sex": {"difference": 0.04}},
        "fairness_difference": 0.04,
        "behaviour": {"passed": 5, "failed": []},
    },
    "timings": {"one_row_ms": 0.8},
    "size_mb": 0.5,
    "format": "onnx",
    "first_version": False,
    "card": {"missing": []},
}


def figures_with(path, *value):
    """Return good figures with one changed, or left out if there is no value."""
    figures = copy.deepcopy(FIGURES)
    *folders, last = path.split(".")
    place = figures
    for name in folders:
        place = place[name]
    if value:
        place[last] = value[0]
    else:
        del place[last]
    return figures


def reasons(figures, requirements=REQUIREMENTS, kind="binary"):
    return refused(judge(requirements, figures, kind))


def point(name, figures, requirements=REQUIREMENTS, kind="binary"):
    [found] = [point for point in judge(requirements, figures, kind) if point.gate == name]
    return found


def test_a_good_model_passes_every_point():
    points = judge(REQUIREMENTS, FIGURES, "binary")
    assert refused(points) == [] and all(point.passed for point in points)
    assert point("calibration", FIGURES).said == "calibration error 0.011 is within 0.05"
    assert point("calibration", FIGURES).bar == "at most 0.05"
    assert point("saves", FIGURES).said == "saving against deciding without a model 28.35 is at least 0"


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("gain.trivial", 0.001, "gain over the trivial model 0.001 is below 0.01, the least allowed"),
        ("gain.baseline", -0.03, "gain over the baseline -0.03 is below 0.01, the least allowed"),
        ("gain.champion", 0.0019, "gain over the champion 0.0019 is below 0.002, the least allowed"),
        (
            "inspection.worst_segment_ratio",
            1.72,
            "loss of the worst named segment by the loss of all rows 1.72 (origin = JFK) is above 1.5, the most allowed",
        ),
        (
            "segments_rise.champion",
            0.3,
            "largest rise of a segment's loss against the champion 0.3 is above 0.1, the most allowed",
        ),
        ("metrics.candidate.ece", 0.081, "calibration error 0.081 is above 0.05, the most allowed"),
        (
            "metrics.value.cost.no model",
            90,
            "saving against deciding without a model -10.8 is below 0, the least allowed",
        ),
        (
            "inspection.fairness_difference",
            0.2,
            "largest difference between groups 0.2 (sex) is above 0.1, the most allowed",
        ),
        (
            "inspection.behaviour.failed",
            ["evening", "storm"],
            "behavioural tests that fail: evening; storm",
        ),
        (
            "metrics.parity.candidate",
            0.02,
            "difference between package and trained model 0.02 is above 0.0001, the most allowed",
        ),
        ("timings.one_row_ms", 81.5, "time for one row 81.5 ms is above 50 ms, the most allowed"),
        ("size_mb", 200, "size of the package 200 MB is above 50 MB, the most allowed"),
        ("card.missing", ["use.limits is empty"], "model card and data sheet are half-filled: use.limits is empty"),
    ],
)
def test_a_bad_model_is_refused_for_exactly_its_reason(path, value, reason):
    assert reasons(figures_with(path, value)) == [reason]


PATHS = [gate.metric for gate in REQUIREMENTS.gates if gate.metric not in ("risk.duties", "metrics.candidate.coverage")]


@pytest.mark.parametrize("path", PATHS)
def test_a_figure_that_is_not_there_refuses(path):
    place = "metrics.value.cost.no model" if path.startswith("saving") else path
    assert reasons(figures_with(place)) == [f"no figure, no promotion: {path} is missing"]
    assert reasons(figures_with(place, None)) == [f"no figure, no promotion: {path} is missing"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "0.01", True, np.float64("nan"), {}])
@pytest.mark.parametrize("path", ["metrics.candidate.ece", "gain.baseline", "size_mb", "timings.one_row_ms"])
def test_what_is_no_finite_number_refuses(path, value):
    [reason] = reasons(figures_with(path, value))
    assert reason.startswith(f"no figure, no promotion: {path} is ") and reason.endswith(", no finite number")


def test_a_cost_that_is_not_finite_is_no_saving():
    assert reasons(figures_with("metrics.value.cost.candidate", float("nan"))) == [
        "no figure, no promotion: saving.no model is missing"
    ]


@pytest.mark.parametrize("figures", [{}, {"metrics": None}, {"metrics": "none", "card": []}])
def test_without_figures_everything_but_the_risk_refuses(figures):
    points = judge(REQUIREMENTS, figures, "binary")
    assert {point.gate for point in points if point.passed} == {"risk"}
    assert all(point.value is None for point in points if not point.passed)


def test_the_bar_itself_passes_also_when_floats_are_a_hair_off():
    assert reasons(figures_with("gain.champion", 0.755 - 0.753)) == []
    assert reasons(figures_with("metrics.candidate.ece", 0.05)) == []


def test_numpy_numbers_are_figures_and_can_be_written_down():
    found = point("calibration", figures_with("metrics.candidate.ece", np.float32(0.0112345678)))
    assert found.passed and json.dumps(asdict(found)) and found.value == 0.0112346


def test_a_gate_for_another_task_is_left_out():
    names = {kind: {p.gate for p in judge(REQUIREMENTS, FIGURES, kind)} for kind in ("binary", "regression")}
    assert names["binary"] - names["regression"] == {"calibration"}
    assert names["regression"] - names["binary"] == {"coverage"}
    low = figures_with("metrics.candidate.coverage", 0.7)
    assert reasons(low, kind="regression") == [
        "share of rows inside their interval 0.7 is below 0.8, the least allowed"
    ]


def test_a_first_version_is_not_held_against_a_champion_but_against_all_else():
    first = FIGURES | {"gain": {"trivial": 0.2, "baseline": 0.1}, "segments_rise": {}}
    assert len(reasons(first)) == 2, "not said to be the first: figures are missing"
    assert reasons(first | {"first_version": True}) == []
    found = point("beats_champion", first | {"first_version": True})
    assert found.passed and found.said == "not asked: a first version, there is no champion to compare with"
    assert reasons(first | {"first_version": "yes"}) != []


def test_fairness_is_asked_if_a_column_is_named_or_the_risk_is_high():
    none = figures_with("inspection.fairness_difference", None)
    unnamed = replace(REQUIREMENTS, sensitive=[])
    assert reasons(none, unnamed) == []
    assert reasons(none) == ["no figure, no promotion: inspection.fairness_difference is missing"]
    high = replace(unnamed, risk=replace(REQUIREMENTS.risk, category="high"))
    assert "no figure, no promotion: inspection.fairness_difference is missing" in reasons(none, high)


def test_segments_are_not_asked_for_if_none_is_named():
    none = figures_with("inspection.worst_segment_ratio", None)
    assert reasons(none, replace(REQUIREMENTS, segments=[])) == []
    assert len(reasons(none)) == 1


def test_parity_is_not_asked_of_skops():
    none = figures_with("metrics.parity.candidate", None)
    assert reasons(none | {"format": "skops"}) == []
    assert "skops" in point("parity", none | {"format": "skops"}).said
    assert len(reasons(none)) == 1


def test_high_risk_without_a_note_is_refused():
    high = {"category": "high", "reason": "loans", "transparency": "said", "human_oversight": "", "logging": True}
    [reason] = reasons(FIGURES, replace(REQUIREMENTS, risk=high))
    assert reason.startswith("open duties of the category of risk: risk.human_oversight is empty")


def test_unacceptable_risk_is_refused_however_good_the_figures():
    risk = replace(REQUIREMENTS.risk, category="unacceptable")
    assert "forbidden" in reasons(FIGURES, replace(REQUIREMENTS, risk=risk))[0]


def test_what_is_written_down_has_no_measured_time():
    def written(milliseconds):
        points = without_timings(judge(REQUIREMENTS, figures_with("timings.one_row_ms", milliseconds), "binary"))
        return json.dumps([asdict(point) for point in points])

    assert written(0.81) == written(0.97) != written(81.5)
    assert "0.81" not in written(0.81) and "81.5" not in written(81.5)
    slow = without_timings(judge(REQUIREMENTS, figures_with("timings.one_row_ms", 81.5), "binary"))
    assert refused(slow) == ["time for one row is not at most 50 ms"]


def test_a_time_that_was_not_measured_stays_a_refusal():
    points = without_timings(judge(REQUIREMENTS, figures_with("timings.one_row_ms"), "binary"))
    assert refused(points) == ["no figure, no promotion: timings.one_row_ms is missing"]


def write_report(root, figures=FIGURES, **changes):
    points = judge(REQUIREMENTS, figures, "binary")
    report = {"model": "m", "version": 1, "refused": refused(points), "points": [asdict(p) for p in points]} | changes
    (root / "reports").mkdir(exist_ok=True)
    (root / "reports" / "registration.json").write_text(json.dumps(report), encoding="utf-8")


def test_a_refused_model_fails_the_command_with_its_reason(tmp_path, capsys):
    write_report(tmp_path, figures_with("size_mb", 200))
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
    write_report(tmp_path, figures_with("size_mb", 200), refused=[])
    assert print_verdict(tmp_path) == 1
    assert "m version 1: refused" in capsys.readouterr().out


def test_what_errors_cost_and_how_it_must_behave_is_not_asked_where_nobody_said_it():
    silent = replace(REQUIREMENTS, costs={"currency": "", "per": "row", "matrix": {}, "reasons": {}})
    said = {
        point.figure: point.said for point in judge(silent, figures_with("inspection.behaviour.tests", []), "binary")
    }
    assert said["saving.no model"] == "not asked: docs/requirements.yaml does not say what errors cost"
    assert said["inspection.behaviour.failed"] == "not asked: docs/behaviour.yaml has no tests"
    assert "costs.matrix" in find_empty_texts(silent), "the card is then half-filled, which keeps the gate closed"
