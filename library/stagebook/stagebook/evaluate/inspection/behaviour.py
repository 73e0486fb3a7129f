"""Behavioural tests of a model: change the rows as a test describes, predict again, and compare."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ...data.tables import set_columns
from ...model.task import Task
from ...project.errors import DataError
from .behaviour_file import FIGURES, Direction, Invariance, Limits, Minimum, Test
from .bins import spread_rows

__all__ = ["run_behaviour"]

COMPARE = {"above": pd.Series.gt, "at_least": pd.Series.ge, "below": pd.Series.lt, "at_most": pd.Series.le}


def run_behaviour(
    tests: list[Test],
    table: pd.DataFrame,
    task: Task,
    predict: Callable[[pd.DataFrame], np.ndarray],
    *,
    rows: int = 3_000,
    seed: int = 0,
    where: str = "docs/behaviour.yaml",
) -> list[dict]:
    """Run the tests that `read_behaviour` returned.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        The hold-out.
    predict : callable
        From such a table to predictions, as of `predict_model`.
    rows : int
        Limits the rows that each test uses, taken evenly from those it selects.

    Returns
    -------
    list of dict
        name, kind, reason; `rows` looked at; `measured` against `threshold`; passed; `message`, in words.

    Raises
    ------
    DataError
        No row is as a test asks.
    """
    results = []
    for test in tests:
        chosen = table[_matching(table, test.where)]
        if chosen.empty:
            raise DataError(
                f"{where}: test {test.name!r}: no row of the hold-out is as `where` asks: {_as_written(test.where)}."
            )
        chosen = chosen.iloc[spread_rows(len(chosen), rows)]
        changed = change_rows(chosen, table, test, seed)
        predicted = _one_column(test, task, predict(pd.concat([chosen, changed], ignore_index=True)))
        measure = _measure_minimum if isinstance(test, Minimum) else _measure_change
        measured, threshold, passed, message = measure(test, *np.split(predicted, 2))
        about = {key: getattr(test, key) for key in ("name", "kind", "reason")}
        found = {
            "rows": len(chosen),
            "measured": float(f"{measured:.4g}"),
            "threshold": threshold,
            "passed": bool(passed),
            "message": message,
        }
        results.append(about | found)
    return results


def _matching(table: pd.DataFrame, conditions: dict[str, object]) -> np.ndarray:
    """Return which rows meet all conditions: a value, a list of values, or limits such as {at_least: 5, below: 9}."""
    matching = pd.Series(True, index=table.index)
    for column, condition in conditions.items():
        if isinstance(condition, Limits):
            for limit, value in vars(condition).items():
                if value is not None:
                    matching &= COMPARE[limit](table[column], value)
        else:
            matching &= table[column].isin(condition if isinstance(condition, list) else [condition])
    return matching.to_numpy(dtype=bool)


def _as_written(conditions: dict) -> dict:
    """Return conditions as the file has them, without limits that are not given."""
    return {
        column: {limit: value for limit, value in vars(condition).items() if value is not None}
        if isinstance(condition, Limits)
        else condition
        for column, condition in conditions.items()
    }


def change_rows(rows: pd.DataFrame, table: pd.DataFrame, test: Test, seed: int) -> pd.DataFrame:
    """Return the rows as the test changes them; numbers stay missing, and within what `table` has after `add`."""
    changed = {}
    for column, amount in test.add.items():
        low, high = table[column].min(), table[column].max()
        changed[column] = (rows[column] + amount).clip(low, high).astype(rows[column].dtype)
    for column, value in test.set.items():
        numeric = pd.api.types.is_numeric_dtype(rows[column])
        missing = np.nan if numeric else ""  # as 40_features writes them
        changed[column] = pd.Series(missing if value is None else value, index=rows.index).astype(rows[column].dtype)
    order = np.random.default_rng(seed).permutation(len(rows))
    for column in test.shuffle:
        changed[column] = rows[column].iloc[order].set_axis(rows.index)
    return set_columns(rows, changed)


def _one_column(test: Test, task: Task, prediction: np.ndarray) -> np.ndarray:
    """Return the number per row that the test is about: the value, or the probability of its class."""
    if task.kind == "multiclass":
        return prediction[:, task.classes.index(test.class_)]
    return 1 - prediction if task.kind == "binary" and test.class_ == task.classes[0] else prediction


def _measure_minimum(test: Minimum, before: np.ndarray, after: np.ndarray) -> tuple[float, float, bool, str]:
    measured = float(getattr(after, FIGURES[test.figure])())
    least = test.at_least is not None
    threshold = test.at_least if least else test.at_most
    message = f"{test.figure} prediction {measured:.4g}, must be {'at least' if least else 'at most'} {threshold:g}"
    return measured, threshold, measured >= threshold if least else measured <= threshold, message


def _measure_change(
    test: Invariance | Direction, before: np.ndarray, after: np.ndarray
) -> tuple[float, float, bool, str]:
    """Compare the share of the rows that did as they must with `share`; without it, the mean with the tolerance."""
    move = after.astype(float) - before
    move[np.abs(move) <= 1e-6 * np.abs(before).max()] = (
        0.0  # below float32's precision; a row's place in the table moves it
    )
    wrong = np.abs(move) if isinstance(test, Invariance) else move * (-1 if test.prediction == "not lower" else 1)
    asked = "not move" if isinstance(test, Invariance) else f"be {test.prediction}"
    asked += f", give or take {test.tolerance:g}" if test.tolerance else ""
    if test.share is not None:
        kept = float((wrong <= test.tolerance).mean())
        message = (
            f"in {kept:.1%} of the rows it did what it must in {test.share:.0%}: {asked}; {move.mean():+.3g} on average"
        )
        return kept, test.share, kept >= test.share, message
    moved = f"{wrong.mean():.3g}" if isinstance(test, Invariance) else f"{move.mean():+.3g}"
    message = f"moves by {moved} on average, by {np.abs(move).max():.3g} at most; must {asked} on average"
    return float(wrong.mean()), test.tolerance, wrong.mean() <= test.tolerance, message
