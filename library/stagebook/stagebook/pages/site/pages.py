"""The pages that no notebook and no document has: the start and the reports."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import networkx as nx

from ...card.facts import collect_facts
from ...card.render import render
from ...project.markdown import link, prose, table
from ..catalog.diagram import STYLES
from ..catalog.graph import Graph, read_graph
from .flowchart import draw_flowchart, parse_flowchart
from .history import MOST_COMMITS, Point, draw_history, tabulate_history
from .links import Site, link_report

__all__ = ["write_reports_page", "write_start_page"]

CARD = {"reports/card/model_card.html": "Model card", "reports/card/data_sheet.html": "Data sheet"}
PLOTS = ["reports/evaluation/metrics.png", "reports/evaluation/roc.png", "reports/evaluation/calibration.png"]
HEAD = ["step", "what it does", "executed"]
ABOUT = (
    f"The newest commits that changed `dvc.lock`, {MOST_COMMITS} at most: metrics of the candidate on the hold-out, "
    "and the first of them for the baseline."
)
FETCH = "`dvc fetch --all-commits` brings what the remote has."
ARROWS = "An arrow leads from a step to those that need what it writes; those that follow from others are left out."
NOT_RUN = (
    "No report is here yet: `make pipeline` makes them, `dvc pull` brings those of a run elsewhere. Then `make docs`."
)


def write_start_page(
    site: Site, title: str, points: list[Point], documents: list[str], data: list[str], manual: list[str]
) -> None:
    """Write index.md: what the model is for and how good it is, and where things are.

    Parameters
    ----------
    points : list of Point
        The commits that changed the metrics, oldest first, as `read_history` returns them.
    documents, data, manual : list of str
        Pages of the project, of the data catalog, and of the library.
    """
    first = [link("Reports of the latest run", "reports.md")]
    first += [link("Model card", "reports.md#model-card-and-data-sheet")] if _cards(site) else []
    first += [link("The data", data[0])] if data else []
    lines = [_overview(site, title, points), "## More", "", *(f"- {one}" for one in first), ""]
    lines += _toctree("Reports", ["reports.md"])
    lines += _toctree("Notebooks", sorted(f"notebooks/{file.name}" for file in (site.source / "notebooks").glob("*")))
    lines += _toctree("Documents", documents) + _toctree("Data", data) + _toctree("The library", manual)
    (site.source / "index.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _overview(site: Site, title: str, points: list[Point]) -> str:
    """Return the answers to what a stakeholder asks, as Markdown; copy the plots that they show."""
    facts = collect_facts(site.root)
    file = site.root / "reports" / "registration.json"
    registration = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    shown = [site.root / plot for plot in PLOTS if (site.root / plot).is_file()][:2]
    for plot in shown:
        shutil.copyfile(plot, site.source / plot.name)
    changed = points[-2:] if len(points) > 1 else []
    more = {"title": title, "registration": registration, "shown": shown, "changed": changed}
    more["metric_name"] = next(iter(facts["metrics"].get("candidate") or {}), "")
    return render(Path(__file__).with_name("overview.md.j2"), facts | more)


def write_reports_page(site: Site, points: list[Point], skipped: int) -> str:
    """Write reports.md: the pipeline, its latest reports, the metrics over commits; return a line on what is shown."""
    graph = read_graph(site.root)
    drawing = draw_flowchart(parse_flowchart("\n".join(_steps_only(graph))), "The steps of the pipeline")
    (site.source / "pipeline.svg").write_text(drawing, encoding="utf-8")
    lines = ["# Reports", "", "## The latest run", ""]
    rows = _step_rows(site, "reports.md", graph)
    executed = sum(bool(row[-1]) for row in rows)
    lines += table(HEAD, rows) if executed else [NOT_RUN]
    if cards := _cards(site):
        lines += ["", "## Model card and data sheet", "", *(f"- {card}" for card in cards)]
    history, said = _history(site, points, skipped)
    lines += ["", "## Metrics over commits", "", *history]
    lines += ["", "## The pipeline", "", ARROWS, "", "![The steps of the pipeline](pipeline.svg)", ""]
    (site.source / "reports.md").write_text("\n".join(lines), encoding="utf-8")
    return f"{executed} executed notebooks, {said}"


def _history(site: Site, points: list[Point], skipped: int) -> tuple[list[str], str]:
    """Return the lines of the table and the picture, and how many commits there are."""
    left_out = f"Commits left out, because their metrics are in no cache that can be reached: {skipped}. {FETCH}"
    lines = [left_out, ""] if skipped else []
    if not points:
        return lines or ["No commit has metrics yet: `make pipeline`, then commit `dvc.lock`."], "no metrics of commits"
    (site.source / "history.svg").write_text(draw_history(points), encoding="utf-8")
    picture = "![The deciding metric, over commits](history.svg)"
    said = f"metrics of {len(points)} commit{'s' * (len(points) != 1)}"
    return [ABOUT, "", picture, "", *tabulate_history(points), "", *lines], said


def _steps_only(graph: Graph) -> Iterable[str]:
    yield "flowchart TB"
    for number, step in enumerate(graph.steps):
        yield f'  s{number}(["{step.name}"]):::step'
    needs = nx.DiGraph(
        (one, other)
        for one, step in enumerate(graph.steps)
        for other, reader in enumerate(graph.steps)
        if set(step.writes) & set(reader.reads)
    )
    yield from (f"  s{one} --> s{other}" for one, other in sorted(nx.transitive_reduction(needs).edges))
    yield f"  classDef step {STYLES['data']}"


def _cards(site: Site) -> list[str]:
    return [link_report("reports.md", file, name) for file, name in CARD.items() if file in site.reports]


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
