"""The Markdown of the project as Sphinx reads it: links between its files work on the site, diagrams are drawn."""

import html
import re
import shutil
from dataclasses import dataclass
from os.path import normpath, relpath
from pathlib import Path

import networkx as nx

from .flowchart import draw_flowchart, parse_flowchart

__all__ = ["Site", "adapt_markdown", "link_report"]

FENCE = re.compile(r"(^ {0,3}```.*?^ {0,3}```[ \t]*$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[((?:[^\[\]\\]|\\.)*)\]\((<[^>\n]+>|[^()\s]+)\)")
STEPS = ("notebooks/", "pipelines/")
WRITTEN_LATER = ("data", "docs/data", "models", "reports")  # by a run or by `stagebook catalog`


@dataclass(frozen=True)
class Site:
    """Where the pages come from and go to: `source` has the pages at the same places as the project in `root` has them.

    `tracked` is what git has, `reports` what is copied to the site as it is; both are paths relative to the project.
    """

    root: Path
    source: Path
    tracked: frozenset[str]
    reports: frozenset[str]


def adapt_markdown(site: Site, page: str, text: str) -> str:
    """Return the text of `page` (a path in the project) for Sphinx; write its diagrams beside it."""
    parts = FENCE.split(text)
    for number, part in enumerate(parts):
        if number % 2 == 0:
            parts[number] = LINK.sub(lambda link: _adapt_link(site, page, link), part)
        elif part.lstrip().startswith("```mermaid"):
            parts[number] = _draw(site.source / page, number, part)
    return "".join(parts)


def link_report(page: str, report: str, text: str) -> str:
    """Return a link from a page to a report, which Sphinx does not know of."""
    return f'<a href="{html.escape(_relative(page, report))}">{text}</a>'


def _adapt_link(site: Site, page: str, link: re.Match) -> str:
    text, target = link[1], link[2].strip("<>")
    path, _, anchor = target.partition("#")
    if not path or re.match(r"[a-z]+:|/", path):
        return link[0]
    for start in (Path(page).parent, Path("reports") if page.startswith(STEPS) else None):
        file = normpath(start / path) if start else ""
        if file in site.reports:
            return link_report(page, file, text)
        for there in (file, f"{file}/README.md"):
            if file and ((site.source / there).is_file() or _take(site, there)):
                return f"[{text}](<{_relative(page, there)}{'#' * bool(anchor)}{anchor}>)"
    file = normpath(Path(page).parent / path)
    later = page.startswith(STEPS) or any(f"{file}/".startswith(f"{folder}/") for folder in WRITTEN_LATER)
    return text if later or (site.root / file).is_dir() else link[0]


def _take(site: Site, file: str) -> bool:
    """Copy a file that git has to the site, as one to download; return whether there is one."""
    if file not in site.tracked or not (site.root / file).is_file():
        return False
    (site.source / file).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(site.root / file, site.source / file)
    return True


def _relative(page: str, file: str) -> str:
    return Path(relpath(file, Path(page).parent)).as_posix()


def _draw(page: Path, number: int, block: str) -> str:
    """Return the drawing of a diagram; one that cannot be drawn here is shown as it is written, folded."""
    chart = parse_flowchart("\n".join(block.splitlines()[1:-1]))
    if chart and nx.is_directed_acyclic_graph(nx.DiGraph(chart.edges)):
        drawing = page.with_name(f"{page.stem}-diagram-{number}.svg")
        drawing.write_text(draw_flowchart(chart, "Diagram"), encoding="utf-8")
        return f"![Diagram](<{drawing.name}>)"
    return f"<details><summary>Diagram, as written in Mermaid</summary>\n\n{block}\n\n</details>"
