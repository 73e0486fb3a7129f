"""How far a figure might be off by the luck of the hold-out: bootstrap intervals."""

from collections.abc import Callable

import numpy as np
import pandas as pd

__all__ = ["bootstrap", "draw_rows"]

FEWEST_BLOCKS = 10  # fewer days or groups tell too little about other days or groups; rows are drawn then


def draw_rows(blocks: np.ndarray | None, rows: int, draws: int, seed: int):
    """Yield positions of rows drawn with replacement, so many times.

    Parameters
    ----------
    blocks : ndarray of shape (n_rows,) or None
        The day or group of each row. Rows of one block are alike, so whole blocks are drawn; else the interval would
        be too narrow.
    """
    random = np.random.default_rng(seed)
    members = list(pd.Series(np.arange(rows)).groupby(blocks).indices.values()) if blocks is not None else []
    for _ in range(draws):
        if len(members) < FEWEST_BLOCKS:
            yield random.integers(0, rows, rows)
        else:
            yield np.concatenate([members[block] for block in random.integers(0, len(members), len(members))])


def bootstrap(figures: Callable[[np.ndarray], dict[str, float]], samples, confidence: float) -> dict[str, list[float]]:
    """Return the lower and upper end of each figure.

    Parameters
    ----------
    figures : callable
        Takes positions of rows, returns figures by name. One that is missing in a sample does not count there.
    samples : iterable of ndarray
        As `draw_rows` yields them.
    confidence : float
        Share of the samples between the ends.
    """
    found = pd.DataFrame([figures(positions) for positions in samples])
    ends = found.quantile([(1 - confidence) / 2, (1 + confidence) / 2])
    return {name: [float(f"{end:.4g}") for end in ends[name]] for name in found}
