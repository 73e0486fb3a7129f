"""Labels: where they come from, when they are known, and labels by rule (weak supervision) where none are given."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from ..project.errors import DataError

__all__ = [
    "ABSTAIN",
    "apply_labelling_functions",
    "count_contradictions",
    "describe_labels",
    "majority_label",
    "summarise_labelling",
    "vote",
]

ABSTAIN = -1  # the vote of a labelling function that does not know


def describe_labels(
    label: pd.Series,
    source: str,
    unlabelled: Mapping[str, int] | None = None,
    asked: pd.Series | None = None,
    known: pd.Series | None = None,
    by: pd.DataFrame | None = None,
    classes: Sequence[str] | None = None,
) -> dict:
    """Return what a report says about labels, ready for JSON.

    Parameters
    ----------
    label : Series, shape (rows,)
        Classes 0..k-1, or numbers (regression).
    source : str
        Where the label comes from, in words.
    unlabelled : mapping of str to int, optional
        Rows without a label, by reason.
    asked, known : Series of datetime64, optional
        When the prediction is wanted, and when the label is known; missing where nobody can tell.
    by : DataFrame, shape (rows, groups), optional
        Columns such as split and month: the label is also described for each of their values.
    classes : sequence of str, optional
        Names of the classes; without them `label` is numbers.
    """
    unlabelled, by = unlabelled or {}, pd.DataFrame() if by is None else by
    total = max(len(label) + sum(unlabelled.values()), 1)
    report = {"source": source, "rows": len(label)}
    report["missing"] = {why: {"rows": rows, "share": round(rows / total, 4)} for why, rows in unlabelled.items()}
    if asked is not None and known is not None:
        report["delay_until_known"] = _describe_delay(known - asked)
    report["overall"] = _describe_values(label, classes)
    for column in by:
        groups = label.groupby(by[column], sort=True)
        report[f"by_{column}"] = {str(group): _describe_values(part, classes) for group, part in groups}
    return report


def _describe_values(label: pd.Series, classes: Sequence[str] | None) -> dict[str, float]:
    if classes is None:
        names = ("mean", "lower quartile", "median", "upper quartile")
        values = (label.mean(), *label.quantile([0.25, 0.5, 0.75]))
        return {name: float(f"{value:.4g}") for name, value in zip(names, values, strict=True)}
    return {name: round(float((label == number).mean()), 4) for number, name in enumerate(classes)}


def _describe_delay(delay: pd.Series) -> dict:
    """Return median, 95 % quantile and maximum in the largest unit of which the median has one or more."""
    minutes = delay.dropna().dt.total_seconds() / 60
    median = minutes.median() if len(minutes) else 0.0
    unit, size = ("days", 1440) if median >= 1440 else ("hours", 60) if median >= 60 else ("minutes", 1)
    quantiles = zip(("median", "p95", "max"), minutes.quantile([0.5, 0.95, 1.0]), strict=True)
    values = {name: round(value / size, 2) for name, value in quantiles if len(minutes)}
    return {"rows": len(minutes), "unit": unit, **values, "known_before_asked": int((minutes < 0).sum())}


def count_contradictions(features: pd.DataFrame, label: pd.Series) -> int:
    """Return how many rows have a twin with the same features and another label: no model can be right on both."""
    alike = pd.util.hash_pandas_object(features, index=False)
    return int((label.groupby(alike.to_numpy()).transform("nunique") > 1).sum())


def vote(where: pd.Series, label: int) -> pd.Series:
    """Return `label` in the rows where a condition holds, ABSTAIN in the others (and where it is missing)."""
    return where.fillna(False).astype(bool).map({True: label, False: ABSTAIN}).astype("int16")


def apply_labelling_functions(
    frame: pd.DataFrame, functions: Mapping[str, Callable[[pd.DataFrame], pd.Series]]
) -> pd.DataFrame:
    """Return the votes, shape (rows, functions), int16; a missing vote is ABSTAIN. Functions may use what is known late.

    Raises
    ------
    DataError
        A function does not return one whole number per row, ABSTAIN or a class.
    """
    votes = {name: _read_votes(name, function(frame), frame.index) for name, function in functions.items()}
    return pd.DataFrame(votes, index=frame.index, dtype="int16")


def _read_votes(name: str, votes: pd.Series, index: pd.Index) -> pd.Series:
    if not isinstance(votes, pd.Series) or not votes.index.equals(index) or votes.dtype == bool:
        raise DataError(f"Labelling function {name!r} must return a Series of classes, one per row; see `vote`.")
    numbers = pd.to_numeric(votes, errors="coerce").astype("float64")
    if (wrong := votes.notna() & ~(numbers >= ABSTAIN) | (numbers % 1 > 0)).any():
        raise DataError(
            f"Labelling function {name!r} votes {votes[wrong].tolist()[0]!r}; it must be {ABSTAIN}, 0, 1, ..."
        )
    return numbers.fillna(ABSTAIN).astype("int16")


def summarise_labelling(votes: pd.DataFrame, truth: pd.Series | None = None) -> pd.DataFrame:
    """Return per function: shares of rows it votes on, where others vote too, and where one of them disagrees.

    With `truth` (ABSTAIN or missing where unknown) also `known`, the number of its votes whose truth is known, and
    `accuracy`, the share of these that is right (missing if there is none).
    """
    voted = votes != ABSTAIN
    several = voted.sum(axis=1) > 1
    conflict = votes.max(axis=1) != votes.where(voted).min(axis=1)
    summary = pd.DataFrame({"coverage": voted.mean()})
    summary["overlaps"] = voted.mul(several, axis=0).mean()
    summary["conflicts"] = voted.mul(several & conflict, axis=0).mean()
    if truth is not None:
        known = voted.mul(truth.notna() & truth.ne(ABSTAIN), axis=0)
        summary["known"] = known.sum()
        summary["accuracy"] = (votes.eq(truth, axis=0) & known).sum() / summary["known"]
    return summary


def majority_label(votes: pd.DataFrame, accuracy: Mapping[str, float] | None = None) -> pd.Series:
    """Return the class with most votes per row, int16; ABSTAIN in a tie and where nobody votes.

    With `accuracy` (by function, 0 to 1) a vote weighs that much; a function without known votes has no weight.
    """
    weights = pd.Series(1.0 if accuracy is None else accuracy, index=votes.columns, dtype="float64").fillna(0.0)
    classes = sorted(set(votes.to_numpy().ravel()) - {ABSTAIN})
    scores = {number: (votes == number).mul(weights).sum(axis=1).round(9) for number in classes}
    scores = pd.DataFrame({ABSTAIN: 0.0, **scores}, index=votes.index)
    tie = scores.eq(scores.max(axis=1), axis=0).sum(axis=1) > 1
    return scores.idxmax(axis=1).mask(tie, ABSTAIN).astype("int16")
