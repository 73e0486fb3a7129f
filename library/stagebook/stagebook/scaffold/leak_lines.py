"""The lines of any file in which a secret could be read: text, notebooks with their outputs, pages, what is between NUL bytes."""

import html
import json
import re
from collections.abc import Iterator

__all__ = ["read_lines"]

PIECE, OVERLAP = 4_000, 400  # characters: regular expressions take long on long lines, and no secret is that long
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # of a traceback: they stand between name and value
TAGS = re.compile(r"<[^<>]{0,500}>")
UNREADABLE = re.compile(rb"[^\t\n\r\x20-\x7e]+")
PICTURE = re.compile(r"(image|audio|video|font)/(?!svg)|application/(pdf|octet-stream)")
SHORTEST = 16  # characters of text in a binary file


def read_lines(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    """Yield where each line is, and the line without colours; a long line in pieces that overlap."""
    for where, line in _all_lines(name, content):
        line = COLOURS.sub("", line).replace("\r", "")
        if "pragma: allowlist secret" in line:
            line = line if len(line) <= PIECE else ""
        for start in range(0, max(len(line), 1), PIECE - OVERLAP):
            yield where, line[start : start + PIECE]


def _all_lines(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = content.decode("utf-16", errors="replace")
    elif b"\0" in content:
        text = _between_nul(content)
    else:
        text = content.decode("utf-8", errors="replace")
    if name.endswith(".ipynb"):
        try:
            yield from _notebook_lines(json.loads(text))
            return
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass  # not a notebook after all
    is_page = name.lower().endswith((".html", ".htm", ".svg", ".xml"))
    for number, line in enumerate(text.split("\n"), start=1):
        for seen in _as_seen(line) if is_page else (line,):
            yield f"line {number}", seen


def _between_nul(content: bytes) -> str:
    """Return what can be read in a binary file; of text with NUL bytes in it (UTF-16 without its mark) all of it."""
    readable = content.replace(b"\0", b"")
    parts = UNREADABLE.sub(b"\n", readable)
    text = parts.decode("ascii")
    if len(text) >= 0.9 * len(readable):
        return text
    lines = text.split("\n")
    return "\n".join(line if len(line) >= SHORTEST else "" for line in lines)


def _as_seen(line: str) -> tuple[str, ...]:
    """Return a line of a page as it is and, if that differs, as a reader sees it."""
    seen = html.unescape(TAGS.sub("", line)) if "<" in line or "&" in line else line
    return (line,) if seen == line else (line, seen)


def _notebook_lines(notebook: dict) -> Iterator[tuple[str, str]]:
    """Yield the lines of each cell: source, all outputs (tracebacks, pages, data for widgets), metadata, attachments."""
    for number, cell in enumerate(notebook["cells"], start=1):
        where = f"cell {number} ({cell['id']})" if "id" in cell else f"cell {number}"
        for line in _text(cell["source"]).split("\n"):
            yield where, line
        others = {key: value for key, value in cell.items() if key not in ("source", "id", "cell_type")}
        yield from ((where, line) for line in _leaves(others))
    others = {key: value for key, value in notebook.items() if key != "cells"}
    yield from (("notebook metadata", line) for line in _leaves(others))


def _leaves(value: object, key: str = "") -> Iterator[str]:
    """Yield the lines of all texts in a JSON value, a short one with its key: `"api_key": "..."`."""
    if isinstance(value, dict):
        for name, one in value.items():
            if not PICTURE.match(name):
                yield from _leaves(one, name)
    elif isinstance(value, list) and not all(isinstance(one, str) for one in value):
        for one in value:
            yield from _leaves(one, key)
    elif isinstance(value, str | list):
        text = _text(value, "\n" if key == "traceback" else "")
        for line in text.split("\n"):
            yield from _as_seen(line) if "html" in key or "svg" in key else (line,)
        if isinstance(value, str) and len(value) < 200 and "\n" not in value and "/" not in key:
            yield f"{key} = {json.dumps(value)}"


def _text(value: str | list, between: str = "") -> str:
    """Return a text of a notebook, which may be a list of its lines."""
    return value if isinstance(value, str) else between.join(value)
