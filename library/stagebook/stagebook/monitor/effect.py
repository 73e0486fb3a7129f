"""Rows that are alike: by how much the rows of a day or group count as fewer independent ones."""

import numpy as np
import pandas as pd

from ..evaluate.bootstrap import FEWEST_BLOCKS

__all__ = ["day_blocks", "design_effects"]


def day_blocks(asked_at: pd.Series) -> np.ndarray | None:
    """Return the day of each row, as a number; None if the times are not known."""
    days = pd.to_datetime(asked_at, utc=True).dt.floor("D")
    if days.isna().any():
        return None
    return days.astype("int64").to_numpy()


def design_effects(
    codes: list[np.ndarray], days: tuple[np.ndarray, np.ndarray], missing: int, *, cumulated: bool = False
) -> tuple[float, float]:
    """Return how much wider chance is in two tables than for independent rows, 1 or more (Rao and Scott 1984).

    Parameters
    ----------
    codes : list of two ndarray of shape (n_rows,)
        The bin of each row; `missing` and above are left out.
    days : tuple of two ndarray of shape (n_rows,)
        The block of each row, as numbers.
    cumulated : bool
        For bins in the order of their values: the largest effect on the share below an edge, as for KS.
    """
    found = [
        _effect(each[each < missing], day[each < missing], cumulated) for each, day in zip(codes, days, strict=True)
    ]
    alike = [max(effect - 1, 0) / max(size - 1, 1e-9) for effect, size, _ in found]
    result = []
    for own, (effect, size, enough) in enumerate(found):
        if not enough:  # too few days to tell: rows are as alike as in the other table
            effect = max(effect, 1 + min(alike[1 - own], 1.0) * (size - 1))
        result.append(float(max(effect, 1.0)))
    return result[0], result[1]


def _effect(codes: np.ndarray, days: np.ndarray, cumulated: bool) -> tuple[float, float, bool]:
    """Return the design effect, the mean number of rows that a row shares its block with, and whether blocks suffice."""
    block, rows = np.unique(days, return_inverse=True)[1], len(codes)
    blocks = int(block.max(initial=-1)) + 1
    if not rows or blocks == rows:
        return 1.0, 1.0, False
    bins = np.unique(codes, return_inverse=True)[1]
    table = np.bincount(block * (bins.max() + 1) + bins, minlength=blocks * (bins.max() + 1)).reshape(blocks, -1)
    sizes = table.sum(axis=1).astype(float)
    size = float((sizes**2).sum() / rows)
    if blocks < 2 or table.shape[1] < 2:
        return 1.0, size, False
    table = table.cumsum(axis=1)[:, :-1] if cumulated else table
    share = table.sum(axis=0) / rows
    variance = ((table - np.outer(sizes, share)) ** 2).sum(axis=0) * blocks / (blocks - 1)
    if cumulated:
        return float((variance / (rows * share * (1 - share))).max()), size, blocks >= FEWEST_BLOCKS
    return float((variance / (rows * share)).sum() / (len(share) - 1)), size, blocks >= FEWEST_BLOCKS
