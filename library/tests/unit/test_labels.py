"""Labels by rule and what a report says of labels: a wrong vote or share here trains a model on nonsense."""

import json

import pandas as pd
import pytest
from stagebook.data.labels import (
    ABSTAIN,
    apply_labelling_functions,
    count_contradictions,
    describe_labels,
    majority_label,
    summarise_labelling,
    vote,
)
from stagebook.project.errors import DataError

VOTES = pd.DataFrame({"a": [1, 1, 0, -1, -1], "b": [1, 0, 1, 0, -1], "c": [1, 0, -1, -1, -1]}, index=list("pqrst"))


def test_votes_keep_rows_and_missing_ones_abstain():
    frame = pd.DataFrame({"delay": [90.0, None, 5.0]}, index=[7, 3, 5])
    functions = {
        "late": lambda f: vote(f["delay"] >= 60, 1),
        "as_is": lambda f: (f["delay"] >= 60).astype("Int64").mask([False, True, False]),
    }
    votes = apply_labelling_functions(frame, functions)
    assert votes.index.tolist() == [7, 3, 5]
    assert votes.to_numpy().tolist() == [[1, 1], [-1, -1], [-1, 0]]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda f: f["x"] > 0, "'rule' must return a Series of classes"),
        (lambda f: [1, 0], "'rule' must return a Series of classes"),
        (lambda f: f["x"].iloc[:1], "one per row"),
        (lambda f: f["x"] / 2, "'rule' votes 0.5"),
        (lambda f: -2 * f["x"], "'rule' votes -2"),
        (lambda f: f["x"].map({1: "late", 2: "late"}), "'rule' votes 'late'"),
    ],
)
def test_function_that_does_not_vote_is_named(function, words):
    with pytest.raises(DataError, match=words):
        apply_labelling_functions(pd.DataFrame({"x": [1, 2]}), {"rule": function})


def test_summary_counts_who_votes_who_disagrees_and_who_is_right():
    summary = summarise_labelling(VOTES, pd.Series([1, 0, 1, ABSTAIN, 0], index=VOTES.index))
    assert summary["coverage"].tolist() == [0.6, 0.8, 0.4]
    assert summary["overlaps"].tolist() == [0.6, 0.6, 0.4]
    assert summary["conflicts"].tolist() == [0.4, 0.4, 0.2]
    assert summary["known"].tolist() == [3, 3, 2]
    assert summary["accuracy"].round(2).tolist() == [0.33, 1.0, 1.0]
    assert "accuracy" not in summarise_labelling(VOTES)


def test_function_without_a_known_answer_has_no_accuracy():
    assert summarise_labelling(VOTES, pd.Series(ABSTAIN, index=VOTES.index))["accuracy"].isna().all()


def test_majority_wins_and_ties_abstain():
    assert majority_label(VOTES).tolist() == [1, 0, ABSTAIN, 0, ABSTAIN]


def test_better_functions_weigh_more_and_unjudged_ones_have_no_say():
    assert majority_label(VOTES, {"a": 0.3, "b": 0.9, "c": 0.6}).tolist() == [1, 0, 1, 0, ABSTAIN]
    assert majority_label(VOTES, pd.Series({"a": 0.9, "b": float("nan")})).tolist() == [1, 1, 0, ABSTAIN, ABSTAIN]


def test_three_classes_and_no_rows_at_all():
    three = pd.DataFrame({"a": [2, 0], "b": [2, 1], "c": [0, 2]})
    assert majority_label(three).tolist() == [2, ABSTAIN]
    assert majority_label(three.head(0)).tolist() == []


def test_report_names_source_delay_missing_and_shares():
    asked = pd.Series(pd.to_datetime(["2013-01-01 10:00", "2013-01-01 11:00", "2013-01-01 12:00", "2013-01-01 12:00"]))
    known = asked + pd.to_timedelta([3, 2, 4, None], unit="h")
    by = pd.DataFrame({"split": ["train", "train", "holdout", "holdout"]})
    report = describe_labels(pd.Series([0, 1, 1, 1]), "tower", {"cancelled": 1}, asked, known, by, ["on time", "late"])
    assert report["missing"] == {"cancelled": {"rows": 1, "share": 0.2}}
    assert report["delay_until_known"] == {
        "rows": 3,
        "unit": "hours",
        "median": 3.0,
        "p95": 3.9,
        "max": 4.0,
        "known_before_asked": 0,
    }
    assert report["by_split"] == {"holdout": {"on time": 0.0, "late": 1.0}, "train": {"on time": 0.5, "late": 0.5}}
    json.dumps(report)


def test_label_known_before_the_question_is_counted():
    asked = pd.Series(pd.to_datetime(["2013-01-02"]))
    report = describe_labels(pd.Series([1]), "tower", asked=asked, known=asked - pd.Timedelta(minutes=1))
    assert report["delay_until_known"]["known_before_asked"] == 1


def test_numbers_are_described_by_mean_and_quartiles():
    report = describe_labels(pd.Series([1.0, 2.0, 3.0]), "scale")
    assert report["overall"] == {"mean": 2.0, "lower quartile": 1.5, "median": 2.0, "upper quartile": 2.5}


def test_twins_with_another_label_are_counted():
    features = pd.DataFrame({"a": [1, 1, 1, 2, 2], "b": ["x", "x", "y", "x", None]}, index=[5, 3, 9, 1, 2])
    assert count_contradictions(features, pd.Series([0, 1, 0, 0, 1], index=features.index)) == 2
    assert count_contradictions(features, pd.Series(0, index=features.index)) == 0


def rules(late_after_minutes):
    """Rules of a project: flights, labelled by what is known only afterwards."""

    def minutes(hhmm):
        return hhmm // 100 * 60 + hhmm % 100

    def arrival_clock(flights):
        after = (minutes(flights["arr_time"]) - minutes(flights["sched_arr_time"]) + 240) % 1440 - 240
        return vote(after >= late_after_minutes, 1).mask(after < late_after_minutes, 0)

    return {
        "arrival clock": arrival_clock,
        "left 60 minutes late": lambda flights: vote(flights["dep_delay"] >= 60, 1),
        "left early or on time": lambda flights: vote(flights["dep_delay"] <= 0, 0),
        "was diverted": lambda flights: vote(flights["dep_time"].notna() & flights["arr_delay"].isna(), 1),
    }


def test_rules_of_a_project_vote_on_diverted_flights():
    flight = {"dep_time": 1815.0, "dep_delay": 10.0, "sched_arr_time": 2130, "arr_time": 2145.0, "arr_delay": 15.0}
    changes = {"arr_delay": None}, {"arr_delay": None, "arr_time": None, "dep_delay": 70.0}, {"dep_delay": -2.0}
    diverted = pd.DataFrame([flight | change for change in changes])
    votes = apply_labelling_functions(diverted, rules(15))
    assert votes["arrival clock"].tolist() == [1, -1, 1]
    assert votes["left 60 minutes late"].tolist() == [-1, 1, -1]
    assert votes["left early or on time"].tolist() == [-1, -1, 0]
    assert votes["was diverted"].tolist() == [1, 1, -1]
    assert majority_label(votes).tolist() == [1, 1, ABSTAIN]
