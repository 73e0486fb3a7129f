"""The page of a comparison."""

import base64
import json
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from ...project.markdown import read_style

__all__ = ["render", "show_value"]

TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}


def render(found: dict) -> str:
    """Return the page; everything in it is escaped."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"value": show_value, "embed": _embed}
    template = Path(__file__).with_name("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(found | {"style": Markup(read_style())})


def show_value(value: object, sign: str = "") -> str:
    """Return a number with six digits (`sign` is `+` for differences), text as it is, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value if isinstance(value, str) else json.dumps(value)
    return f"{value:{sign},}" if isinstance(value, int) else f"{value:{sign},.6g}"


def _embed(plot: bytes, path: str) -> str:
    return f"data:{TYPES[Path(path).suffix]};base64,{base64.b64encode(plot).decode()}"
