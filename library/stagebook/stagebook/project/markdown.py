"""Pieces of Markdown that GitHub shows as they are meant, with any name of a column or file; and the look of our pages."""

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["INDEX", "MARK", "code", "link", "prose", "read_style", "show_bytes", "show_number", "show_share", "table"]

INDEX = "README.md"
MARK = "<!-- Written by `stagebook catalog`; do not edit. Meaning comes from data/schema.yaml, the rest from what is there. -->"


def code(text: str) -> str:
    """Return a name as code; an odd one as HTML, for Markdown has no way to write all names in a table."""
    if re.fullmatch(r"[\w.,:/()%°\[\]<>=-]+( [\w.,:/()%°\[\]<>=-]+)*", text):
        return f"`{text}`"
    return f"<code>{''.join(char if char.isalnum() else f'&#{ord(char)};' for char in text)}</code>"


def prose(text: object) -> str:
    """Return a text that somebody wrote as one line without Markdown of its own."""
    return re.sub(r"([\\`*_|<\[\]$~&])", r"\\\1", " ".join(str(text).split()))


def link(text: str, target: str) -> str:
    """Return a link to a file."""
    return f"[{text}](<{target}>)" if re.search(r"[^\w./-]", target) else f"[{text}]({target})"


def read_style() -> str:
    """Return the CSS that all our pages share: reports, cards, comparison."""
    return Path(__file__).with_name("page.css.j2").read_text(encoding="utf-8")


def table(head: Iterable[str], rows: Iterable[Iterable[str]], right: str = "") -> list[str]:
    """Return the lines of a table; the columns named in `right` hold numbers."""
    head = list(head)
    rule = ["---:" if name and name in right.split() else "---" for name in head]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def show_number(value: float) -> str:
    """Return a number with at most four decimals, and a very small one with its power of ten."""
    small = value != 0 and abs(value) < 0.0001
    return f"{value:.1e}" if small else f"{value:,.4f}".rstrip("0").rstrip(".")


def show_bytes(size: int | None) -> str:
    """Return a size with its unit, as in 1.2 MB."""
    if size is None:
        return ""
    number, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if number < 999.5:
            break
        number, unit = number / 1000, larger
    return f"{number:.0f} {unit}" if unit == "B" or number >= 99.5 else f"{number:.1f} {unit}"


def show_share(part: int, whole: int) -> str:
    """Return a share in percent; nothing and all only if it is exactly that."""
    share = part / whole if whole else 0.0
    if 0 < share < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < share < 1 else f"{share:.1%}" if 0 < share < 1 else f"{share:.0%}"
