"""Draw a flowchart, written in the part of Mermaid that the catalog uses, as SVG: no browser and no network needed."""

import html
import re
from dataclasses import dataclass, field

from .layers import Point, lay_out

__all__ = ["Flowchart", "Node", "draw_flowchart", "parse_flowchart"]

NODE = re.compile(r'(\w+)(\(\[|\[\[|\[)"([^"]*)"(?:\]\)|\]\]|\])(?::::(\w+))?')
EDGE = re.compile(r"(\w+) --> (\w+)(.*)")
STYLE = re.compile(r"classDef (\w+) ([\w#,:-]+)")
TIP = (
    '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 8 4 0 8z" fill="#8c959f"/></marker>'
)
LETTER, LINE, SPACE = 7.0, 17, 12  # pixels: width of a letter, height of a line, space around text


@dataclass(frozen=True)
class Node:
    """A box: its lines of text, whether it is round, the name of its style, and where words of it lead."""

    lines: tuple[str, ...]
    is_round: bool = False
    style: str = ""
    links: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels."""
        return LETTER * max(map(len, self.lines)) + 2 * SPACE, LINE * len(self.lines) + SPACE


@dataclass
class Flowchart:
    """Boxes by their ids, arrows between these, and colours by style."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    styles: dict[str, dict[str, str]] = field(default_factory=dict)


def parse_flowchart(source: str) -> Flowchart | None:
    """Read a flowchart; return None if there is anything in it that cannot be drawn here."""
    first, *lines = [line.strip() for line in source.splitlines() if line.strip()] or [""]
    chart = Flowchart()
    if first != "flowchart TB" or not all(_read_line(chart, line) for line in lines):
        return None
    ends = {name for edge in chart.edges for name in edge}
    return chart if chart.nodes and ends <= chart.nodes.keys() else None


def _read_line(chart: Flowchart, line: str) -> bool:
    """Add what the line says to the chart; return whether it was understood."""
    if style := STYLE.fullmatch(line):
        chart.styles[style[1]] = dict(pair.split(":", 1) for pair in style[2].split(",") if ":" in pair)
        return True
    if edge := EDGE.fullmatch(line):
        chart.edges.append((edge[1], edge[2]))
        return not edge[3] or _read_line(chart, edge[2] + edge[3])
    if node := NODE.fullmatch(line):
        name, shape, label, style = node.groups()
        texts = tuple(_decode(text) for text in label.split("<br>") if text)
        chart.nodes[name] = Node(texts or ("",), shape == "([", style or "")
    return bool(node)


def _decode(text: str) -> str:
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text)


def draw_flowchart(chart: Flowchart, title: str) -> str:
    """Return the flowchart as SVG, from top to bottom; the same chart gives the same text."""
    sizes = {name: node.size for name, node in chart.nodes.items()}
    places, paths, (width, height) = lay_out(sizes, chart.edges)
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="system-ui, sans-serif" font-size="13">',
        f"<title>{html.escape(title)}</title>",
        f"<defs>{TIP}</defs>",
        '<rect width="100%" height="100%" rx="8" fill="#ffffff"/>',
        *map(_draw_path, paths),
    ]
    for name, node in chart.nodes.items():
        parts += _draw_node(node, places[name], chart.styles.get(node.style, {}))
    return "\n".join([*parts, "</svg>", ""])


def _draw_path(points: list[Point]) -> str:
    """Return a smooth line through the points that leaves and meets each of them vertically."""
    (x, y), *rest = points
    line = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        line.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return f'<path d="{" ".join(line)}" fill="none" stroke="#8c959f" marker-end="url(#tip)"/>'


def _draw_node(node: Node, place: Point, style: dict[str, str]) -> list[str]:
    (x, y), (width, height) = place, node.size
    fill, stroke, color = (html.escape(style.get(name, "#24292f")) for name in ("fill", "stroke", "color"))
    fill = fill if "fill" in style else "#ffffff"
    corner = height / 2 if node.is_round else 3
    shape = (
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{corner:.1f}" fill="{fill}" stroke="{stroke}"/>'
    )
    top = y - (len(node.lines) - 1) * LINE / 2 + 4.5
    texts = [
        f'<text x="{x:.1f}" y="{top + number * LINE:.1f}" text-anchor="middle" fill="{color}">{_link_words(text, node.links)}</text>'
        for number, text in enumerate(node.lines)
    ]
    return [shape, *texts]


def _link_words(text: str, links: dict[str, str]) -> str:
    """Return a line of text; the words between its dots that lead somewhere are links."""
    words = text.split(" · ")
    return " · ".join(
        f'<a href="{html.escape(links[word])}" text-decoration="underline">{html.escape(word)}</a>'
        if word in links
        else html.escape(word)
        for word in words
    )
