"""Whether more rows would help: the same model is fitted on more and more rows, and evaluated on the same rows."""

import numpy as np
import pandas as pd

from ...model.task import Task
from ..inspection.segments import row_loss
from ..metrics import PRIMARY, score
from .periods import order_rows
from .try_out import Learn, try_out

__all__ = ["describe_growth", "evaluate_growth", "evaluate_sizes"]

WORTH = 0.01  # of the loss; a smaller gain is not worth collecting rows for


def evaluate_sizes(
    train: pd.DataFrame,
    validation: pd.DataFrame,
    learn: Learn,
    task: Task,
    shares: list[float],
    min_rows: int,
    seed: int,
    whole: np.ndarray | None = None,
) -> tuple[list[dict], list[np.ndarray]]:
    """Return the metrics on the validation split for each of the `shares` of the training rows, and the loss of each row.

    A smaller share is part of a larger one: the newest rows or, without a time, a random sample. A share that cannot be
    evaluated has a `reason` instead of metrics, and no losses. `whole` are the predictions of the model fitted on all rows, on
    the validation split: the last point.
    """
    ordered = order_rows([train], task) if task.time else train.sample(frac=1, random_state=seed)
    label, points, losses = validation[task.target].to_numpy(), [], []
    for share in [*shares, 1.0]:
        part = ordered.tail(max(1, round(share * len(ordered))))
        known = share == 1 and whole is not None
        predicted = whole if known else try_out(learn, part, validation, validation, task, min_rows)
        if isinstance(predicted, str):
            points.append({"rows": len(part), "reason": predicted})
            continue
        metrics, loss = score(task, label, predicted), "rmse" if task.kind == "regression" else "log_loss"
        points.append({"rows": len(part), "loss": metrics[loss], "metric": metrics[PRIMARY[task.kind][0]]})
        losses.append(row_loss(task, label, predicted))
    return points, losses


def evaluate_growth(losses: list[np.ndarray]) -> dict[str, float | str]:
    """Return by which share the last step lowered the loss, how much of that may be chance, and what follows.

    Parameters
    ----------
    losses : list of ndarray of shape (n_rows,)
        Of the same rows, after learning from fewer and from more.

    Returns
    -------
    dict
        gain: share of the loss; chance: two standard errors of it, for rows that are independent of each other; says: the conclusion.
    """
    if len(losses) < 2:
        return {"says": "too few rows to tell"}
    less, more = losses[-2:]
    loss, saved = max(less.mean(), 1e-12), less - more
    gain, chance = (round(float(value / loss), 4) for value in (saved.mean(), 2 * saved.std() / np.sqrt(len(saved))))
    return {"gain": gain, "chance": chance, "says": _conclude(gain, chance)}


def _conclude(gain: float, chance: float) -> str:
    if abs(gain) < WORTH and (chance < WORTH or chance < abs(gain)):
        return "flat, more rows would hardly help"
    if abs(gain) <= chance:
        return "too few rows to tell"
    return "still falling, more rows would help" if gain > 0 else "rising, more rows did harm"


def describe_growth(points: list[dict], growth: dict, task: Task) -> str:
    """Return the result of the learning curve in a sentence."""
    evaluated = [f"{one['rows']:,}" for one in points if "loss" in one]
    if len(evaluated) < 2:
        return f"Would more rows help? {growth['says'].capitalize()}"
    loss, result = "squared error" if task.kind == "regression" else "log loss", growth["says"].capitalize()
    change = f"{abs(growth['gain']):.1%} {'lower' if growth['gain'] >= 0 else 'higher'} {loss}"
    return (
        f"{result}: {change} with {evaluated[-1]} rows than with {evaluated[-2]} (± {growth['chance']:.1%} by chance)"
    )
