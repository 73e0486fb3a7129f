"""An executed notebook as a page to read."""

from pathlib import Path

import nbformat
from jinja2 import FileSystemBytecodeCache
from nbconvert import HTMLExporter

__all__ = ["write_html"]


def write_html(executed: Path, page: Path) -> None:
    """Write the executed notebook as one HTML file that asks nothing of the network."""
    notebook = nbformat.read(executed, as_version=4)
    template = Path(__file__).with_name("report.html.j2")
    exporter = HTMLExporter(template_file=str(template), exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.environment.bytecode_cache = FileSystemBytecodeCache()  # nbconvert's templates, compiled once
    exporter.mathjax_url = exporter.require_js_url = exporter.jquery_url = ""
    titles = (cell.source.splitlines()[0][2:] for cell in notebook.cells if cell.source.startswith("# "))
    html, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": next(titles, executed.stem)}})
    page.write_text(html, encoding="utf-8")
