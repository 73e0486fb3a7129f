"""The report on a pull request: what differs from the base, what the gate says, and nothing that data could smuggle in."""

import json
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo
from stagebook.automate.report import MARKER, write_report
from stagebook.project.errors import StepError

POINT = {"gate": "risk", "passed": True, "message": "all is there", "owner": "product owner"}
REFUSED = {"gate": "beats_champion", "passed": False, "message": "gain -0.1 | @all <b>", "owner": "data scientist"}


def write_metrics(folder: Path, auc: float, trials: int, points: list[dict]) -> None:
    """Write what a run of the pipeline leaves, as far as the report reads it."""
    refused = [point["message"] for point in points if not point["passed"]]
    decision = {"model": "m", "version": 2, "refused": refused, "alias": "champion", "points": points}
    decision |= {"metric": "roc_auc", "rivals": {"champion": 0.7}}
    metrics = {"trivial": {"roc_auc": 0.5}, "candidate": {"roc_auc": auc}, "tried": {"linear": {"roc_auc": None}}}
    (folder / "reports").mkdir(exist_ok=True)
    (folder / "reports" / "registration.json").write_text(json.dumps(decision))
    (folder / "reports" / "metrics.json").write_text(json.dumps(metrics))
    (folder / "params.yaml").write_text(f"train:\n  trials: {trials}\n")


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, "-c", "user.name=T", "-c", "user.email=t@example.com", *words], check=True)


@pytest.fixture
def project(tmp_path):
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    Repo.init(str(tmp_path)).close()
    (tmp_path / "dvc.yaml").write_text("params: [params.yaml]\nmetrics: [reports/metrics.json]\n")
    write_metrics(tmp_path, 0.75, 0, [POINT])
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "base")
    return tmp_path


def test_what_differs_from_the_base_is_listed_and_the_rest_is_not(project):
    write_metrics(project, 0.8, 20, [POINT])
    text = write_report(project, "main").read_text(encoding="utf-8")
    assert text.startswith(f"{MARKER}\n## m version 2 passes the gate and is champion\n")
    assert "| `candidate.roc_auc` | 0.75 | 0.8 | +0.05 |" in text
    assert "| `train.trials` | 0 | 20 | 20 |" in text
    assert "<details><summary>1 of 1 gates passed" in text
    assert 'x-axis ["trivial", "candidate", "champion"]\n  y-axis 0 --> 0.8\n  bar [0.5, 0.8, 0.7]' in text


def test_a_thousand_parameters_leave_room_for_the_rest(project):
    values = "".join(f"  setting_{n}: {n}\n" for n in range(1000))
    (project / "params.yaml").write_text(f"train:\n  trials: 0\n{values}")
    text = write_report(project, "main").read_text(encoding="utf-8")
    assert text.count("| `train.setting_") == 100
    assert "\n900 more are in `compare.html`.\n" in text
    assert "All pages:" in text


def test_the_refused_comes_first_and_mentions_nobody(project):
    write_metrics(project, 0.75, 0, [POINT, REFUSED])
    text = write_report(project, "main").read_text(encoding="utf-8")
    assert "\n## The gate refuses m version 2\n" in text
    assert text.index("beats_champion") < text.index("`risk`")
    assert "<details open><summary>1 of 2" in text
    assert "No metric differs" in text
    assert "@all" not in text
    assert "gain -0.1 \\| @\u200ball \\<b>" in text


def test_an_unknown_base_and_a_pipeline_that_has_not_run_are_said(project):
    with pytest.raises(StepError, match="origin/none"):
        write_report(project, "origin/none")
    (project / "reports" / "metrics.json").unlink()
    with pytest.raises(StepError, match=r"metrics\.json is missing.*make pipeline"):
        write_report(project, "main")
