"""The summary keeps apart what the model missed, what people have not filled in, and what the run has not written."""

import pytest
from stagebook.automate import summary
from stagebook.automate.summary import _describe_points, _left, _tabulate, _verdict

PASSED = {"gate": "beats_trivial", "metric": "gain.trivial", "passed": True, "message": "gain 0.2 is at least 0.1"}
FAILED = {"gate": "size", "metric": "size_mb", "passed": False, "message": "size of the package 80 MB is above 50 MB"}
UNASKED = {"gate": "fairness", "metric": "inspection.x", "passed": True, "message": "not asked: no sensitive column"}
CARD = {
    "gate": "documentation",
    "metric": "card.missing",
    "passed": False,
    "message": "cards are half-filled: use.limits",
}
DUTIES = {"gate": "risk", "metric": "risk.duties", "passed": False, "message": "open duties: risk.reason is empty"}
TEXTS, REPORT = "docs/requirements.yaml: use.limits is empty", "reports/backtest.json is missing"


def decide(*points, alias="challenger"):
    refused = [point["message"] for point in points if not point["passed"]]
    return {"model": "m", "version": 1, "alias": alias, "refused": refused, "points": list(points)}


@pytest.fixture
def project(monkeypatch, tmp_path):
    """Return a function that sets what is missing: from people, and from the run."""

    def lacks(people=(), run=()):
        monkeypatch.setattr(summary, "_missing", lambda root: (list(people), list(run)))
        return tmp_path

    return lacks


def test_a_champion_is_two_lines(project):
    lines = _verdict(decide(PASSED, UNASKED, alias="champion"), project())
    assert lines == [
        "Registered: m version 1 is champion",
        "Quality thresholds: 1 passed, 0 failed, 1 not asked; `stagebook gate` shows each",
    ]


def test_who_passed_but_waits_is_told_how_to_promote(project):
    assert "`make promote` makes it champion" in _verdict(decide(PASSED), project())[0]


def test_a_good_model_whose_texts_are_empty_passes_its_thresholds(project):
    lines = _verdict(decide(PASSED, UNASKED, CARD, DUTIES), project(people=[TEXTS]))
    assert lines == [
        "Registered: m version 1 is challenger. The gate refused it (vendor/stagebook/docs/quality_gates.md)",
        "Quality thresholds: 1 passed, 0 failed, 1 not asked:",
        "  - passed: gain 0.2 is at least 0.1",
        "  - not asked: fairness",
        "Only people can fill in, and the gate stays closed until they do:",
        f"  - {TEXTS}",
    ]


def test_failed_thresholds_come_first_and_nothing_is_left_to_people(project):
    lines = _verdict(decide(PASSED, FAILED), project())
    assert lines[1:] == [
        "Quality thresholds: 1 passed, 1 failed, 0 not asked:",
        f"  - failed: {FAILED['message']}",
        f"  - passed: {PASSED['message']}",
    ]


def test_what_the_run_has_not_written_is_no_work_for_people(project):
    lines = _left(decide(PASSED, CARD), project(people=[TEXTS], run=[REPORT]))
    assert lines[-2:] == ["Missing from the run:", f"  - {REPORT}"]


def test_texts_filled_in_after_the_run_ask_for_another_run(project):
    [line] = _left(decide(PASSED, CARD), project())
    assert "`make pipeline` checks the candidate again" in line


def test_long_sentences_are_wrapped():
    lines = _describe_points([FAILED | {"message": "word " * 60}])
    assert len(lines) > 1 and max(map(len, lines)) <= 116


def test_numbers_of_any_length_stay_apart_below_their_names():
    money = {"mean_absolute_error": 101_234.5678, "rmse": 987_654.3219, "r2": -0.1234}
    lines = _tabulate({"trivial": money, "baseline": money | {"rmse": 1.5e9}, "candidate": money | {"r2": 0.9}})
    assert [line.split() for line in lines] == [
        ["mean_absolute_error", "rmse", "r2"],
        ["trivial", "101,234.5678", "987,654.3219", "-0.1234"],
        ["baseline", "101,234.5678", "1.500e+09", "-0.1234"],
        ["candidate", "101,234.5678", "987,654.3219", "0.9000"],
    ]
    assert len({len(line) for line in lines}) == 1, "right-aligned"
