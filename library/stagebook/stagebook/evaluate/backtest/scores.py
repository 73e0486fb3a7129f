"""How good the chosen kind of model would have been month by month, and whether more data would help."""

import numpy as np
import pandas as pd

from ...model.baseline import fit_trivial
from ...model.folds import thin_out
from ...model.task import Task
from ..metrics import PRIMARY, predict_trivial, score
from .periods import Period, split_past
from .try_out import Learn, try_out

__all__ = ["describe_worst", "evaluate_period", "find_worst", "sum_up_backtest"]


def evaluate_period(period: Period, table: pd.DataFrame, learn: Learn, task: Task, most: int, min_rows: int) -> dict:
    """Return the metrics of a model fitted on at most `most` rows of the past; or the `reason` why there are none."""
    past, now = table.iloc[period.past], table.iloc[period.rows]
    about = period.describe() | {"rows": len(now), "known": len(past)}
    predicted = try_out(learn, *split_past(thin_out(past, most), task), now, task, min_rows)
    if isinstance(predicted, str):
        return about | {"reason": predicted}
    label, loss = now[task.target], "rmse" if task.kind == "regression" else "log_loss"
    trivial = predict_trivial(fit_trivial(past[task.target], task), task, len(now))
    for name, prediction in (("candidate", predicted), ("trivial", trivial)):
        metrics = score(task, label.to_numpy(), prediction)
        about |= {name: metrics[PRIMARY[task.kind][0]], f"{name}_loss": metrics[loss]}
    return about | {"label_mean": None if task.kind == "multiclass" else float(f"{label.mean():.4g}")}


def find_worst(periods: list[dict], task: Task) -> tuple[dict | None, int]:
    """Return the worst period, None if there is none, and the number of periods in which the trivial model is not worse."""
    sign = PRIMARY[task.kind][1]
    lost = sum(sign * one["candidate"] <= sign * one["trivial"] for one in periods)
    return min(periods, key=lambda one: sign * one["candidate"], default=None), lost


def sum_up_backtest(task: Task, model: str, periods: list[dict], points: list[dict], growth: dict) -> dict:
    """Return what reports/backtest.json holds.

    Parameters
    ----------
    periods, points, growth
        As `evaluate_period`, `evaluate_sizes` and `evaluate_growth` return them.
    """
    evaluated = [one for one in periods if "reason" not in one]
    worst, lost = find_worst(evaluated, task)
    return {
        "metric": PRIMARY[task.kind][0],
        "model": model,
        "periods": evaluated,
        "worst": worst,
        "lost_to_trivial": lost,
        "learning_curve": [one for one in points if "loss" in one],
        "more_rows": growth,
        "skipped": [one for one in [*periods, *points] if "reason" in one],
    }


def describe_worst(periods: list[dict], task: Task) -> str:
    """Return the result of the backtest in a sentence or two."""
    (worst, lost), metric = find_worst(periods, task), PRIMARY[task.kind][0]
    if worst is None:
        return "No period could be evaluated"
    values = [one["candidate"] for one in periods]
    if "fold" in worst:  # one fold is as good as another, only how far they differ tells something
        result = f"{metric} from {min(values):.3g} to {max(values):.3g}, median {np.median(values):.3g}"
    else:
        result = f"Worst in {worst['name']}: {metric} {worst['candidate']:.3g}, median {np.median(values):.3g}"
    return f"{result}. Better than the trivial model in {len(periods) - lost} of {len(periods)}"
