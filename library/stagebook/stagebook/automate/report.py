"""What a pull request does to the model, as Markdown: the gate, metrics and parameters against the base, where to look."""

import json
from contextlib import chdir
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.scm import RevError, resolve_rev

from ..pages.compare.side import git
from ..project.errors import StepError
from ..project.markdown import code, prose, table

__all__ = ["MARKER", "REPORT", "write_report"]

REPORT = Path("reports", "pull_request.md")
MARKER = "<!-- report of the notebook pipeline -->"
FIGURES = "reports/metrics.json"
MOST_ROWS = 100  # of a table: GitHub takes 65,536 characters
COLOUR = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "#4c78a8"}}}}%%'
NOT_YET = "Nothing was registered or promoted: a run on the main branch does that, or a person."
MORE = "`card/model_card.html`; plots and notebooks side by side: `compare.html`."


def write_report(root: Path, base: str) -> Path:
    """Write reports/pull_request.md: the workspace against the commit where it left `base`; return its path.

    Raises
    ------
    StepError
        There is no such revision, or the pipeline has not run here.
    """
    try:
        decision = json.loads((root / "reports" / "registration.json").read_text(encoding="utf-8"))
        metrics = json.loads((root / FIGURES).read_text(encoding="utf-8"))
    except OSError as error:
        raise StepError(
            f"{error.filename} is missing: there is nothing to report. `make pipeline` writes it."
        ) from error
    with chdir(root), Repo(str(root)) as repo:
        try:
            revision = resolve_rev(repo.scm, git(root, "merge-base", base, "HEAD").strip() or base)
        except RevError as error:
            raise StepError(f"{base}: {error}. `git fetch origin` brings the branches of others.") from error
        metrics_table, no_metrics = _compare(repo.metrics.diff, revision)
        parameters, _ = _compare(repo.params.diff, revision)
    rows = [row for row in metrics_table if row[0].startswith("candidate.")]
    lines = [
        MARKER,
        f"## {_headline(decision)}",
        "",
        f"{git(root, 'rev-parse', '--short=10', 'HEAD').strip()} against {prose(base)} ({revision[:10]}).",
        *_show_state(root, revision),
        *_show_preview(decision),
        *_show_gate(decision),
        *_show_values("Metrics of the candidate on the hold-out", rows, no_metrics or "No metric differs."),
        *_draw_metrics(decision, metrics),
        *_show_values("Parameters", parameters, "No parameter differs."),
        "",
        f"All pages: {', '.join(code(page.name) for page in sorted((root / 'reports').glob('[0-9]*.html')))}, {MORE}",
        "",
    ]
    text = "\n".join(lines).replace("@", "@\u200b")  # nobody is mentioned by data
    (root / REPORT).write_text(text, encoding="utf-8")
    return root / REPORT


def _compare(ask, revision: str) -> tuple[list[tuple], str]:
    """Return name, old and new value of what differs between the revision and the workspace; or why that is not known."""
    try:
        answer = ask(revision, "workspace", all=False)
    except (DvcException, OSError) as error:
        return [], f"Those of the base cannot be read: {(str(error) or type(error).__name__).splitlines()[0]}"
    if errors := answer.get("errors", {}).get(revision):
        return [], f"Those of the base cannot be read: no run of it is in git and the remote ({type(errors).__name__})."
    rows = [
        (name, value.get("old"), value.get("new"), value.get("diff"))
        for values in answer.get("diff", {}).values()
        for name, value in values.items()
    ]
    return sorted(rows), ""


def _headline(decision: dict) -> str:
    version = f"{prose(decision['model'])} version {decision['version']}"
    if decision["refused"]:
        return f"The gate refuses {version}"
    return f"{version} passes the gate" + (" and is champion" if decision["alias"] == "champion" else "")


def _show_preview(decision: dict) -> list[str]:
    """Say by whose thresholds a pull request was evaluated, and what its own would refuse."""
    if not (base := decision.get("base")):
        return []
    lines = ["", f"A preview: the thresholds are those of docs/requirements.yaml on {prose(base)}. {NOT_YET}"]
    if (own := decision.get("refused_after_merge")) is None:
        return lines
    verdict = f"refuse: {'; '.join(map(prose, own))}" if own else "refuse nothing"
    return [
        *lines,
        "",
        f"**This pull request changes docs/requirements.yaml.** After the merge its thresholds would {verdict}.",
    ]


def _show_state(root: Path, base: str) -> list[str]:
    """Say that this run came to other results than those that were committed; a retraining always does."""
    head = git(root, "rev-parse", "HEAD").strip()
    if base == head or "dvc.lock" not in git(root, "diff", "--name-only", "HEAD").split():
        return []
    return [
        "",
        "`dvc.lock` of this commit is not up to date: these are the results of a run here. `make pipeline`, and commit.",
    ]


def _show_gate(decision: dict) -> list[str]:
    rows = [
        (
            "passed" if point["passed"] else "**REFUSED**",
            code(point["gate"]),
            prose(point["message"]),
            prose(point["owner"]),
        )
        for point in sorted(decision["points"], key=lambda point: point["passed"])
    ]
    refused = [
        reason for reason in decision["refused"] if reason not in [point["message"] for point in decision["points"]]
    ]
    passed = sum(point["passed"] for point in decision["points"])
    return [
        "",
        *(f"- {prose(reason)}" for reason in refused),
        f"<details{' open' if decision['refused'] else ''}><summary>{passed} of {len(rows)} gates passed</summary>",
        "",
        *table(["", "gate", "what was found", "owner"], rows),
        "",
        "</details>",
    ]


def _show_values(title: str, rows: list[tuple], otherwise: str) -> list[str]:
    if not rows:
        return ["", f"**{title}**: {prose(otherwise)}"]
    cells = [(code(name), _show(old), _show(new), _show(change, "+")) for name, old, new, change in rows[:MOST_ROWS]]
    more = ["", f"{len(rows) - MOST_ROWS:,} more are in `compare.html`."] if len(rows) > MOST_ROWS else []
    return ["", f"**{title}**", "", *table(["", "base", "here", "change"], cells, right="base here change"), *more]


def _show(value: object, sign: str = "") -> str:
    if isinstance(value, float):
        shown = f"{value:{sign},.4f}" if value == 0 or abs(value) >= 1e-4 else f"{value:{sign}.2e}"
        return shown.rstrip("0").rstrip(".") if "." in shown and "e" not in shown else shown
    return "" if value is None else prose(json.dumps(value) if isinstance(value, list | dict) else value)


def _draw_metrics(decision: dict, metrics: dict) -> list[str]:
    """Draw the deciding metric of each model; GitHub and GitLab draw Mermaid."""
    figure, tried = decision["metric"], metrics.get("tried", {})
    models = {name: metrics.get(name, {}) for name in ("trivial", "baseline", "candidate")}
    models |= {"champion": {figure: decision["rivals"].get("champion")}} | tried
    values = {name: found[figure] for name, found in models.items() if isinstance(found.get(figure), int | float)}
    bars, names = ", ".join(f"{value:.4g}" for value in values.values()), ", ".join(f'"{name}"' for name in values)
    low, high = min(0, *values.values()), max(0, *values.values())  # a bar starts at zero
    axes = [f"  x-axis [{names}]", f"  y-axis {low:.4g} --> {high:.4g}"]
    chart = [COLOUR, "xychart-beta horizontal", f'  title "{figure} on the hold-out"', *axes, f"  bar [{bars}]"]
    return ["", "```mermaid", *chart, "```"]
