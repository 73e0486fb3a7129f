"""A bound on what a report keeps of a notebook's outputs: DVC, MLflow and browsers get each of them.

The middle of a long text is cut, and an image or page that is too large is left out; a note stands in its place.
"""

import json

from nbformat import NotebookNode
from nbformat.v4 import new_output

__all__ = ["trim_outputs", "trim_text"]

TEXT_LENGTH = 200_000  # characters of one text: some 2,000 long lines
RICH_LENGTH, TOTAL_LENGTH = 20_000_000, 100_000_000  # of one image or page; of all texts, images and pages
OUTPUTS = 1_000  # of one cell


def trim_outputs(notebook: NotebookNode) -> NotebookNode:
    """Trim the outputs of all cells in place."""
    left = TOTAL_LENGTH
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _trim_number(cell.outputs)
            for output in cell.outputs:
                left -= _trim_output(output, left)
    return notebook


def trim_text(text: str, length: int = TEXT_LENGTH) -> str:
    """Return a text of about `length` characters: the first and last lines, and how much is missing between them."""
    if len(text) <= length:
        return text
    first, last = text[: length // 2], text[len(text) - length // 2 :]
    if "\n" in first and "\n" in last:  # whole lines
        first, last = first[: first.rindex("\n") + 1], last[last.index("\n") + 1 :]
    missing = text[len(first) : len(text) - len(last)]
    note = f"[... {missing.count(chr(10)):,} lines with {len(missing):,} characters are left out of the report ...]"
    return f"{first}\n{note}\n{last}"


def _trim_number(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return the first and last outputs; errors come last, so they are kept."""
    missing = len(outputs) - OUTPUTS
    if missing <= 0:
        return outputs
    note = new_output("stream", name="stderr", text=f"[... {missing:,} outputs are left out of the report ...]\n")
    return [*outputs[: OUTPUTS // 2], note, *outputs[-(OUTPUTS // 2) :]]


def _trim_output(output: NotebookNode, left: int) -> int:
    """Trim one output; leave it out if it is longer than what is `left` of the notebook. Return its length."""
    if output.output_type == "stream":
        output.text = trim_text(output.text, min(TEXT_LENGTH, max(left, 1_000)))
        return len(output.text)
    if output.output_type == "error":
        output.evalue = trim_text(output.evalue)
        output.traceback = [trim_text(line) for line in output.traceback]
        return len(output.evalue) + sum(map(len, output.traceback))
    return _trim_data(output, left)


def _trim_data(output: NotebookNode, left: int) -> int:
    """Trim the forms in which one output is shown: plain text is cut, anything else is kept whole or not at all."""
    notes, total = [], 0
    for kind, content in list(output.data.items()):
        if kind == "text/plain" and isinstance(content, str):
            output.data[kind] = content = trim_text(content)
        length = len(content) if isinstance(content, str) else len(json.dumps(content))
        if length > min(RICH_LENGTH, left - total):
            del output.data[kind]
            notes.append(f"[{kind} with {length:,} characters is left out of the report]")
        else:
            total += length
    if notes:
        output.data["text/plain"] = "\n".join([*filter(None, [output.data.get("text/plain")]), *notes])
        for kind in set(output.data) - {"text/plain"}:  # a page shows one form only, and that must have the note
            del output.data[kind]
    return total
