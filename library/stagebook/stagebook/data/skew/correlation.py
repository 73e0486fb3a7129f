"""Rank correlations between the columns of a table, on a sample of its rows."""

import numpy as np
import pandas as pd

__all__ = ["as_numbers", "correlate", "describe_correlations", "name_class", "rank_columns"]

NUMBERS = ("number", "integer")
MAX_ROWS, MAX_CELLS = 20_000, 5_000_000  # sampled rows; sampled rows times columns
MAX_CLASSES = 5  # the frequent ones of a category, each a column of 0 and 1
MAX_PAIRS, MAX_TARGET_PAIRS = 100, 5000  # of features, of features with the target: the strongest are kept
CLOCK = 0.95  # rank correlation with time from which a number is a clock or a counter


def describe_correlations(
    frame: pd.DataFrame, columns: dict[str, dict], target: str | None, time: str | None
) -> tuple[dict, list[str]]:
    """Return the correlations to keep, and the columns of numbers that only follow the time.

    Kept are those of each feature with the target, and the strongest between features: `pairs` is a list of
    [one, other, correlation, rows], `tried` the number of pairs that they were chosen from.
    """
    ranks = rank_columns(frame, columns, time)
    numbers = [name for name in columns if columns[name]["kind"] in NUMBERS and name in ranks and name != target]
    clocks = [one for one, _, r, _ in correlate(ranks, [(name, time) for name in numbers if time]) if abs(r) >= CLOCK]
    labels = name_labels({name: column for name, column in columns.items() if name not in (time, *clocks)})
    goals = [label for label, (name, _) in labels.items() if name == target]
    features = [label for label, (name, _) in labels.items() if name != target]
    single = [label for label in features if label in numbers or len(columns[labels[label][0]]["shares"]) == 2]
    pairs = choose_strongest(ranks, features, goals, MAX_TARGET_PAIRS)
    pairs += choose_strongest(ranks, single, single, MAX_PAIRS)
    tried = len(features) * len(goals) + len(single) * (len(single) - 1) // 2
    return {"tried": tried, "pairs": correlate(ranks, pairs)}, clocks


def correlate(ranks: pd.DataFrame, pairs: list[tuple[str, str]]) -> list[list]:
    """Return [one, other, correlation, rows] of each pair that has one.

    Where a column has hardly more than one value, only twice the number of rows that differ counts: chance is large.
    """
    if not pairs:
        return []
    known, varying = ranks.notna(), {}
    for name in {label for pair in pairs for label in pair}:
        counts = np.unique(ranks[name].to_numpy()[known[name]], return_counts=True)[1]
        varying[name] = 2 * int(counts.sum() - counts.max(initial=0))
    result = []
    for one, other in pairs:
        both = (known[one] & known[other]).to_numpy()
        rows = min(int(both.sum()), varying[one], varying[other])
        left, right = ranks[one].to_numpy()[both], ranks[other].to_numpy()[both]
        if rows > 3 and np.ptp(left) and np.ptp(right):
            result.append([one, other, round(float(np.corrcoef(left, right)[0, 1]), 4), rows])
    return result


def choose_strongest(ranks: pd.DataFrame, ones: list[str], others: list[str], most: int) -> list[tuple[str, str]]:
    """Return the most correlated pairs of two lists of columns; a missing value counts as an average one here."""
    left, right = standardise(ranks[ones]), standardise(ranks[others])
    strength = np.round(np.abs(left.T @ right), 4)
    if ones == others:
        strength = np.triu(strength, k=1)
    order = np.argsort(-strength, axis=None, kind="stable")[:most]
    pairs = zip(*np.unravel_index(order, strength.shape), strict=True)
    return [(ones[one], others[other]) for one, other in pairs if ones != others or one < other]


def standardise(ranks: pd.DataFrame) -> np.ndarray:
    """Return columns of mean 0 and length 1; missing values and constant columns are 0."""
    centred = np.nan_to_num((ranks - ranks.mean()).to_numpy(dtype=float))
    size = np.sqrt((centred**2).sum(axis=0))
    return centred / np.where(size > 0, size, 1)


def rank_columns(frame: pd.DataFrame, columns: dict[str, dict], time: str | None = None) -> pd.DataFrame:
    """Return the ranks of numbers, of frequent classes as 0/1, and of the time, on sampled rows (seeded)."""
    labels = name_labels({name: column for name, column in columns.items() if name in frame and name != time})
    rows = min(MAX_ROWS, MAX_CELLS // max(len(labels), 1))
    sample = frame.sample(rows, random_state=0) if rows < len(frame) else frame
    encoded, classes = {}, {}
    for label, (name, chosen) in labels.items():
        if chosen is None:
            encoded[label] = as_numbers(sample[name])
            continue
        if name not in classes:
            classes[name] = sample[name].map(name_class, na_action="ignore")
        encoded[label] = np.where(classes[name].isna(), np.nan, classes[name] == chosen)
    ranks = pd.DataFrame(encoded, index=sample.index).rank()
    if time is not None:
        ranks[time] = sample[time].rank()
    return ranks


def name_labels(columns: dict[str, dict]) -> dict[str, tuple[str, str | None]]:
    """Return label to column and class: `temp` is a column of numbers, `carrier = UA` one class of a category."""
    labels = {}
    for name, column in columns.items():
        if column["kind"] in NUMBERS:
            labels[name] = (name, None)
        elif column["kind"] in ("category", "boolean"):
            classes = list(column.get("shares", ()))
            for chosen in classes[-1:] if len(classes) == 2 else classes[:MAX_CLASSES]:
                labels[f"{name} = {chosen}"] = (name, chosen)
    return labels


def as_numbers(values: pd.Series) -> np.ndarray:
    """Return the values as floats; what is no finite number is missing."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def name_class(value) -> str:
    """Return the text of a class: 2 and 2.0 are the same."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
