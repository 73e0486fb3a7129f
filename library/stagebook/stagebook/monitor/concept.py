"""Concept drift: when did the model's loss change? Sequential test for a change of the mean, few false alarms."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

__all__ = ["Change", "detect_changes", "excess_loss"]

BLOCK_ROWS, MOST_BLOCKS = 25, 2_000
FEWEST = 6  # blocks on either side of a change


@dataclass(frozen=True)
class Change:
    """A change of the mean loss.

    Attributes
    ----------
    row, at : int, Timestamp or None
        First row after the change, and when it was asked.
    found : int
        Row with which the change could be told; `found - row` is the delay.
    before, after : float
        Mean loss on either side.
    """

    detector: str
    row: int
    at: pd.Timestamp | None
    found: int
    before: float
    after: float


def detect_changes(
    loss: np.ndarray,
    asked_at: pd.Series | None = None,
    *,
    blocks: np.ndarray | None = None,
    before: np.ndarray | None = None,
    before_blocks: np.ndarray | None = None,
    false_alarms: float = 0.01,
) -> list[Change]:
    """Return the changes of the mean loss in a stream, in the order in which they are found.

    After each block of rows, the mean since each of a few earlier blocks is compared with the mean before it (Student's
    t). All comparisons of a stream together raise a false alarm with the probability `false_alarms`.

    Parameters
    ----------
    loss : ndarray of shape (n_rows,)
        In the order of time, such as `excess_loss`, or 0 and 1 for right and wrong.
    asked_at : Series, optional
        Time of each row.
    blocks : ndarray of shape (n_rows,), optional
        Day of each row, if rows of one day are alike: each day is one observation then. Else 25 rows are one.
    before, before_blocks : ndarray, optional
        Loss of reference rows: the stream goes on from there. Changes within the reference are not told.
    """
    before = np.zeros(0) if before is None else before
    fewest = max(BLOCK_ROWS, -(-max(len(loss), len(before)) // MOST_BLOCKS))
    known, starts = make_blocks(before, before_blocks, fewest)
    if len(known):  # a block of the window is as sure as one of the reference, or nearly
        fewest = max(fewest, int(np.median(np.diff(starts))) // 2)
    means, firsts = make_blocks(loss, blocks, fewest)
    inflation = (1 + correlation(known)) / (1 - correlation(known))
    stream, old, start, changes = np.append(known, means), len(known), 0, []
    tests = max(len(means), 1) * (np.log2(max(len(stream), 2)) + 1)
    limits = student.isf(false_alarms / 2 / tests, np.arange(len(stream) + 1).clip(min=3) - 2)
    for end in range(max(old, 2 * FEWEST) + 1, len(stream) + 1):
        part = stream[start:end]
        if len(part) < 2 * FEWEST:
            continue
        cuts = len(part) - FEWEST * 2 ** np.arange(int(np.log2(len(part) / FEWEST)) + 1)
        cuts = cuts[(cuts >= FEWEST) & (cuts + start + FEWEST > old)]
        if not len(cuts) or np.abs(score_cuts(part, cuts, inflation)).max() <= limits[len(part)]:
            continue
        cuts = np.arange(max(FEWEST, old - start), len(part) - FEWEST + 1)
        cut = int(cuts[np.abs(score_cuts(part, cuts, inflation)).argmax()]) if len(cuts) else len(part) - FEWEST
        row, found = firsts[max(start + cut - old, 0)], firsts[end - old] - 1
        at = None if asked_at is None else asked_at.iloc[row]
        changes.append(Change("mean", int(row), at, int(found), float(part[:cut].mean()), float(part[cut:].mean())))
        start = end  # the rows from which a change was told may be of either side
    return changes


def make_blocks(loss: np.ndarray, blocks: np.ndarray | None, fewest: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each block, and its first row; the number of rows stands at the end of the latter.

    Blocks of fewer rows than `fewest` are put together with those after them.
    """
    loss = np.asarray(loss, dtype=float)
    codes = np.arange(len(loss)) if blocks is None else pd.factorize(np.asarray(blocks))[0]
    ends = np.append(np.flatnonzero(np.diff(codes)) + 1, len(loss))
    firsts = [0]
    while len(loss) - firsts[-1] >= 2 * fewest:  # what is left at the end belongs to the last block
        firsts.append(int(ends[np.searchsorted(ends, firsts[-1] + fewest)]))
    firsts = np.array([first for first in firsts if first == 0 or len(loss) - first >= fewest])
    if len(loss) < fewest:
        return np.zeros(0), np.array([len(loss)])
    sizes = np.diff(np.append(firsts, len(loss)))
    return np.add.reduceat(loss, firsts) / sizes, np.append(firsts, len(loss))


def score_cuts(part: np.ndarray, cuts: np.ndarray, inflation: float) -> np.ndarray:
    """Return Student's t of the means before and after each cut; 0 where nothing varies."""
    total, squares = part.cumsum(), (part**2).cumsum()
    size, rest = cuts, len(part) - cuts
    one, other = total[cuts - 1] / size, (total[-1] - total[cuts - 1]) / rest
    within = squares[-1] - size * one**2 - rest * other**2
    error = np.sqrt(np.maximum(within, 0) / (len(part) - 2) * inflation * (1 / size + 1 / rest))
    tiny = 1e-9 * max(np.abs(part).max(), 1e-300)
    return np.where(np.abs(other - one) <= tiny, 0.0, (other - one) / np.maximum(error, tiny))


def correlation(means: np.ndarray) -> float:
    """Return how much a block is like the one before it, 0 to 0.9; 0 if too few are known."""
    if len(means) < 20 or not np.ptp(means):
        return 0.0
    off = means - means.mean()
    return float(np.clip((off[1:] * off[:-1]).sum() / (off**2).sum(), 0, 0.9))


def excess_loss(prediction: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return by how much the squared error of probabilities exceeds what they foretell, a row each.

    The mean is 0 for calibrated probabilities, however hard the rows are: more rows near 50 % change the loss, but not
    the excess. Only another relation of features and label does.

    Parameters
    ----------
    prediction : ndarray of shape (n_rows,) or (n_rows, n_classes)
    label : ndarray of shape (n_rows,)
    """
    prediction = np.asarray(prediction, dtype=float)
    table = prediction if prediction.ndim == 2 else np.column_stack([1 - prediction, prediction])
    true = np.eye(table.shape[1])[np.asarray(label).astype(int)]
    return ((true - table) ** 2 - table * (1 - table)).sum(axis=1)
