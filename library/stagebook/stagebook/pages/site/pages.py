"""The pages that no notebook and no document has: the start and the reports."""

import json
import shutil
from pathlib import Path

import networkx as nx

from ...card.facts import collect_facts
from ...card.render import render
from ...project.markdown import link, prose, table
from ...project.root import find_notebooks
from ..catalog.diagram import STYLES
from ..catalog.graph import Graph, Step, read_graph
from .flowchart import Flowchart, Node, draw_flowchart
from .history import METRICS, MOST_COMMITS, Commit, draw_history, tabulate_history
from .links import Site, link_report
from .reports import CARDS, COMPARISON

__all__ = ["write_reports_page", "write_start_page"]

PLOTS = ["reports/evaluation/metrics.png", "reports/evaluation/roc.png", "reports/evaluation/calibration.png"]
HEAD = ["step", "what it does", "executed"]
ABOUT = (
    f"The newest commits that changed `dvc.lock`, {MOST_COMMITS} at most: metrics of the candidate on the hold-out, "
    "and the first of them for the baseline."
)
FETCH = "`dvc fetch --all-commits` brings what the remote has."
ARROWS = (
    "An arrow leads from a step to those that need what it writes; those that follow from others are left out. "
    "A name leads to the notebook."
)
NOT_RUN = (
    "No report is here yet: `make pipeline` makes them, `dvc pull` brings those of a run elsewhere. Then `make docs`."
)


def write_start_page(
    site: Site, title: str, commits: list[Commit], documents: list[str], data: list[str], manual: list[str]
) -> None:
    """Write index.md: what the model is for and how good it is, and where things are.

    Parameters
    ----------
    commits : list of Commit
        The commits that changed the metrics, oldest first, as `read_history` returns them.
    documents, data, manual : list of str
        Pages of the project, of the data catalog, and of the library.
    """
    first = [link("Reports of the latest run", "reports.md")]
    first += [link("Model card", "reports.md#model-card-and-data-sheet")] if _cards(site) else []
    first += [link("The data", data[0])] if data else []
    lines = [_overview(site, title, commits), "## More", "", *(f"- {one}" for one in first), ""]
    lines += _toctree("Reports", ["reports.md"])
    notebooks = [file.relative_to(site.root).as_posix() for file in find_notebooks(site.root)]
    lines += _toctree("Notebooks", [name for name in notebooks if (site.source / name).is_file()])
    lines += _toctree("Documents", documents) + _toctree("Data", data) + _toctree("The library", manual)
    (site.source / "index.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _overview(site: Site, title: str, commits: list[Commit]) -> str:
    """Return the answers to what a stakeholder asks, as Markdown; copy the plots that they show."""
    facts = collect_facts(site.root)
    file = site.root / "reports" / "registration.json"
    registration = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    shown = [site.root / plot for plot in PLOTS if (site.root / plot).is_file()][:2]
    for plot in shown:
        shutil.copyfile(plot, site.source / plot.name)
    changed = commits[-2:] if len(commits) > 1 else []
    more = {"title": title, "registration": registration, "shown": shown, "changed": changed}
    more["metric_name"] = next(iter(facts["metrics"].get("candidate") or {}), "")
    return render(Path(__file__).with_name("overview.md.j2"), facts | more)


def write_reports_page(site: Site, commits: list[Commit], skipped: int) -> str:
    """Write reports.md: the pipeline, its latest reports, the metrics over commits; return a line on what is shown."""
    graph = read_graph(site.root)
    drawing = draw_flowchart(_steps_only(site, graph), "The steps of the pipeline")
    lines = ["# Reports", "", "## The latest run", ""]
    rows = _step_rows(site, "reports.md", graph)
    executed = sum(bool(row[-1]) for row in rows)
    lines += table(HEAD, rows) if executed else [NOT_RUN]
    if cards := _cards(site):
        lines += ["", "## Model card and data sheet", "", *(f"- {card}" for card in cards)]
    if COMPARISON in site.reports:
        comparison = link_report("reports.md", COMPARISON, "The latest comparison")
        lines += ["", "## Comparison", "", f"{comparison} of two versions, by `stagebook compare`."]
    history, said = _history(site, commits, skipped)
    lines += ["", "## Metrics over commits", "", *history]
    lines += ["", "## The pipeline", "", ARROWS, "", "```{raw} html", *drawing.splitlines(), "```", ""]
    (site.source / "reports.md").write_text("\n".join(lines), encoding="utf-8")
    return f"{executed} executed notebooks, {said}"


def _history(site: Site, commits: list[Commit], skipped: int) -> tuple[list[str], str]:
    """Return the lines of the table and the plot, and how many commits there are."""
    left_out = f"Commits left out, because their metrics are in no cache that can be reached: {skipped}. {FETCH}"
    lines = [left_out, ""] if skipped else []
    if not commits:
        return lines or ["No commit has metrics yet: `make pipeline`, then commit `dvc.lock`."], "no metrics of commits"
    (site.source / "history.svg").write_text(draw_history(commits), encoding="utf-8")
    plot = "![The deciding metric, over commits](history.svg)"
    said = f"metrics of {len(commits)} commit{'s' * (len(commits) != 1)}"
    return [ABOUT, "", plot, "", *tabulate_history(commits), "", *lines], said


def _steps_only(site: Site, graph: Graph) -> Flowchart:
    """Return the steps as a flowchart: a name leads to the notebook, the line below to the report and its metrics."""
    needs = nx.DiGraph(
        (one, other)
        for one, step in enumerate(graph.steps)
        for other, reader in enumerate(graph.steps)
        if set(step.writes) & set(reader.reads)
    )
    nodes = {f"s{number}": _step_node(site, step) for number, step in enumerate(graph.steps)}
    edges = [(f"s{one}", f"s{other}") for one, other in sorted(nx.transitive_reduction(needs).edges)]
    return Flowchart(nodes, edges, {"step": dict(pair.split(":") for pair in STYLES["data"].split(","))})


def _step_node(site: Site, step: Step) -> Node:
    more = {}
    report = f"reports/{Path(step.notebook).stem}.html"
    if step.notebook and report in site.reports:
        more["report"] = report
        if METRICS in step.writes:
            more["metrics"] = "#metrics-over-commits"
    shown = step.notebook and (site.source / step.notebook).is_file()
    links = {step.name: step.notebook.replace(".ipynb", ".html")} if shown else {}
    return Node((step.name, " · ".join(more)) if more else (step.name,), True, "step", links | more)


def _cards(site: Site) -> list[str]:
    return [link_report("reports.md", file, name) for file, name in CARDS.items() if file in site.reports]


def _step_rows(site: Site, page: str, graph: Graph) -> list[list[str]]:
    """Return for each step its name, what it does, and its latest report if there is one."""
    rows = []
    for step in graph.steps:
        shown = step.notebook and (site.source / step.notebook).is_file()
        name = link(prose(step.name), step.notebook) if shown else prose(step.name)
        report = f"reports/{Path(step.notebook).stem}.html"
        executed = link_report(page, report, "report") if report in site.reports else ""
        rows.append([name, prose(step.description), executed])
    return rows


def _toctree(caption: str, pages: list[str]) -> list[str]:
    if not pages:
        return []
    return ["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"]
