"""An executed notebook as a page to read."""

import re
from pathlib import Path

import nbformat
from jinja2 import FileSystemBytecodeCache
from nbconvert import HTMLExporter
from nbconvert.filters import ansi2html

__all__ = ["colours_to_html", "write_html"]


def write_html(executed: Path, page: Path) -> None:
    """Write the executed notebook as one HTML file that asks nothing of the network."""
    notebook = nbformat.read(executed, as_version=4)
    template = Path(__file__).with_name("report.html.j2")
    exporter = HTMLExporter(template_file=str(template), exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.environment.bytecode_cache = FileSystemBytecodeCache()  # nbconvert's templates, compiled once
    exporter.register_filter("ansi2html", colours_to_html)
    exporter.mathjax_url = exporter.require_js_url = exporter.jquery_url = ""
    titles = (cell.source.splitlines()[0][2:] for cell in notebook.cells if cell.source.startswith("# "))
    html, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": next(titles, executed.stem)}})
    page.write_text(html, encoding="utf-8")


def colours_to_html(text: str) -> str:
    """Turn colour codes into HTML, between two resets at a time: nbconvert copies the rest of the text at each code."""
    text = re.sub(r"\x1b\[[\d;]*[A-HJKSTf]", "", text)  # moves of the cursor, which nbconvert drops too
    return "".join(map(ansi2html, re.split(r"(?<=\x1b\[0m)|(?<=\x1b\[m)", text)))
