"""How far the columns of a table have moved from their baseline, and whether chance explains it."""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import pandas as pd

from .baseline import count_classes, share_per_bin, take_known
from .correlation import NUMBERS, correlate, rank_columns

__all__ = ["list_moves", "score_shares", "stability_index"]

FALSE_ALARMS = 0.001  # of one statistic over a whole table in which nothing moved
Move = tuple[str, str, float, str]  # column, statistic, value, text


def list_moves(frame: pd.DataFrame, baseline: dict, columns: dict[str, dict]) -> Iterator[Move]:
    """Yield each move that chance does not explain, whether it matters or not."""
    rows, chance = (baseline["rows"], len(frame)), chance_score(len(columns))
    for name, was in columns.items():
        now = take_known(frame[name], was["kind"])
        missing = (was["missing"], 1 - len(now) / len(frame))
        if score_shares(missing, rows) > chance:
            text = f"{missing[1]:.1%} missing against {missing[0]:.1%} in the baseline"
            yield name, "missing_rise", missing[1] - missing[0], text
        if not len(now) or not was["known"] or "follows" in was:
            continue
        if was["kind"] in NUMBERS:
            yield from move_numbers(name, now, was, chance)
        elif was["kind"] == "text":
            yield from move_mean(name, "mean length", now.astype(str).str.len().to_numpy(), was, chance)
        elif was["kind"] != "date":
            yield from move_classes(name, count_classes(now), was, len(columns))
    yield from move_correlations(frame, columns, baseline["correlations"])


def move_numbers(name: str, now: np.ndarray, was: dict, chance: float) -> Iterator[Move]:
    """Yield moves of the mean, the bins and the share far outside; how far that is does not matter to the first two."""
    yield from move_mean(name, "mean", now.clip(was["low"], was["high"]), was, chance)
    yield from move_bins(name, share_per_bin(now, was["edges"]), len(now), was, chance)
    far = (was["far"], float(((now < was["low"]) | (now > was["high"])).mean()))
    extremes = 2 / was["known"]  # smallest and largest value made the limits: as if they were outside
    if score_shares((far[0] + extremes, far[1]), (was["known"], len(now))) > chance:
        text = f"{far[1]:.1%} are not in {was['low']:.6g} to {was['high']:.6g} against {far[0]:.1%} in the baseline"
        yield name, "outlier_share", far[1] - far[0], text


def move_mean(name: str, what: str, now: np.ndarray, was: dict, chance: float) -> Iterator[Move]:
    """Yield the move of the mean in standard deviations of the baseline."""
    if not was["sd"] or was["mean"] is None:
        return
    error = max(now.std(), was["sd"]) * math.sqrt(1 / len(now) + 1 / was["known"])
    shift, rows = abs(now.mean() - was["mean"]), min(len(now), was["known"])
    if shift > (chance + (chance**3 + chance) / (4 * rows)) * error:  # in few rows, Student's t has longer tails
        yield (
            name,
            "mean_shift",
            shift / was["sd"],
            f"{what} {now.mean():.4g} against {was['mean']:.4g} in the baseline",
        )


def move_bins(name: str, shares: np.ndarray, rows: int, was: dict, chance: float) -> Iterator[Move]:
    """Yield the population stability index, with the bin that moved most as its text."""
    bins, edges = len(shares), [f"{edge:.6g}" for edge in was["edges"]]
    counts = (np.array(was["shares"]) * was["known"], shares * rows)
    psi, (before, after) = stability_index(*counts), map(smooth_shares, counts)
    # By chance, psi / (1 / rows + 1 / rows before) follows chi-squared; this bounds its tail (Laurent, Massart).
    tail = chance**2 / 2
    if psi > (1 / rows + 1 / was["known"]) * (bins - 1 + 2 * math.sqrt((bins - 1) * tail) + 2 * tail):
        most = int(np.abs(after - before).argmax())
        over, up_to = [""] + [f" over {edge}" for edge in edges], [f" up to {edge}" for edge in edges] + [""]
        text = f"{shares[most]:.1%} are{over[most]}{up_to[most]} against {was['shares'][most]:.1%} in the baseline"
        yield name, "psi", psi, text


def stability_index(before: np.ndarray, after: np.ndarray) -> float:
    """Return the population stability index of two counts of the same bins; half a row is added to each bin."""
    before, after = smooth_shares(before), smooth_shares(after)
    return float(((after - before) * np.log(after / before)).sum())


def smooth_shares(counts: np.ndarray) -> np.ndarray:
    """Return the share of each bin, as if it had half a row more: none is 0."""
    return (counts + 0.5) / (counts.sum() + len(counts) / 2)


def move_classes(name: str, counts: pd.Series, was: dict, columns: int) -> Iterator[Move]:
    """Yield the share of rows in classes never seen, and the largest move of a class among the others."""
    rows, old = int(counts.sum()), counts.reindex(list(was["shares"]), fill_value=0)
    new = 1 - old.sum() / rows
    expected = was["other"] + was["once"]  # classes seen once foretell how many are still unseen
    if score_shares((expected + 1 / was["known"], new), (was["known"], rows)) > chance_score(columns):
        examples = ", ".join(repr(value) for value in counts.index[~counts.index.isin(old.index)][:3])
        text = f"{new:.1%} are in classes that the baseline does not name ({examples}) against {expected:.1%} expected"
        yield name, "new_category_share", new - expected, text
    # Rows in new classes are left out here: they make all others rarer, and have been told already.
    size = rows * (1 - max(new - expected, 0))
    after, chance = (old / max(size, 1)).clip(upper=1), chance_score(columns * len(old))
    shares = [(was["shares"][value], after[value], value) for value in old.index]
    moved = [share for share in shares if abs(score_shares(share[:2], (was["known"], max(size, 1)))) > chance]
    if moved:
        before, now, value = max(moved, key=lambda share: abs(share[1] - share[0]))
        text = f"{value!r} is {now:.1%} against {before:.1%} in the baseline"
        yield name, "share_shift", abs(now - before), text


def move_correlations(frame: pd.DataFrame, columns: dict[str, dict], kept: dict) -> Iterator[Move]:
    """Yield the change of each correlation that the baseline keeps (Fisher's z, as it is for ranks)."""
    ranks = rank_columns(frame, columns)
    before = {(one, other): (r, rows) for one, other, r, rows in kept["pairs"] if one in ranks and other in ranks}
    for one, other, now, rows in correlate(ranks, list(before)):
        was, rows_before = before[one, other]
        error = math.sqrt(1.06 / (rows - 3) + 1.06 / (rows_before - 3))
        if abs(np.subtract(*np.arctanh(np.clip((now, was), -0.999, 0.999)))) > chance_score(kept["tried"]) * error:
            text = f"rank correlation {now:.2f} against {was:.2f} in the baseline"
            yield f"{one}, {other}", "correlation_change", abs(now - was), text


def chance_score(tests: int) -> float:
    """Return how many standard errors one of so many comparisons must exceed."""
    return NormalDist().inv_cdf(1 - FALSE_ALARMS / 2 / max(tests, 1))


def score_shares(shares: tuple[float, float], rows: tuple[int, int]) -> float:
    """Return by how many standard errors the second share is larger (Anscombe's arcsine: for rare events too)."""
    before, after = (
        math.asin(math.sqrt((min(share, 1) * n + 3 / 8) / (n + 3 / 4))) for share, n in zip(shares, rows, strict=True)
    )
    return 2 * (after - before) / math.sqrt(1 / rows[0] + 1 / rows[1])
