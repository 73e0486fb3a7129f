"""Where to put the boxes of a flowchart: in layers from top to bottom, with few crossings and short lines."""

from itertools import pairwise

import networkx as nx

__all__ = ["Point", "lay_out"]

Point = tuple[float, float]
GAP, ROW_GAP, EDGE_GAP, MARGIN = 14, 36, 7, 12  # pixels between boxes, layers and lines, and around all
ROUNDS = 24


def lay_out(
    sizes: dict[str, tuple[float, float]], edges: list[tuple[str, str]]
) -> tuple[dict[str, Point], list[list[Point]], Point]:
    """Place boxes so that arrows lead down; raise networkx.NetworkXUnfeasible if they lead round in circles.

    Parameters
    ----------
    sizes : width and height of each box
    edges : pairs of boxes

    Returns
    -------
    places : the middle of each box
    paths : the points of each arrow
    size : width and height of it all
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(sizes)
    graph.add_edges_from(edges)
    rank = {name: row for row, names in enumerate(nx.topological_generations(graph)) for name in names}
    chains = {edge: _chain(edge, rank) for edge in dict.fromkeys(edges)}
    rows, links = _make_rows(sizes, rank, chains)
    _uncross(rows, links)
    widths = {name: sizes[name][0] if name in sizes else 0.0 for row in rows for name in row}
    x = _align(rows, links, widths)
    heights = [max((sizes[name][1] for name in row if name in sizes), default=0.0) for row in rows]
    y = [sum(heights[:row]) + heights[row] / 2 + row * ROW_GAP for row in range(len(rows))]
    left = min(x[name] - widths[name] / 2 for name in x) - MARGIN
    places = {name: (x[name] - left, y[row] + MARGIN) for row, names in enumerate(rows) for name in names}
    paths = [_path(chains[edge], places, sizes) for edge in chains]
    right = max(places[name][0] + widths[name] / 2 for name in places)
    return {name: places[name] for name in sizes}, paths, (right + MARGIN, y[-1] + heights[-1] / 2 + 2 * MARGIN)


def _chain(edge: tuple, rank: dict) -> list:
    """Return what an arrow passes: its ends, and a bend in each layer between; arrows from one box share their bends."""
    start, end = edge
    return [start, *((start, row) for row in range(rank[start] + 1, rank[end])), end]


def _make_rows(sizes: dict, rank: dict, chains: dict) -> tuple[list[list], dict]:
    """Return the layers, boxes and bends, and for each of these what it is joined to above (0) and below (1)."""
    rows = [[] for _ in range(max(rank.values()) + 1)]
    for name in sizes:
        rows[rank[name]].append(name)
    for chain in chains.values():
        for bend in chain[1:-1]:
            if bend not in rows[bend[1]]:
                rows[bend[1]].append(bend)
    links = {name: ([], []) for row in rows for name in row}
    for upper, lower in dict.fromkeys(pair for chain in chains.values() for pair in pairwise(chain)):
        links[lower][0].append(upper)
        links[upper][1].append(lower)
    return rows, links


def _uncross(rows: list[list], links: dict) -> None:
    """Order each layer by where its neighbours are, down and up in turn, and keep the order with the fewest crossings."""
    best, fewest = [list(row) for row in rows], _count_crossings(rows, links)
    for turn in range(ROUNDS):
        side = turn % 2
        order = range(1, len(rows)) if side == 0 else range(len(rows) - 2, -1, -1)
        for row in order:
            place = {name: number for number, name in enumerate(rows[row - 1 if side == 0 else row + 1])}
            own = {name: number for number, name in enumerate(rows[row])}
            rows[row].sort(key=lambda name, place=place, own=own: _mean(links[name][side], place, own[name]))
        crossings = _count_crossings(rows, links)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    rows[:] = best


def _mean(names: list, place: dict, otherwise: float) -> float:
    return sum(place[name] for name in names) / len(names) if names else otherwise


def _count_crossings(rows: list[list], links: dict) -> int:
    count = 0
    for upper, lower in pairwise(rows):
        place = {name: number for number, name in enumerate(lower)}
        ends = [place[below] for name in upper for below in sorted(links[name][1], key=place.get)]
        count += sum(end > later for number, end in enumerate(ends) for later in ends[number + 1 :])
    return count


def _align(rows: list[list], links: dict, widths: dict) -> dict:
    """Return the middle of each box and bend: close to its neighbours, in the order of its layer, none over another."""
    x = {}
    for row in rows:
        x |= dict(zip(row, _spread([0.0] * len(row), row, widths), strict=True))
    for _ in range(ROUNDS):
        for side, order in ((0, rows), (1, rows[::-1])):
            for row in order:
                wished = [_mean(links[name][side] or links[name][1 - side], x, x[name]) for name in row]
                x |= dict(zip(row, _spread(wished, row, widths), strict=True))
    return x


def _spread(wished: list[float], row: list, widths: dict) -> list[float]:
    """Return the places nearest to those wished for (least squares) that keep the order and the gaps."""
    offsets = [0.0]
    for left, right in pairwise(row):
        gap = EDGE_GAP if widths[left] == widths[right] == 0 else GAP
        offsets.append(offsets[-1] + (widths[left] + widths[right]) / 2 + gap)
    blocks = []  # mean and length: neighbours that touch move as one
    for wish, offset in zip(wished, offsets, strict=True):
        blocks.append((wish - offset, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (one, first), (other, second) = blocks[-2:]
            blocks[-2:] = [((one * first + other * second) / (first + second), first + second)]
    starts = [mean for mean, length in blocks for _ in range(length)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _path(chain: list, places: dict, sizes: dict) -> list[Point]:
    """Return the points of an arrow, from the lower edge of its first box to the upper edge of its last."""
    start, *bends, end = chain
    (x, y), (to_x, to_y) = places[start], places[end]
    first, last = (x, y + sizes[start][1] / 2), (to_x, to_y - sizes[end][1] / 2)
    return [first, *(places[bend] for bend in bends), last]
