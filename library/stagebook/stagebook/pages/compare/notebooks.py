"""What differs between two versions of a notebook, cell by cell, by nbdime."""

import io
import re

import nbformat

from ...project.errors import StepError

__all__ = ["diff_notebooks"]

KINDS = {"## ": "cell", "+": "added", "-": "removed", "@@": "place"}


def diff_notebooks(path: str, before: bytes | None, after: bytes | None) -> list[tuple[str, str]]:
    """Return the lines of the difference, each with its kind: cell, added, removed, place, or nothing.

    Only cells and their order count: outputs and execution counts belong to the reports. None: there is no such notebook.
    """
    if before is None or after is None:
        return [("cell", "## the notebook is only in B" if before is None else "## the notebook is only in A")]
    import nbdime  # with its formats it takes a while
    from nbdime.prettyprint import PrettyPrintConfig, pretty_print_diff

    one, other = _read(path, before), _read(path, after)
    text = io.StringIO()
    settings = PrettyPrintConfig(out=text, use_git=False, use_diff=False, use_color=False)
    pretty_print_diff(one, nbdime.diff_notebooks(one, other), "", settings)
    ids = [cell.get("id", "") for cell in one.cells]
    return [(_kind(line), _name_cell(line, ids)) for line in text.getvalue().strip("\n").splitlines()]


def _read(path: str, content: bytes) -> nbformat.NotebookNode:
    try:
        notebook = nbformat.reads(content.decode("utf-8"), as_version=4)
    except Exception as error:  # nbformat raises what its parts do
        raise StepError(f"{path} is not a notebook: {str(error).splitlines()[0]}") from error
    notebook.metadata.pop("language_info", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _kind(line: str) -> str:
    return next((kind for start, kind in KINDS.items() if line.startswith(start)), "")


def _name_cell(line: str, ids: list[str]) -> str:
    """Say the number of a cell as a reader counts, and its id, where nbdime says /cells/7."""

    def name(found: re.Match) -> str:
        number = int(found[1])
        return f"cell {number + 1}" + (f" ({ids[number]})" if number < len(ids) and ids[number] else "")

    return re.sub(r"/cells/(\d+)(/source)?", name, line) if line.startswith("## ") else line
