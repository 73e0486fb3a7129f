"""Data drift: which features of a window are distributed differently than in the references, and by how much."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, ks_2samp, kstwobign, norm

from ..data.skew.baseline import FEW_VALUES, describe_numbers
from ..data.skew.correlation import as_numbers, name_class
from ..data.skew.moves import score_shares, stability_index
from .effect import design_effects

__all__ = ["adjust_holm", "measure_drift", "moved_features", "sample_rows"]

FEWEST_EXPECTED = 5  # rows of a category in the smaller table, below which chi-square is no good approximation
POINTS = 1_000  # quantiles that the Wasserstein distance is computed from
MOST_EXACT = 10_000  # rows times rows up to which the exact p of KS is computed
MOST_NAMES = 5  # new categories that are named
COLUMNS = ["feature", "reference", "kind", "test", "p", "p_adjusted", "psi", "distance"]
COLUMNS += ["missing", "missing_before", "new_share", "new_names", "moved"]


def measure_drift(
    rows: pd.DataFrame,
    references: Mapping[str, pd.DataFrame],
    kinds: Mapping[str, str],
    *,
    alpha: float = 0.01,
    min_psi: float = 0.1,
    most_rows: int = 30_000,
    seed: int = 0,
    blocks: np.ndarray | None = None,
    reference_blocks: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Compare each feature with each reference.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, n_features)
        The window. In text, "" is missing; in numbers, NaN and infinite values are.
    references : mapping of DataFrame
        By name. Features that a reference lacks are left out.
    kinds : mapping of str
        Feature to `number` or `category`.
    alpha : float
        Share of windows without any drift in which a feature may count as moved by chance (Holm's correction).
    min_psi : float
        A feature moves only if its PSI, beyond what chance gives, is at least this: in many rows each p is small.
    most_rows : int
        Larger tables are sampled; new categories are those that no row of a reference has, sampled or not.
    blocks : ndarray of shape (n_rows,), optional
        The day or group of each row of the window. Rows of one day are alike: they count as fewer rows, by the design
        effect. Without it, ten windows of random days from one year all "move" in the weather.
    reference_blocks : mapping of ndarray, optional
        The same for each reference.

    Returns
    -------
    DataFrame
        A row per feature and reference: `test` (KS, chi-square, or what told more: missing, new category), `p`,
        `p_adjusted`, `psi` (missing values are a bin; what chance gives is subtracted), `distance` (Wasserstein in
        standard deviations of the reference, or total variation), `missing` and `missing_before` (shares), `new_share`
        (rows with a category that the reference lacks), `new_names`, `moved`.
    """
    now, day = sample_rows(rows, most_rows, seed), sample_blocks(blocks, len(rows), most_rows, seed)
    lines = []
    for reference, table in references.items():
        names = [name for name in kinds if name in rows and name in table]
        if now.empty or table.empty or not names:
            continue
        before = sample_rows(table, most_rows, seed)
        days = (day, sample_blocks((reference_blocks or {}).get(reference), len(table), most_rows, seed))
        compared = []
        for name in names:
            compare = compare_numbers if kinds[name] == "number" else compare_categories
            compared.append({"feature": name, "reference": reference, "kind": kinds[name]})
            compared[-1] |= compare(now[name], before[name], table[name], days)
        for line, p in zip(compared, adjust_holm([line["p"] for line in compared]), strict=True):
            line |= {"p_adjusted": p, "moved": bool(p < alpha and line["psi"] >= min_psi)}
        lines += compared
    return pd.DataFrame(lines, columns=COLUMNS)


def moved_features(table: pd.DataFrame) -> list[str]:
    """Return the features that moved against every reference: one that only differs from another season did not."""
    return [str(name) for name, group in table.groupby("feature", sort=False) if group["moved"].all()]


def sample_rows(frame: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """Return at most a given number of rows, drawn at random, in their order."""
    if len(frame) <= most:
        return frame
    return frame.iloc[np.sort(np.random.default_rng(seed).choice(len(frame), most, replace=False))]


def adjust_holm(p: list[float]) -> np.ndarray:
    """Return Holm's adjusted p values, in the order of `p`."""
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)).clip(max=1)
    return adjusted


def sample_blocks(blocks: np.ndarray | None, rows: int, most: int, seed: int) -> np.ndarray:
    """Return the number of the block of each row that `sample_rows` draws; each row is its own block if there are none."""
    codes = np.arange(rows) if blocks is None else pd.factorize(np.asarray(blocks), use_na_sentinel=False)[0]
    return sample_rows(pd.DataFrame({"code": codes}), most, seed)["code"].to_numpy()


def compare_numbers(now: pd.Series, before: pd.Series, _: pd.Series, days: tuple[np.ndarray, np.ndarray]) -> dict:
    """Return the comparison of a feature of numbers: KS, or chi-square if there are few different values."""
    pair = (as_numbers(now), as_numbers(before))
    there = [~np.isnan(values) for values in pair]
    one, other = (values[known] for values, known in zip(pair, there, strict=True))
    edges, distance, few = np.zeros(0), 0.0, True
    if len(one) and len(other):
        was = describe_numbers(other)
        edges, distance = np.array(was["edges"]), measure_distance(one, other, was)
        few = len(np.unique(other)) <= FEW_VALUES and bool(np.isin(one, edges).all())
    missing = len(edges) + 1
    codes = [np.where(known, np.searchsorted(edges, x), missing) for x, known in zip(pair, there, strict=True)]
    found = compare_codes(codes, missing, days)
    if not few:
        effects = design_effects(codes, days, missing, cumulated=True)
        found["tests"] = {"KS": p_of_numbers(one, other, effects)} | found["tests"]
        del found["tests"]["chi-square"]
    return finish(found) | {"distance": distance, "new_share": 0.0, "new_names": []}


def p_of_numbers(one: np.ndarray, other: np.ndarray, effects: tuple[float, float]) -> float:
    """Return p of the test of Kolmogorov and Smirnov, for as many independent rows as the design effects leave."""
    if max(effects) == 1 and len(one) * len(other) < MOST_EXACT:
        return float(ks_2samp(one, other).pvalue)
    one, other = np.sort(one), np.sort(other)
    both = np.concatenate([one, other])
    below = [np.searchsorted(values, both, side="right") / len(values) for values in (one, other)]
    size = 1 / (effects[0] / len(one) + effects[1] / len(other))
    score = (size**0.5 + 0.12 + 0.11 / size**0.5) * np.abs(below[0] - below[1]).max()  # Stephens 1970
    return float(kstwobign.sf(score))


def measure_distance(one: np.ndarray, other: np.ndarray, was: dict) -> float:
    """Return the Wasserstein distance in standard deviations of the reference; wild values count as its limits."""
    if was["low"] < was["high"] and was["sd"]:
        one, other = one.clip(was["low"], was["high"]), other.clip(was["low"], was["high"])
    spread = other.std() or one.std() or 1.0
    places = (np.arange(1, POINTS + 1) - 0.5) / POINTS
    return float(np.abs(np.quantile(one, places) - np.quantile(other, places)).mean() / spread)


def compare_categories(
    now: pd.Series, before: pd.Series, everything: pd.Series, days: tuple[np.ndarray, np.ndarray]
) -> dict:
    """Return the comparison of a feature of text; "" is missing."""
    place, names = pd.factorize(pd.concat([now, before], ignore_index=True).astype(object).where(lambda x: x != ""))
    names = [name_class(name) for name in names]
    pair, count = (place[: len(now)], place[len(now) :]), len(names)
    counts = [np.bincount(codes[codes >= 0], minlength=count).astype(float) for codes in pair]
    rows = [each.sum() for each in counts]
    total = sum(counts)
    rare = total * min(rows) / max(total.sum(), 1) < FEWEST_EXPECTED
    bins = np.append(np.where(rare, (~rare).sum(), np.cumsum(~rare) - 1), count + 1).astype(int)  # -1 is missing
    found, distance, new = compare_codes([bins[codes] for codes in pair], count + 1, days), 0.0, np.zeros(count, bool)
    if min(rows):
        known = {name_class(name) for name in everything.dropna().unique()}
        new = np.array([name not in known for name in names]) & (counts[0] > 0)
        distance = float(np.abs(counts[0] / rows[0] - counts[1] / rows[1]).sum() / 2)
        unseen = (np.sum(counts[1] == 1) + 1) / (rows[1] + 1)  # rows of categories seen once foretell unseen ones
        size = tuple(max(int(n / effect), 1) for n, effect in zip(rows[::-1], found["effects"][::-1], strict=True))
        found["tests"]["new category"] = float(norm.sf(score_shares((unseen, counts[0][new].sum() / rows[0]), size)))
    order = [at for at in np.argsort(-counts[0], kind="stable") if new[at]]
    share = float(counts[0][new].sum() / max(len(now), 1))
    more = {"distance": distance, "new_share": share, "new_names": [names[at] for at in order[:MOST_NAMES]]}
    return finish(found) | more


def compare_codes(codes: list[np.ndarray], missing: int, days: tuple[np.ndarray, np.ndarray]) -> dict:
    """Return tests and PSI of two tables given as numbers of bins; `missing` is the number for no value."""
    sizes = [len(each) for each in codes]
    counts = np.stack([np.bincount(each, minlength=missing + 1) for each in codes]).astype(float)
    effects = design_effects(codes, days, missing)
    used = counts.sum(axis=0) > 0
    chance = (used.sum() - 1) * sum(effect / size for effect, size in zip(effects, sizes, strict=True))
    psi = stability_index(counts[1][used], counts[0][used]) - chance if used.sum() > 1 else 0.0
    tests = {"chi-square": p_of_counts(counts[:, :missing] / np.array(effects)[:, None])}
    shares = [each[missing] / size for each, size in zip(counts, sizes, strict=True)]
    if any(shares):
        gone = design_effects([(each == missing).astype(int) for each in codes], days, 2)
        rows = tuple(max(int(size / effect), 1) for size, effect in zip(sizes, gone, strict=True))
        tests["missing"] = float(2 * norm.sf(abs(score_shares((shares[1], shares[0]), rows[::-1]))))
    found = {"tests": tests, "psi": max(float(psi), 0.0), "effects": effects}
    return found | {"missing": float(shares[0]), "missing_before": float(shares[1])}


def p_of_counts(counts: np.ndarray) -> float:
    """Return p of the chi-square test that both rows have the same shares; rare columns are put together."""
    total = counts.sum(axis=0)
    rare = total * counts.sum(axis=1).min() / max(total.sum(), 1) < FEWEST_EXPECTED
    table = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    return float(chi2_contingency(table, correction=False).pvalue)


def finish(found: dict) -> dict:
    """Return the columns of the table: the test that tells most, with p corrected for the number of tests."""
    tests = found["tests"]
    told = min(tests, key=tests.get)
    p = min(1.0, len(tests) * tests[told])
    return {"test": told, "p": p, "psi": found["psi"]} | {key: found[key] for key in ("missing", "missing_before")}
