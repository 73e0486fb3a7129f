"""Plots of an inspection; each title states the result."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from ...model.task import Task

__all__ = ["draw_inspection"]

MOST_BARS = 15
MOST_LINES = 5  # classes that one can tell apart by colour


def draw_inspection(
    task: Task,
    named: pd.DataFrame,
    found: pd.DataFrame,
    fairness: dict[str, pd.DataFrame],
    importance: pd.DataFrame,
    dependence: dict[str, pd.DataFrame],
) -> dict[str, plt.Figure]:
    """Return the plots by name; the arguments are the tables that the functions of the same names return."""
    with plt.rc_context({"text.parse_math": False}):  # a name may have a $ in it
        drawn = {"segments": draw_segments(named, found)} if len(named) or len(found) else {}
        drawn |= {
            f"fairness_{place}": draw_fairness(task, name, fairness[name])
            for place, name in enumerate(fairness, start=1)
            if len(fairness[name])
        }
        return drawn | {"importance": draw_importance(importance), "dependence": draw_dependence(task, dependence)}


def draw_segments(named: pd.DataFrame, found: pd.DataFrame) -> plt.Figure:
    """Return the ratio of the weakest segments to all rows, with two standard errors, named ones apart from found ones."""
    parts = [(kind, table.head(MOST_BARS)) for kind, table in (("named", named), ("found", found)) if len(table)]
    bars = pd.concat([table.assign(kind=kind) for kind, table in parts], ignore_index=True)
    figure, axis = plt.subplots(figsize=(9, 1.5 + 0.28 * len(bars)), layout="constrained")
    for color, (kind, _) in enumerate(parts):
        some = bars[bars["kind"] == kind]
        error = 2 * some["error"]
        axis.barh(some.index, some["ratio"] - 1, left=1, xerr=error, color=f"C{color}", label=kind, ecolor="grey")
    axis.set_yticks(bars.index, [_cut(name, 70) for name in bars["segment"]])
    axis.invert_yaxis()
    axis.axvline(1, color="black", linewidth=0.8)
    figure.supxlabel("loss of the segment / loss of all rows, with two standard errors", fontsize=10)
    worst = (f"{kind}: {_cut(table['segment'][0], 70)}, {table['ratio'][0]:.2f} times" for kind, table in parts)
    figure.suptitle("Loss compared with all rows; worst " + "\nworst ".join(worst), fontsize=10)
    axis.legend()
    return figure


def draw_importance(importance: pd.DataFrame) -> plt.Figure:
    """Return the rise of the loss for the columns that matter most, with the spread over the shuffles."""
    most = importance.head(MOST_BARS)
    figure, axis = plt.subplots(figsize=(8, 1.5 + 0.28 * len(most)), layout="constrained")
    axis.barh(range(len(most)), 100 * most["rise"], xerr=100 * most["spread"], ecolor="grey")
    axis.set_yticks(range(len(most)), [_cut(name, 40) for name in most.index])
    axis.invert_yaxis()
    name, rise = most.index[0], most["rise"].iloc[0]
    title = (
        f"{_cut(name, 30)} matters most: shuffled, the loss rises by {rise:.0%}" if rise > 0 else "No column matters"
    )
    axis.set(title=title, xlabel="rise of the loss when the column is shuffled, %")
    return figure


def draw_dependence(task: Task, tables: dict[str, pd.DataFrame]) -> plt.Figure:
    """Return one small plot per column: the mean prediction against the column's value, all on one scale."""
    wide = min(3, len(tables))
    deep = -(-len(tables) // wide)
    size = (3.6 * wide, 0.6 + 2.8 * deep)
    figure, axes = plt.subplots(deep, wide, figsize=size, sharey=True, squeeze=False, layout="constrained")
    shown = _shown_classes(tables)
    for axis, (name, table) in zip(axes.flat, tables.items(), strict=False):
        numbers = pd.api.types.is_numeric_dtype(table.index)
        for line in shown:
            label = task.classes[line] if task.kind == "multiclass" else None
            places = table.index if numbers else range(len(table))
            axis.plot(places, table[line], marker=".", linestyle="-" if numbers else "", label=label)
        if not numbers:
            axis.set_xticks(range(len(table)), [_cut(str(value), 12) for value in table.index], rotation=90)
        else:
            axis.locator_params(axis="x", nbins=5)
        axis.set_title(f"{_cut(name, 30)}: {_span(task, table[shown])}", fontsize=10)
    for axis in list(axes.flat)[len(tables) :]:
        axis.remove()
    spans = {name: np.ptp(table[shown].to_numpy(), axis=0).max() for name, table in tables.items()}
    most = max(spans, key=spans.get)
    figure.suptitle(
        f"The prediction moves most along {_cut(most, 40)}: {_span(task, tables[most][shown])}, all else as it is"
    )
    labels = {"binary": f"probability of '{task.classes[-1]}'" if task.classes else "", "multiclass": "probability"}
    figure.supylabel(labels.get(task.kind, f"predicted {task.target}"))
    if task.kind == "multiclass":
        axes.flat[0].legend(fontsize=8)
    return figure


def _shown_classes(tables: dict[str, pd.DataFrame]) -> list[int]:
    """Return the outputs that move most over all columns."""
    moved = np.max([np.ptp(table.to_numpy(), axis=0) for table in tables.values()], axis=0)
    return sorted(np.argsort(-moved, kind="stable")[:MOST_LINES].tolist())


def _span(task: Task, table: pd.DataFrame) -> str:
    """Return the range of the output that moves most."""
    line = table[table.columns[np.ptp(table.to_numpy(), axis=0).argmax()]]
    whose = f"'{_cut(task.classes[line.name], 12)}' " if task.kind == "multiclass" else ""
    return f"{whose}{line.min():.3g} to {line.max():.3g}"


def draw_fairness(task: Task, column: str, table: pd.DataFrame) -> plt.Figure:
    """Return the figure of each group whose difference is largest, from a table of `fairness_table`."""
    most = table[table["figure"] == table["figure"].iloc[0]]
    figure, axis = plt.subplots(figsize=(8, 1.5 + 0.3 * len(most)), layout="constrained")
    axis.barh(range(len(most)), most["value"])
    axis.set_yticks(range(len(most)), [f"{_cut(row.group, 40)} ({row.rows:,} rows)" for row in most.itertuples()])
    axis.invert_yaxis()
    first = most.iloc[0]
    sure = "more than chance explains" if first["low"] > 0 else "perhaps by chance"
    if pd.notna(first["difference"]):
        result = f"differs by {first['difference']:.2f} ({first['low']:.2f} to {first['high']:.2f}), {sure}"
    else:
        result = "only one group has enough rows"
    axis.set_title(f"{_cut(column, 30)}: {result}")
    axis.set_xlabel(first["figure"] + (f", standard deviations of {task.target}" if task.kind == "regression" else ""))
    return figure


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
