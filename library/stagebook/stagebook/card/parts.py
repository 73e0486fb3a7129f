"""Pieces that both cards are made of: Markdown lines, safe whatever a text or a name holds."""

from collections.abc import Iterable

from ..project.markdown import prose, show_number, table

__all__ = ["bullets", "facts_table", "plain", "section", "show", "show_figure", "text_or_gap", "verdict"]

GAP = "**not filled in**"


def show(value: object) -> str:
    """Return a value for a table: numbers as people write them, the rest as text."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return show_number(value) if isinstance(value, float) else prose(value)


def show_figure(value: object) -> str:
    """Return a figure with four decimals, so that a column of them can be compared; large ones as they are."""
    return f"{value:.4f}" if isinstance(value, float) and abs(value) < 10 else show(value)


def plain(name: str) -> str:
    """Return a name of ours as words: without underscores."""
    return prose(name.replace("_", " "))


def verdict(point: dict) -> str:
    """Return in a word what the gate says of a point."""
    if not point["passed"]:
        return "refused"
    return "not asked" if point["message"].startswith("not asked") else "passed"


def text_or_gap(text: str) -> str:
    """Return a text that somebody wrote; if nobody has, say so where a reader sees it."""
    return prose(text) if text else GAP


def section(title: str, *blocks: Iterable[str]) -> list[str]:
    """Return a heading and the blocks below it, an empty line between; nothing without blocks."""
    lines = [line for block in map(list, blocks) if block for line in [*block, ""]]
    return [f"## {title}", "", *lines] if lines else []


def facts_table(facts: dict[str, str]) -> list[str]:
    """Return a table of name and value, without those that are empty; values are Markdown already."""
    rows = [[f"**{prose(name)}**", value] for name, value in facts.items() if value]
    return table(["", ""], rows) if rows else []


def bullets(items: Iterable[str]) -> list[str]:
    """Return a list; items are Markdown already."""
    return [f"- {item}" for item in items]
