"""Where a model is weak although nobody has looked there: segments found by a search."""

from statistics import NormalDist

import numpy as np
import pandas as pd
from sliceline.slicefinder import Slicefinder

from .bins import bin_column, most_telling, spread_rows
from .segments import measure_segments

__all__ = ["found_segments"]

# Pairs of groups grow with the square of the columns: 23 columns of 54,000 rows take 9 s, three conditions at once 28 GB.
MOST_COLUMNS = 12
MOST_ROWS = 20_000  # for the search only; the metrics of what it finds are those of all rows
# Weight of a slice's loss against its size: with .99, one that holds a twentieth of the rows must be .19 worse to count
# as much as all rows. Lower ones find only halves and quarters of the rows.
ALPHA = 0.99
CHANCE = 0.01  # that anything is found where nothing is weak


def found_segments(frame: pd.DataFrame, loss: np.ndarray, min_rows: int, most: int = 10) -> pd.DataFrame:
    """Return segments of one or two conditions that nobody named and whose loss is higher than chance explains.

    SliceLine (Sagadeeva and Boehm, 2021) looks at all groups and pairs of groups. Of more than 12 columns it sees those
    along which the loss differs most. A pair that is no worse than its one condition is left out.

    Returns
    -------
    DataFrame
        As `named_segments`; `segment` is, for example, `carrier = EV and precip above 0`.
    """
    loss = np.asarray(loss, dtype=float)
    if len(loss) < 2 * min_rows or not loss.any():
        return measure_segments({}, loss, min_rows)
    groups = {name: bin_column(frame[name]) for name in most_telling(frame, loss, MOST_COLUMNS)}
    masks = {}
    for conditions in _find_slices(groups, loss, min_rows):
        masks[conditions] = np.all([groups[name] == group for name, group in conditions], axis=0)
    table = measure_segments(masks, loss, min_rows)
    # The worst of so many groups and pairs of groups is bad by chance: that many standard errors (Bonferroni).
    beyond = NormalDist().inv_cdf(1 - CHANCE / (5 * frame.shape[1]) ** 2)
    table = table[table["ratio"] - 1 > beyond * table["error"]]
    adds = np.array([_adds(row, table, beyond) for row in table.itertuples()], dtype=bool)
    table = table[adds].head(most).reset_index(drop=True)
    return table.assign(segment=[" and ".join(f"{name} {group}" for name, group in each) for each in table["segment"]])


def _find_slices(groups: dict[str, np.ndarray], loss: np.ndarray, min_rows: int) -> list[tuple[tuple[str, str], ...]]:
    """Return the conditions of each slice that the search scores best."""
    some = spread_rows(len(loss), MOST_ROWS)
    coded = {name: pd.factorize(column[some], sort=True) for name, column in groups.items()}
    finder = Slicefinder(alpha=ALPHA, k=30, max_l=2, min_sup=max(1, min_rows * len(some) // len(loss)), verbose=False)
    finder.fit(np.column_stack([codes for codes, _ in coded.values()]), loss[some])
    names = [words for _, words in coded.values()]
    return [
        tuple(
            (name, names[at][int(code)])
            for at, (name, code) in enumerate(zip(coded, each, strict=True))
            if code is not None
        )
        for each in finder.top_slices_
    ]


def _adds(row, table: pd.DataFrame, beyond: float) -> bool:
    """Return whether a slice is clearly worse than every slice of the table that contains it."""
    wider = [set(other) < set(row.segment) for other in table["segment"]]
    return not (table.loc[wider, "ratio"] + beyond * row.error > row.ratio).any()
