"""Would more rows help? The same model learns from more and more of them, and is judged by the same rows."""

import numpy as np
import pandas as pd

from ..model.task import Task
from .metrics import PRIMARY, score
from .periods import order_rows
from .segments import row_loss
from .try_out import Learn, try_out

__all__ = ["judge_growth", "judge_sizes", "say_growth"]

WORTH = 0.01  # of the loss; less is not worth to collect rows for


def judge_sizes(
    train: pd.DataFrame,
    validation: pd.DataFrame,
    learn: Learn,
    task: Task,
    shares: list[float],
    min_rows: int,
    seed: int,
    whole: np.ndarray | None = None,
) -> tuple[list[dict], list[np.ndarray]]:
    """Return the figures on the validation split for each of the `shares` of the training rows, and the loss of each row.

    A smaller share is part of a larger one: the newest rows or, without a time, some taken by chance. A share that cannot
    be judged has a `reason` instead of figures, and no losses. `whole` is what the model that learned from all of them says
    of the validation split: the last point.
    """
    ordered = order_rows([train], task) if task.time else train.sample(frac=1, random_state=seed)
    label, points, losses = validation[task.target].to_numpy(), [], []
    for share in [*shares, 1.0]:
        part = ordered.tail(max(1, round(share * len(ordered))))
        known = share == 1 and whole is not None
        said = whole if known else try_out(learn, part, validation, validation, task, min_rows)
        if isinstance(said, str):
            points.append({"rows": len(part), "reason": said})
            continue
        figures, loss = score(task, label, said), "rmse" if task.kind == "regression" else "log_loss"
        points.append({"rows": len(part), "loss": figures[loss], "figure": figures[PRIMARY[task.kind][0]]})
        losses.append(row_loss(task, label, said))
    return points, losses


def judge_growth(losses: list[np.ndarray]) -> dict[str, float | str]:
    """Return by which share the last step lowered the loss, how much of that may be chance, and what this means.

    Parameters
    ----------
    losses : list of ndarray of shape (n_rows,)
        Of the same rows, after learning from fewer and from more.

    Returns
    -------
    dict
        gain: share of the loss; chance: two standard errors of it, for rows that are independent of each other; says.
    """
    if len(losses) < 2:
        return {"says": "too few rows to tell"}
    less, more = losses[-2:]
    loss, saved = max(less.mean(), 1e-12), less - more
    gain, chance = (round(float(value / loss), 4) for value in (saved.mean(), 2 * saved.std() / np.sqrt(len(saved))))
    return {"gain": gain, "chance": chance, "says": _judge(gain, chance)}


def _judge(gain: float, chance: float) -> str:
    if abs(gain) < WORTH and (chance < WORTH or chance < abs(gain)):
        return "flat, more rows would hardly help"
    if abs(gain) <= chance:
        return "too few rows to tell"
    return "still falling, more rows would help" if gain > 0 else "rising, more rows did harm"


def say_growth(points: list[dict], growth: dict, task: Task) -> str:
    """Return what is seen in the learning curve, in a sentence."""
    judged = [f"{one['rows']:,}" for one in points if "loss" in one]
    if len(judged) < 2:
        return f"Would more rows help? {growth['says'].capitalize()}"
    loss, said = "squared error" if task.kind == "regression" else "log loss", growth["says"].capitalize()
    change = f"{abs(growth['gain']):.1%} {'lower' if growth['gain'] >= 0 else 'higher'} {loss}"
    return f"{said}: {change} with {judged[-1]} rows than with {judged[-2]} (± {growth['chance']:.1%} by chance)"
