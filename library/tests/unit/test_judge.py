"""The candidate against its rivals: what is better by the threshold passes, what is not known does not."""

import pytest
from stagebook.gate.judge import judge_candidate
from stagebook.gate.requirements import Requirements
from stagebook.gate.thresholds import Gate
from stagebook.model.task import Task

BARS = [Gate(f"beats {rival}", f"gain.{rival}", 0.01, False, "owner", "why") for rival in ("baseline", "champion")]
STRICT = Requirements({}, {}, {"category": "minimal", "reason": "rates flights"}, {}, [], [], BARS, {})
BINARY, METRICS = Task("binary", "late", ["no", "yes"]), {"metrics": {"candidate": {"roc_auc": 0.7}}}


@pytest.mark.parametrize(
    ("rivals", "refused"),
    [
        ({"baseline": 0.6}, []),
        (
            {"baseline": 0.6, "champion": 0.695},
            ["gain over the champion 0.005 is below 0.01, the least allowed"],
        ),
        ({"baseline": None}, ["no figure, no promotion: gain.baseline is missing"]),
    ],
    ids=["better", "hardly better", "not known"],
)
def test_candidate_against_rivals(rivals, refused):
    decision = judge_candidate(METRICS, rivals, None, STRICT, BINARY)
    assert decision["refused"] == refused
    assert (decision["figure"], decision["candidate"], decision["rivals"]) == ("roc_auc", 0.7, rivals)


def test_less_is_better_where_the_figure_is_a_loss():
    task, metrics = Task("multiclass", "part", ["a", "b", "c"]), {"metrics": {"candidate": {"log_loss": 0.5}}}
    decision = judge_candidate(metrics, {"baseline": 0.6, "champion": 0.4}, None, STRICT, task)
    assert decision["refused"] == ["gain over the champion -0.1 is below 0.01, the least allowed"]
