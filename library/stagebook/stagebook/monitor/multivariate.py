"""Drift of all features together: can a classifier tell the rows of a window from those of a reference?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from threadpoolctl import threadpool_limits

from ..data.skew.correlation import as_numbers
from ..evaluate.bootstrap import FEWEST_BLOCKS
from ..evaluate.inspection.bins import most_telling
from .drift import sample_blocks, sample_rows

__all__ = ["auc_interval", "compare_domains", "encode_tables"]

FOLDS = 5
FEWEST_ROWS = 30
MOST_CATEGORIES, MOST_FEATURES, MOST_PERMUTED, NAMED = 50, 50, 1_000, 5


def compare_domains(
    rows: pd.DataFrame,
    reference: pd.DataFrame,
    kinds: Mapping[str, str],
    *,
    blocks: tuple[np.ndarray, np.ndarray] | None = None,
    most_rows: int = 2_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict | None:
    """Return how well a boosting tells the two tables apart: ROC AUC on rows that it was not fitted on.

    Parameters
    ----------
    rows, reference : DataFrame of shape (n_rows, n_features)
        Of both, the same number of rows is drawn, at most `most_rows`.
    kinds : mapping of str
        Feature to `number` or `category`.
    blocks : tuple of ndarray, optional
        The day or group of each row of the two tables. A block is in one fold as a whole: else the weather of single
        days tells the tables apart, though nothing has changed.

    Returns
    -------
    dict or None
        `auc` (0.5: no difference), `low`, `high` (DeLong's interval, by blocks), `features` (the most telling first, by
        the AUC that is lost when the feature is shuffled). None below 30 rows or 10 blocks.
    """
    names = [name for name in kinds if name in rows and name in reference]
    size = min(len(rows), len(reference), most_rows)
    if size < FEWEST_ROWS or not names:
        return None
    parts = [sample_rows(frame[names], size, seed + side) for side, frame in enumerate((reference, rows))]
    both, domain = pd.concat(parts, ignore_index=True), np.repeat([0, 1], size)
    group = np.arange(2 * size)
    if blocks is not None:  # a block is of one table, even if both have that day
        days = [sample_blocks(each, len(each), size, seed + side) for side, each in enumerate(blocks[::-1])]
        group = np.concatenate([days[0], days[1] + days[0].max() + 1])
    clustered = blocks is not None
    if clustered and min(len(np.unique(group[domain == side])) for side in (0, 1)) < FEWEST_BLOCKS:
        return None
    names = most_telling(both, domain, MOST_FEATURES)
    encoded, categorical = encode_tables(both[names], kinds)
    with threadpool_limits(1):  # threads cost more than they save on few rows
        score, drop = fit_folds(encoded, categorical, domain, group if clustered else None, seed)
    auc, low, high = auc_interval(domain, score, confidence, group if clustered else None)
    telling = [names[at] for at in np.argsort(-drop, kind="stable")[:NAMED] if drop[at] > 0]
    return {"auc": auc, "low": low, "high": high, "features": telling if low > 0.5 else []}


def encode_tables(frame: pd.DataFrame, kinds: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return features as floats and which are categories; of these the most frequent ones, and one for the rest."""
    columns, categorical = [], np.array([kinds[name] != "number" for name in frame])
    for name, values in frame.items():
        if kinds[name] == "number":
            numbers = as_numbers(values)
            known = numbers[~np.isnan(numbers)]
            below = known.min() - abs(known.min()) - 1 if len(known) else 0.0  # a bin of its own for missing values
            columns.append(np.where(np.isnan(numbers), below, numbers))
            continue
        text = values.astype(object).where(values.notna(), "").astype(str)
        frequent = text.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
        place = {name: code for code, name in enumerate(frequent[:MOST_CATEGORIES])}
        columns.append(text.map(place).fillna(MOST_CATEGORIES).to_numpy(float))
    return np.column_stack([np.zeros((len(frame), 0)), *columns]), categorical


def fit_folds(features: np.ndarray, categorical: np.ndarray, label: np.ndarray, group, seed: int):
    """Return the out-of-fold score of each row, and the mean loss of AUC when a feature is shuffled."""
    random = np.random.default_rng(seed)
    splitter = StratifiedKFold if group is None else StratifiedGroupKFold
    folds = splitter(FOLDS, shuffle=True, random_state=seed).split(features, label, group)
    score, drop = np.full(len(label), 0.5), np.zeros(features.shape[1])
    for fitted, tested in folds:
        if len(np.unique(label[fitted])) < 2 or not len(tested):
            continue
        model = HistGradientBoostingClassifier(
            max_iter=50, max_leaf_nodes=15, categorical_features=categorical, early_stopping=False, random_state=seed
        ).fit(features[fitted], label[fitted])
        score[tested] = model.predict_proba(features[tested])[:, 1]
        some = tested[:: max(len(tested) * FOLDS // MOST_PERMUTED, 1)]
        if len(np.unique(label[some])) < 2:
            continue
        shuffled = np.tile(features[some], (len(drop), 1, 1))
        for at in range(len(drop)):
            shuffled[at, :, at] = random.permutation(shuffled[at, :, at])
        scores = model.predict_proba(shuffled.reshape(-1, len(drop)))[:, 1].reshape(len(drop), -1)
        whole = auc_interval(label[some], score[some], 0.95)[0]
        drop += [whole - auc_interval(label[some], each, 0.95)[0] for each in scores]
    return score, drop / FOLDS


def auc_interval(
    label: np.ndarray, score: np.ndarray, confidence: float, group: np.ndarray | None = None
) -> tuple[float, float, float]:
    """Return ROC AUC and DeLong's interval (1988, doi:10.2307/2531595); rows of one group count as one (Obuchowski 1997)."""
    one, none = label == 1, label == 0
    ranks = rankdata(score)
    placed = np.empty(len(label))
    placed[one] = (ranks[one] - rankdata(score[one])) / none.sum()
    placed[none] = 1 - (ranks[none] - rankdata(score[none])) / one.sum()
    auc, variance = float(placed[one].mean()), 0.0
    for side in (one, none):
        off = placed[side] - auc
        sums = off if group is None else np.bincount(np.unique(group[side], return_inverse=True)[1], weights=off)
        variance += len(sums) / max(len(sums) - 1, 1) * float((sums**2).sum()) / side.sum() ** 2
    variance = float(variance)
    margin = float(norm.ppf((1 + confidence) / 2)) * variance**0.5
    return auc, max(auc - margin, 0.0), min(auc + margin, 1.0)
