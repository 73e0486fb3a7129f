"""What reports/inspection.json holds: the columns that people named, and one summary of all that was looked at."""

import numpy as np
import pandas as pd
import pytest
from stagebook.evaluate.inspection.summary import read_columns, sum_up
from stagebook.model.task import Task
from stagebook.project.errors import DataError


def test_columns_to_look_at_are_read_and_checked(tmp_path):
    task, file = Task("binary", "late", ["on time", "late"]), tmp_path / "r.yaml"
    table = pd.DataFrame({"origin": ["JFK", "EWR"], "late": [0, 1]})
    file.write_text("segments: [origin]\n")
    assert read_columns(file, table, task) == {"segments": ["origin"], "sensitive": []}
    file.write_text("sensitive: [late]\n")
    with pytest.raises(DataError, match=r"r\.yaml, line 1: sensitive names 'late'; the hold-out has origin\."):
        read_columns(file, table, task)
    file.write_text("segments: [\n")
    with pytest.raises(DataError, match=r"r\.yaml is not YAML"):
        read_columns(file, table, task)
    with pytest.raises(DataError, match=r"none\.yaml is missing"):
        read_columns(tmp_path / "none.yaml", table, task)


def test_summary_is_rounded_and_says_null_for_what_is_no_number():
    segments = pd.DataFrame({"segment": ["a = 1"], "rows": [9], "ratio": [1.23456], "error": [np.nan]})
    tests = [{"name": "t", "passed": False}]
    summed = sum_up(segments, segments[:0], {}, tests, pd.DataFrame({"rise": {"x": -0.00001}}))
    named = [{"segment": "a = 1", "rows": 9, "ratio": 1.235, "error": None}]
    assert summed["segments"] == {"named": named, "found": []}
    most = (summed["worst_segment_ratio"], summed["fairness_difference"], summed["behaviour_failed"])
    assert most == (1.235, None, 1)
    assert "labels" not in summed, "a project whose notebook does not look for doubtful labels"
    labels = {"rows": 9, "share": 0.0, "doubtful": 0}
    assert sum_up(segments, segments[:0], {}, tests, pd.DataFrame({"rise": {}}), labels)["labels"] == labels
    assert summed["importance"] == {"x": 0.0} and summed["behaviour"]["failed"] == ["t"]


def test_the_largest_difference_between_groups_is_kept():
    def table(difference):
        groups = {"group": ["= a", "= b"], "value": [0.5, 0.5 + difference]}
        return pd.DataFrame(groups).assign(figure="recall", difference=difference, low=0.01, high=np.nan)

    segments = pd.DataFrame({"segment": [], "rows": [], "ratio": []})
    fairness = {"sex": table(0.1), "age": table(0.2), "none": table(0.3).head(0)}
    summed = sum_up(segments, segments, fairness, [], pd.DataFrame({"rise": {}}))
    assert (summed["fairness_difference"], summed["worst_segment_ratio"]) == (0.2, None)
    sex = {"figure": "recall", "difference": 0.1, "interval": None, "groups": {"a": 0.5, "b": 0.6}}
    assert summed["fairness"]["sex"] == sex
    assert summed["fairness"]["none"]["figure"] is None
