"""The figures of the candidate over the commits that changed dvc.lock."""

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

__all__ = ["Point", "draw_history", "read_history", "tabulate_history"]

METRICS = "reports/metrics.json"
MOST_COMMITS = 30
FIGURES = 4  # of the candidate, that which decides first


@dataclass(frozen=True)
class Point:
    """A commit and what reports/metrics.json said on it."""

    commit: str
    date: str
    subject: str
    metrics: dict[str, dict]

    def figure(self, model: str, name: str) -> float | None:
        """Return a figure of a model; None if it was not computed."""
        value = (self.metrics.get(model) or {}).get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_history(root: Path) -> tuple[list[Point], int]:
    """Return the newest commits of this branch that changed dvc.lock, oldest first, and how many cannot be read."""
    log = git(root, "log", f"-{MOST_COMMITS}", "--format=%H%x00%h%x00%cs%x00%s", "--", "dvc.lock")
    commits = [line.split("\0") for line in log.splitlines()][::-1]
    if not commits:
        return [], 0
    with chdir(root), Repo(str(root)) as repo:  # DVC names files as seen from where it stands
        shown = repo.metrics.show(targets=[METRICS], revs=[commit[0] for commit in commits])
    points = []
    for full, *words in commits:
        answer = shown.get(full, {})
        found = answer.get("data", {}).get(METRICS, {}) if isinstance(answer, dict) else {}
        if isinstance(found.get("data"), dict) and found["data"].get("candidate"):
            points.append(Point(*words, found["data"]))
    return points, len(commits) - len(points)


def tabulate_history(points: list[Point]) -> list[str]:
    """Return the lines of a table, the newest commit first: the candidate's figures, and the first of them for the baseline."""
    names = list(points[-1].metrics["candidate"])[:FIGURES]
    rows = []
    for point in reversed(points):
        figures = [show_value(point.figure("candidate", name)) for name in names]
        baseline = show_value(point.figure("baseline", names[0]))
        subject = textwrap.shorten(point.subject, 60, placeholder="...")
        rows.append([code(point.commit), point.date, *map(prose, [subject, *figures, baseline])])
    numbers = [prose(name) for name in names]
    return table(["commit", "date", "what", *numbers, "baseline"], rows, right=" ".join([*numbers, "baseline"]))


def draw_history(points: list[Point]) -> str:
    """Return a picture of the figure that decides, over the commits, as SVG; equal figures give equal text."""
    name = next(iter(points[-1].metrics["candidate"]))
    with matplotlib.rc_context({"svg.hashsalt": name, "font.size": 9}):
        figure = Figure(figsize=(8, 3), layout="constrained")
        axis = figure.subplots()
        for model, color in (("candidate", "tab:blue"), ("baseline", "tab:gray")):
            values = [float("nan") if (value := point.figure(model, name)) is None else value for point in points]
            axis.plot(range(len(points)), values, marker="o", color=color, label=model)
        axis.set_xticks(range(len(points)), [point.commit for point in points], rotation=45, ha="right")
        axis.set(title=f"{name} on the hold-out", ylabel=name)
        axis.grid(alpha=0.3)
        axis.legend()
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
