"""The metrics of the candidate over the commits that changed dvc.lock."""

import io
import textwrap
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from dvc.repo import Repo
from matplotlib.figure import Figure

from ...project.markdown import code, prose, table
from ..compare.page import show_value
from ..compare.side import git

__all__ = ["METRICS", "Commit", "describe_change", "draw_history", "read_history", "tabulate_history"]

METRICS = "reports/metrics.json"
MOST_COMMITS = 30
SHOWN = 4  # metrics of the candidate, the deciding one first


@dataclass(frozen=True)
class Commit:
    """A commit of git and the content of its reports/metrics.json."""

    hash: str
    date: str
    subject: str
    metrics: dict[str, dict]

    def metric(self, model: str, name: str) -> float | None:
        """Return a metric of a model; None if it was not computed."""
        value = (self.metrics.get(model) or {}).get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_history(root: Path) -> tuple[list[Commit], int]:
    """Return the newest commits of this branch that changed dvc.lock, oldest first, and how many cannot be read."""
    log = git(root, "log", f"-{MOST_COMMITS}", "--format=%H%x00%h%x00%cs%x00%s", "--", "dvc.lock")
    lines = [line.split("\0") for line in log.splitlines()][::-1]
    if not lines:
        return [], 0
    with chdir(root), Repo(str(root)) as repo:  # DVC names files as seen from where it stands
        shown = repo.metrics.show(targets=[METRICS], revs=[line[0] for line in lines])
    commits = []
    for full, *words in lines:
        answer = shown.get(full, {})
        found = answer.get("data", {}).get(METRICS, {}) if isinstance(answer, dict) else {}
        if isinstance(found.get("data"), dict) and found["data"].get("candidate"):
            commits.append(Commit(*words, found["data"]))
    return commits, len(lines) - len(commits)


def describe_change(commits: list[Commit], metrics: dict) -> str:
    """Compare the metrics of the last run with those of the last commit that has others; empty if there is none."""
    names = list(metrics.get("candidate") or {})[:SHOWN]

    def values(commit: Commit) -> list:
        return [commit.metric("candidate", name) for name in names]

    now = values(Commit("", "", "", metrics))
    before = next((commit for commit in reversed(commits) if values(commit) != now), None)
    pairs = zip(names, values(before), now, strict=True) if before else ()
    changes = [f"{name} {show_value(old)} to {show_value(new)}" for name, old, new in pairs if old != new]
    if not changes:
        return ""
    return f"Metrics since commit {before.hash} of {before.date}: {', '.join(changes)}."


def tabulate_history(commits: list[Commit]) -> list[str]:
    """Return the lines of a table, the newest commit first: the candidate's metrics, and the first of them for the baseline."""
    names = list(commits[-1].metrics["candidate"])[:SHOWN]
    rows = []
    for commit in reversed(commits):
        values = [show_value(commit.metric("candidate", name)) for name in names]
        baseline = show_value(commit.metric("baseline", names[0]))
        subject = textwrap.shorten(commit.subject, 60, placeholder="...")
        rows.append([code(commit.hash), commit.date, *map(prose, [subject, *values, baseline])])
    numbers = [prose(name) for name in names]
    return table(["commit", "date", "what", *numbers, "baseline"], rows, right=" ".join([*numbers, "baseline"]))


def draw_history(commits: list[Commit]) -> str:
    """Return a plot of the deciding metric over the commits, as SVG; equal values give equal text."""
    name = next(iter(commits[-1].metrics["candidate"]))
    with matplotlib.rc_context({"svg.hashsalt": name, "font.size": 9}):
        figure = Figure(figsize=(8, 3), layout="constrained")
        axis = figure.subplots()
        for model, color in (("candidate", "tab:blue"), ("baseline", "tab:gray")):
            values = [float("nan") if (value := commit.metric(model, name)) is None else value for commit in commits]
            axis.plot(range(len(commits)), values, marker="o", color=color, label=model)
        axis.set_xticks(range(len(commits)), [commit.hash for commit in commits], rotation=45, ha="right")
        axis.set(title=f"{name} on the hold-out", ylabel=name)
        axis.grid(alpha=0.3)
        axis.legend()
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
