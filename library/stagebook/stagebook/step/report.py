"""An executed notebook as a page to read."""

import re
from pathlib import Path
from urllib.parse import quote

import nbformat
from jinja2 import FileSystemBytecodeCache
from nbconvert import HTMLExporter
from nbconvert.filters import ansi2html
from nbformat import NotebookNode

from ..project.markdown import read_style

__all__ = ["colours_to_html", "results_first", "write_html"]

RESULTS = "## Results"
FEW_HEADINGS = 4  # a shorter page needs no table of contents


def write_html(executed: Path, page: Path, scripts: bool = False) -> None:
    """Write the executed notebook as one HTML file that asks nothing of the network; its scripts run only with `scripts`."""
    notebook = nbformat.read(executed, as_version=4)
    notebook.cells = results_first(notebook.cells)
    template = Path(__file__).with_name("report.html.j2")
    exporter = HTMLExporter(template_file=str(template), exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.environment.bytecode_cache = FileSystemBytecodeCache()  # nbconvert's templates, compiled once
    exporter.register_filter("ansi2html", colours_to_html)
    exporter.mathjax_url = exporter.require_js_url = exporter.jquery_url = ""
    titles = (cell.source.splitlines()[0][2:] for cell in notebook.cells if cell.source.startswith("# "))
    resources = {"metadata": {"name": next(titles, executed.stem)}, "style": read_style(), "policy": _policy(scripts)}
    html, _ = exporter.from_notebook_node(notebook, resources=resources)
    page.write_text(html, encoding="utf-8")


def _policy(scripts: bool) -> str:
    """Return the content security policy: nothing from elsewhere; a script in an output comes from the data at worst."""
    run = "'unsafe-inline' 'unsafe-eval' blob:" if scripts else "'none'"
    kinds = {"img": "data:", "media": "data:", "font": "data:", "style": "'unsafe-inline'", "script": run}
    return "; ".join(["default-src 'none'", *(f"{kind}-src {sources}" for kind, sources in kinds.items())])


def results_first(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Return the cells as a reader wants them: title, contents, results, then what was read and how it was made.

    The results are the cells from `## Results` on. A notebook that failed keeps its order: its reader looks for the error.
    """
    if any(output.output_type == "error" for cell in cells for output in cell.get("outputs", [])):
        return cells
    place = next((n for n, cell in enumerate(cells) if cell.source.startswith(RESULTS)), len(cells))
    title, rest = cells[:1], cells[1:place]
    ordered = [*cells[place:], *rest]
    return [*title, *_contents(ordered), *ordered]


def _contents(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Return a cell with a link to each heading of a long page; nothing for a short one."""
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    headings = [heading for text in texts for heading in re.findall(r"^##+ (.+?)\s*$", text, re.MULTILINE)]
    if len(headings) < FEW_HEADINGS:
        return []
    # The anchors are those that nbconvert gives to headings.
    links = [f"[{heading}](#{quote(re.sub(r'[`*]', '', heading).replace(' ', '-'))})" for heading in headings]
    return [nbformat.v4.new_markdown_cell("On this page: " + " · ".join(links), id="contents")]


def colours_to_html(text: str) -> str:
    """Turn colour codes into HTML, between two resets at a time: nbconvert copies the rest of the text at each code."""
    text = re.sub(r"\x1b\[[\d;]*[A-HJKSTf]", "", text)  # moves of the cursor, which nbconvert drops too
    return "".join(map(ansi2html, re.split(r"(?<=\x1b\[0m)|(?<=\x1b\[m)", text)))
