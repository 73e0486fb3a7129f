"""Doubtful labels: rows whose given label is more likely wrong than right, from a mixture model of right and wrong labels."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import gammaln

from ...data.privacy import hide_personal
from ...model.folds import make_folds
from ...model.kinds import RANDOM_FOREST, fit
from ...model.task import Task, split_columns
from .bins import spread_rows

__all__ = ["describe_doubts", "find_doubts"]

# In a single row, overlapping classes and a wrong label look alike; in the whole table they differ. If classes overlap,
# unlikely labels are rarer where the predictions are more certain. Wrong labels are equally frequent there. So two models
# of the labels are fitted to out-of-fold predictions, without and with a share of wrong labels, and their likelihoods are
# compared. The smallest share within the confidence interval is used.
FOREST = {"n_estimators": 50, "min_samples_leaf": 3, "max_features": "sqrt"}
ROWS_PER_TREE = 3_000  # more rows take longer and find hardly more wrong labels
FOLDS = 4
# Thresholds on twice the log likelihood ratio: for any wrong labels, for the interval of the share (95 %), and an addition
# per row, because the models of clean labels are approximations.
EVIDENCE, LIMIT, MISFIT = 10.0, 3.84, 0.005
SHARES = np.geomspace(0.001, 0.45, 13)
MOST_SHOWN = 20


def find_doubts(table: pd.DataFrame, task: Task, *, rows: int, seed: int) -> tuple[pd.DataFrame, dict]:
    """Return the most doubtful labels, and how many there are.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        The processed training split.
    rows : int
        Most rows whose labels are checked, taken evenly over the table.

    Returns
    -------
    doubts : DataFrame
        At most 20 rows, largest doubt first: `row`, its position in the table; the keys, with personal data masked;
        `given` and `likely` label; `doubt`, the probability that the given label is wrong. Empty if overlapping classes
        or heavy tails explain the labels about as well as wrong labels do.
    summary : dict
        `rows` checked, `share` of wrong labels (lower bound of its interval), `doubtful` labels (doubt above 0.5).
    """
    positions = spread_rows(len(table), rows)
    sample = table.iloc[positions].reset_index(drop=True)
    tested, predicted = _predict_unseen(sample, task, seed)
    if not len(tested):
        return _list_doubts(table, task, [], [], [], []), {"rows": 0, "share": 0.0, "doubtful": 0}
    label = sample[task.target].to_numpy()[tested]
    weigh = _Values if task.kind == "regression" else _Classes
    share, doubt, likely = _weigh(weigh(label, predicted))
    order = np.argsort(-doubt, kind="stable")
    order = order[doubt[order] > 0.5]
    some = order[:MOST_SHOWN]
    doubts = _list_doubts(table, task, positions[tested[some]], label[some], likely[some], doubt[some])
    return doubts, {"rows": len(tested), "share": float(f"{share:.3g}"), "doubtful": len(order)}


def describe_doubts(summary: dict) -> str:
    """Format the summary of `find_doubts` as a sentence."""
    if not summary["doubtful"]:
        return f"No doubtful labels among {summary['rows']:,} rows of the training split."
    return (
        f"{summary['doubtful']:,} doubtful labels among {summary['rows']:,} rows of the training split; "
        f"at least {summary['share']:.1%} of the labels seem to be wrong."
    )


def _predict_unseen(sample: pd.DataFrame, task: Task, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of rows and their out-of-fold predictions by a forest; groups stay together, time is ignored."""
    tested, predicted = [], []
    for positions in make_folds(sample, replace(task, time=None), FOLDS, seed):
        fit_on, test = (split_columns(sample.iloc[rows], task, "data/processed/train.parquet") for rows in positions)
        few = {"max_samples": ROWS_PER_TREE} if len(fit_on[1]) > ROWS_PER_TREE else {}
        model = fit(RANDOM_FOREST, fit_on, test, task, seed, FOREST | few)
        tested.append(positions[1])
        predicted.append(model.predict(test[0]) if task.kind == "regression" else model.predict_proba(test[0]))
    if not tested:
        return np.array([], dtype=int), np.array([])
    return np.concatenate(tested), np.concatenate(predicted).round(6)  # the last digits depend on the number of threads


def _list_doubts(table: pd.DataFrame, task: Task, rows, given, likely, doubt) -> pd.DataFrame:
    """Return the table of doubts, with names of classes and masked keys."""
    names = (lambda values: [task.classes[int(one)] for one in values]) if task.classes else list
    keys = hide_personal(table[task.keys].iloc[list(rows)], table[task.keys]).reset_index(drop=True)
    labels = {"given": names(given), "likely": names(likely), "doubt": np.round(np.asarray(doubt, dtype=float), 3)}
    return pd.concat([pd.DataFrame({"row": np.asarray(rows, dtype=int)}), keys, pd.DataFrame(labels)], axis=1)


def _weigh(model: "_Classes | _Values") -> tuple[float, np.ndarray, np.ndarray]:
    """Return the share of wrong labels, the probability of each label that it is wrong, and the likely labels."""
    clean, start = model.fit(0.0, model.start)
    fits = []
    for share in SHARES:
        loss, start = model.fit(share, start)
        fits.append((loss, share, start))
    best = min(fits, key=lambda one: one[0])[0]
    evidence, limit = ((one + MISFIT * model.rows) / 2 for one in (EVIDENCE, LIMIT))
    if clean - best <= evidence:
        return 0.0, np.zeros(model.rows), model.likely(start)
    _, share, found = next(one for one in fits if one[0] - best <= limit)
    right, wrong = model.densities(found)
    return share, share * wrong / ((1 - share) * right + share * wrong), model.likely(found)


class _Classes:
    """Right labels follow the recalibrated predictions (a temperature, a shift per class); wrong ones are any other class."""

    def __init__(self, label: np.ndarray, predicted: np.ndarray):
        self.rows, self.count = predicted.shape
        trees = FOREST["n_estimators"]
        self.logs = np.log((predicted * trees + 0.5) / (trees + 0.5 * self.count))
        self.given = label.astype(int)
        self.one_hot = np.eye(self.count)[self.given]
        self.start = np.zeros(self.count)

    def _predict(self, settings: np.ndarray) -> np.ndarray:
        logs = np.exp(settings[0]) * self.logs + np.r_[0.0, settings[1:]]
        odds = np.exp(logs - logs.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def _loss(self, settings: np.ndarray, share: float) -> tuple[float, np.ndarray]:
        """Return the negative log likelihood with a weak prior, and its gradient."""
        predicted = self._predict(settings)
        own, other = predicted[np.arange(self.rows), self.given], share / (self.count - 1)
        likelihood = (1 - share - other) * own + other
        slopes = -((1 - share - other) * own / likelihood)[:, None] * (self.one_hot - predicted)
        gradient = np.r_[(slopes * np.exp(settings[0]) * self.logs).sum() + settings[0]]
        prior = settings[0] ** 2 / 2 + settings[1:] @ settings[1:] / 8
        return prior - np.log(likelihood).sum(), np.r_[gradient, slopes.sum(axis=0)[1:] + settings[1:] / 4]

    def fit(self, share: float, start: np.ndarray) -> tuple[float, np.ndarray]:
        found = minimize(self._loss, start, args=(share,), jac=True, method="L-BFGS-B")
        return found.fun, found.x

    def densities(self, settings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = self._predict(settings)[np.arange(self.rows), self.given]
        return own, (1 - own) / (self.count - 1)

    def likely(self, settings: np.ndarray) -> np.ndarray:
        return (self._predict(settings) - self.one_hot).argmax(axis=1)


class _Values:
    """Right values follow a two-sided Student's t around the predictions; wrong ones a Cauchy as wide as all labels."""

    def __init__(self, label: np.ndarray, predicted: np.ndarray):
        self.rows, self.predicted = len(label), predicted
        errors = label - predicted
        spread = np.empty(self.rows)
        for part in np.array_split(np.argsort(predicted, kind="stable"), max(1, min(10, self.rows // 100))):
            for side in (errors[part] > 0, errors[part] <= 0):
                if side.any():
                    spread[part[side]] = np.median(np.abs(errors[part[side]])) / 0.6745
        self.spread = spread.clip(max(np.median(spread) / 100, np.finfo(float).tiny))
        self.errors = errors / self.spread
        low, middle, high = np.quantile(label, [0.25, 0.5, 0.75])
        width = max((high - low) / 2, self.spread.min())
        self.wrong = 1 / (np.pi * width * (1 + ((label - middle) / width) ** 2))
        self.start = np.array([0.0, np.log(6.0), np.log(6.0)])

    def _right(self, settings: np.ndarray) -> np.ndarray:
        scale, *freedoms = np.exp(settings)
        constants = [gammaln((one + 1) / 2) - gammaln(one / 2) - np.log(one * np.pi) / 2 for one in freedoms]
        freedom, constant = (np.where(self.errors > 0, *pair) for pair in (freedoms, constants))
        logs = constant - (freedom + 1) / 2 * np.log1p((self.errors / scale) ** 2 / freedom)
        return np.exp(logs) / (scale * self.spread)

    def _loss(self, settings: np.ndarray, share: float) -> float:
        prior = ((settings - self.start) ** 2).sum() / 2
        likelihood = (1 - share) * self._right(settings) + share * self.wrong
        return prior - np.log(likelihood.clip(np.finfo(float).tiny)).sum()

    def fit(self, share: float, start: np.ndarray) -> tuple[float, np.ndarray]:
        found = minimize(self._loss, start, args=(share,), method="L-BFGS-B", bounds=[(-3, 3), (0, 4), (0, 4)])
        return found.fun, found.x

    def densities(self, settings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._right(settings), self.wrong

    def likely(self, settings: np.ndarray) -> np.ndarray:
        return self.predicted
