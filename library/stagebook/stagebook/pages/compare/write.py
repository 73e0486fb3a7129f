"""Write reports/compare.html: two versions of the project side by side."""

from contextlib import chdir
from pathlib import Path

from dvc.repo import Repo

from ...project.errors import StepError
from ...project.files import replace_file
from .notebooks import diff_notebooks
from .page import render
from .runs import find_step_runs, reports, show_run
from .side import PLOTS, WORKSPACE, Side, git, missing, read_side

__all__ = ["compare", "diff_values"]

PAGE = Path("reports", "compare.html")


def compare(root: Path, a: str, b: str) -> str:
    """Write the page that compares `a` with `b`; return in a line what differs. Nothing is checked out.

    Parameters
    ----------
    a, b
        A git revision, the name of a DVC experiment, or `workspace`.

    Raises
    ------
    StepError
        One of them is unknown or cannot be read, or nothing differs.
    """
    with chdir(root), Repo(str(root)) as repo:  # DVC names files as seen from where it stands
        sides = [read_side(repo, a), read_side(repo, b)]
        if sides[0].rev == sides[1].rev:
            raise StepError(f"{a} and {b} are the same commit ({sides[0].commit}): there is nothing to compare.")
        found = {
            "parameters": diff_values(repo.params.diff, sides, all=False),
            "metrics": diff_values(repo.metrics.diff, sides, all=True),
        }
    found |= _compare_files(root, *sides)
    found["reports"] = _compare_reports(*sides)
    if not _count(found):
        raise StepError(f"Nothing differs between {a} and {b}: same parameters, notebooks, code and results.")
    runs, found["no_runs"] = find_step_runs(root, sides)
    found["sides"] = list(zip("AB", sides, map(show_run, runs), strict=True))
    for report in found["reports"]:
        report["runs"] = [of_side.get(report["path"]) for of_side in runs]
    with replace_file(root / PAGE) as file:
        file.write_text(render(found), encoding="utf-8")
    return f"{PAGE}: {a} against {b}; {_count(found)}"


def diff_values(ask, sides: list[Side], all: bool) -> list[dict]:
    """Return rows of file, name, old, new, difference from DVC's own comparison, by name."""
    answer = ask(*(side.rev for side in sides), all=all)
    for side in sides:
        errors = answer.get("errors", {}).get(side.rev, {})
        if isinstance(errors, Exception):
            raise missing(side.name, side.rev, "params.yaml or a metrics file", errors)
        for path, error in errors.items():
            raise missing(side.name, side.rev, path, error)
    rows = [
        {"file": file, "name": name, "old": value.get("old"), "new": value.get("new"), "difference": value.get("diff")}
        for file, values in answer.get("diff", {}).items()
        for name, value in values.items()
    ]
    return sorted(rows, key=lambda row: (row["file"], row["name"]))


def _compare_files(root: Path, a: Side, b: Side) -> dict[str, list]:
    """Return what differs among notebooks and other files of git, and all plots."""
    paths = sorted(a.files.keys() | b.files.keys())
    both = [(path, a.files.get(path), b.files.get(path)) for path in paths]
    plots = [{"path": path, "a": old, "b": new} for path, old, new in both if path.endswith(PLOTS)]
    notebooks = [
        {"path": path, "lines": lines}
        for path, old, new in both
        if path.endswith(".ipynb") and old != new and (lines := diff_notebooks(path, old, new))
    ]
    revs = [side.rev for side in (a, b) if side.rev != WORKSPACE]
    backwards = ["-R"] if a.rev == WORKSPACE else []
    named = git(root, "diff", "--name-only", "-z", *backwards, *revs).split("\0")
    if len(revs) == 1:
        named += git(root, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    shown = {"dvc.lock", "params.yaml", *(path for path in paths if path.endswith(".ipynb"))}
    return {"plots": plots, "notebooks": notebooks, "others": sorted({*filter(None, named)} - shown)}


def _compare_reports(a: Side, b: Side) -> list[dict]:
    paths = dict.fromkeys([*reports(a), *reports(b)])
    return [{"path": path, "same": a.written.get(path) == b.written.get(path)} for path in paths]


def _count(found: dict) -> str:
    """Count what differs, in words; empty if nothing does."""
    counts = {
        "parameter": len(found["parameters"]),
        "metric": sum(row["old"] != row["new"] for row in found["metrics"]),
        "plot": sum(plot["a"] != plot["b"] for plot in found["plots"]),
        "notebook": len(found["notebooks"]),
        "report": sum(not report["same"] for report in found["reports"]),
        "other file": len(found["others"]),
    }
    words = [f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items() if count]
    return ", ".join(words) + (" differ" if sum(counts.values()) > 1 else " differs") if words else ""
