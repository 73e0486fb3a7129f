"""A card as one HTML page that asks nothing of the network: text escaped, plots inside."""

import base64
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import mistune
from jinja2 import Environment
from markupsafe import Markup

from ..project.markdown import read_style

__all__ = ["to_html"]

VERDICTS = {"passed": "good", "refused": "bad"}


class CardRenderer(mistune.HTMLRenderer):
    """Takes over plots, and marks what passed and what was refused."""

    def __init__(self, plots: dict[str, Path]) -> None:
        super().__init__(escape=True)
        self.plots = plots

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Return a plot with its bytes in the page; nothing for one that is not ours."""
        file = self.plots.get(unquote(unescape(url)))
        if file is None:
            return ""
        data = base64.b64encode(file.read_bytes()).decode()
        return f'<span class="plot"><img alt="{mistune.escape(text)}" src="data:image/png;base64,{data}"></span>'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Return a link to the other card's page; the text alone for any other."""
        page = re.fullmatch(r"(model_card|data_sheet)\.md", url)
        return f'<a href="{page[1]}.html">{text}</a>' if page else text


def to_html(text: str, stamp: str, plots: dict[str, Path]) -> str:
    """Return the page.

    Parameters
    ----------
    text : str
        The card in Markdown; its first line is the title.
    stamp : str
        The comment that says what the card was made from.
    plots : dict of Path
        Files by the link that the Markdown has.
    """
    body = mistune.create_markdown(renderer=CardRenderer(plots), plugins=["table"])(text)
    for word, look in VERDICTS.items():
        body = body.replace(f"<td>{word}</td>", f'<td class="{look}">{word}</td>')
    body = body.replace("<blockquote>\n<p><strong>Passed", '<blockquote class="good">\n<p><strong>Passed')
    template = Environment(autoescape=True).from_string(Path(__file__).with_name("page.html.j2").read_text("utf-8"))
    title = text.splitlines()[0].removeprefix("# ").replace("\\", "")
    return template.render(title=title, body=Markup(body), stamp=Markup(stamp), style=Markup(read_style())) + "\n"
