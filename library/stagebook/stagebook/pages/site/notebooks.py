"""The notebooks as pages: nbdev's processing without Quarto, which `nbdev-proc-nbs` would want to download."""

import re
from contextlib import chdir
from pathlib import Path

import nbformat
from fastcore.nbio import read_nb, write_nb
from nbdev.processors import FilterDefaults, exec_show_docs

from ...project.errors import StepError

__all__ = ["describe_function", "process_notebook"]

# What serves Quarto: MyST takes title and summary from the first cell as it is written.
FOR_QUARTO = ("FrontmatterProc", "insert_warning", "add_links", "clean_show_doc", "exec_show_docs", "add_fold")
DIRECTIVE = re.compile(r"^\s*#\|.*\n?", re.MULTILINE)


class DocumentExports(exec_show_docs):
    """Run what is exported, and ask for its documentation; run no test, which may take long."""

    def __call__(self, cell) -> None:
        """Run the cell if it is one of these."""
        if getattr(cell, "has_sd", False) or cell.directives_.keys() & {"export", "exports", "exporti"}:
            super().__call__(cell)


class SitePages(FilterDefaults):
    """nbdev's processors in their order, but for those that write for Quarto."""

    def base_procs(self) -> list:
        """Return the processors."""
        kept = [one for one in super().base_procs() if one.__name__ not in FOR_QUARTO]
        place = next(number for number, one in enumerate(kept) if one.__name__ == "rm_export")
        return [*kept[:place], DocumentExports, *kept[place:]]


def process_notebook(source: Path, page: Path, note: str = "") -> None:
    """Write the notebook as a page: narrative, the exported functions with their docstrings, tests, what a run does.

    Parameters
    ----------
    source, page : Path
    note : str
        Markdown that is put below the title.
    """
    notebook = read_nb(source)
    try:
        with chdir(source.parent):
            SitePages()(notebook)
    except Exception as error:  # a cell may raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[-1]
        raise StepError(f"notebooks/{source.name} cannot be shown ({reason}); `make test` says more.") from error
    page.parent.mkdir(parents=True, exist_ok=True)
    write_nb(notebook, page)
    shown = nbformat.read(page, as_version=4)
    cells = [_show(cell, number) for number, cell in enumerate(shown.cells)]
    shown.cells = [cell for cell in cells if cell.source.strip()]
    if note:
        shown.cells.insert(1, nbformat.v4.new_markdown_cell(note, id="note"))
    nbformat.write(shown, page)


def _show(cell: nbformat.NotebookNode, number: int) -> nbformat.NotebookNode:
    """Return the cell as a reader wants it: documentation as text, code without directives."""
    if cell.cell_type != "code":
        return cell
    documents = [output.data["text/markdown"] for output in cell.outputs if "text/markdown" in output.get("data", {})]
    if documents:
        return nbformat.v4.new_markdown_cell(describe_function("".join(documents[0])), id=f"function-{number}")
    return nbformat.v4.new_code_cell(DIRECTIVE.sub("", cell.source), id=cell.id)


def describe_function(text: str) -> str:
    """Return what show_doc says of a function in Markdown: its name as code, numpydoc's sections as lists."""
    text = text.removeprefix("---\n").strip()
    text = re.sub(r"^(#+) (\w+)$", r"\1 `\2`", text, count=1, flags=re.MULTILINE)
    heading, fence, signature, fenced, words = re.split(r"(^```.*$)", text, maxsplit=2, flags=re.MULTILINE)
    text, *sections = re.split(r"^(\w[\w ]*)\n-{3,}$", _escape(words), flags=re.MULTILINE)
    if sections:  # which say what show_doc repeats beside each parameter
        signature = re.sub(r" +# .*$", "", signature, flags=re.MULTILINE)
    parts = [heading + fence + signature + fenced + text.rstrip()]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        entries = [re.sub(r"^(\S.*)$", r"- \1  ", line) for line in body.strip("\n").splitlines()]
        parts += [f"**{title}**", "\n".join(entries)]
    return "\n\n".join(parts) + "\n"


def _escape(text: str) -> str:
    """Return the text with `<` as a letter where it is not in code."""
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in re.split(r"(`[^`]*`)", text))
