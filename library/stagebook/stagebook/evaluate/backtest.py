"""How would the chosen kind of model have done month by month, and would more data help?"""

import numpy as np
import pandas as pd

from ..model.baseline import fit_trivial
from ..model.folds import thin_out
from ..model.task import Task
from .metrics import PRIMARY, predict_trivial, score
from .periods import Period, split_past
from .try_out import Learn, try_out

__all__ = ["find_worst", "judge_period", "say_worst"]


def judge_period(period: Period, table: pd.DataFrame, learn: Learn, task: Task, most: int, min_rows: int) -> dict:
    """Return the figures of the model that learned from the past, `most` rows of it; or the `reason` why there are none."""
    past, now = table.iloc[period.past], table.iloc[period.rows]
    about = period.describe() | {"rows": len(now), "known": len(past)}
    said = try_out(learn, *split_past(thin_out(past, most), task), now, task, min_rows)
    if isinstance(said, str):
        return about | {"reason": said}
    label, loss = now[task.target], "rmse" if task.kind == "regression" else "log_loss"
    trivial = predict_trivial(fit_trivial(past[task.target], task), task, len(now))
    for name, prediction in (("candidate", said), ("trivial", trivial)):
        figures = score(task, label.to_numpy(), prediction)
        about |= {name: figures[PRIMARY[task.kind][0]], f"{name}_loss": figures[loss]}
    return about | {"label_mean": None if task.kind == "multiclass" else float(f"{label.mean():.4g}")}


def find_worst(judged: list[dict], task: Task) -> tuple[dict | None, int]:
    """Return the worst of the judged periods, None if there is none, and in how many the model was not the better one."""
    sign = PRIMARY[task.kind][1]
    lost = sum(sign * one["candidate"] <= sign * one["trivial"] for one in judged)
    return min(judged, key=lambda one: sign * one["candidate"], default=None), lost


def say_worst(judged: list[dict], task: Task) -> str:
    """Return what is seen in the backtest, in a sentence or two."""
    (worst, lost), figure = find_worst(judged, task), PRIMARY[task.kind][0]
    if worst is None:
        return "Nothing could be judged"
    figures = [one["candidate"] for one in judged]
    if "fold" in worst:  # one fold is as good as another, only how far they differ tells something
        said = f"{figure} from {min(figures):.3g} to {max(figures):.3g}, median {np.median(figures):.3g}"
    else:
        said = f"Worst in {worst['name']}: {figure} {worst['candidate']:.3g}, median {np.median(figures):.3g}"
    return f"{said}. Better than the trivial model in {len(judged) - lost} of {len(judged)}"
