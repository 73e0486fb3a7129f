"""Pictures of the windows measured so far: what moved, how good the model was, what it saved."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from ..evaluate.metrics import PRIMARY
from ..evaluate.style import find_style
from ..model.task import Task

__all__ = ["draw_drift", "draw_performance", "draw_value", "drift_table"]

MOST_FEATURES = 30
LARGE = 0.5  # PSI from which a cell is as dark as can be


def drift_table(records: Sequence[dict]) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    """Return features (the most moved first), windows, the smallest PSI of each against any reference, and what moved.

    Both tables are of shape (n_features, n_windows), with NaN and False where nothing was compared.
    """
    windows, cells = [record["window"]["name"] for record in records], {}
    for at, record in enumerate(records):
        for line in record.get("drift", {}).get("features", []):
            psi = cells.setdefault(line["feature"], np.full(len(records), np.nan))
            psi[at] = np.fmin(psi[at], np.nan if line["psi"] is None else line["psi"])
    moved = {name: np.zeros(len(records), dtype=bool) for name in cells}
    for at, record in enumerate(records):
        for name in record.get("drift", {}).get("moved", []):
            moved[name][at] = True
    key = lambda name: (-moved[name].sum(), -np.nan_to_num(cells[name]).max(), name)
    order = sorted(cells, key=key)[:MOST_FEATURES]
    empty = np.zeros((0, len(records)))
    table = np.array([cells[name] for name in order]) if order else empty
    return order, windows, table, np.array([moved[name] for name in order]) if order else empty.astype(bool)


def draw_drift(records: Sequence[dict]) -> plt.Figure:
    """Return features against windows: the darker, the larger the PSI; a dot is drift against every reference."""
    features, windows, psi, moved = drift_table(records)
    with plt.rc_context({"text.parse_math": False}):  # a name may have a $ in it
        size = (2.5 + 0.45 * max(len(windows), 4), 1.5 + 0.25 * max(len(features), 2))
        figure, axis = plt.subplots(figsize=size, layout="constrained")
        if features:
            image = axis.imshow(psi, cmap="Blues", vmin=0, vmax=LARGE, aspect="auto")
            figure.colorbar(image, ax=axis, label="PSI beyond chance", extend="max")
            rows, columns = np.nonzero(moved)
            axis.plot(columns, rows, "o", color=find_style("baseline")["color"], markersize=5)
        axis.set_yticks(range(len(features)), [_short(name) for name in features])
        axis.set_xticks(range(len(windows)), [_short(name) for name in windows], rotation=90)
        last = int(moved[:, -1].sum()) if len(windows) else 0
        axis.set_title(f"{last} features moved in the last window" if windows else "no window measured", fontsize=10)
    return figure


def draw_performance(records: Sequence[dict], task: Task) -> plt.Figure:
    """Return the deciding metric of each window, true and estimated, with intervals; the line is the reference."""
    metric, sign = PRIMARY[task.kind]
    with plt.rc_context({"text.parse_math": False}):
        figure, axis = plt.subplots(figsize=(max(6, 1 + 0.5 * len(records)), 4), layout="constrained")
        for shift, (key, style) in enumerate({"estimate": "baseline", "performance": "candidate"}.items()):
            label = "estimated without true values" if key == "estimate" else "true"
            _draw_intervals(axis, records, lambda one, key=key: one.get(key, {}).get(metric), style, label, shift / 8)
        before = [record["performance_before"].get(metric) for record in records if "performance_before" in record]
        if before and before[-1] is not None:
            axis.axhline(before[-1], label="reference", **find_style("trivial"))
        direction = "more" if sign > 0 else "less"
        _finish(axis, records, f"{metric} by window ({direction} is better)", metric)
    return figure


def draw_value(records: Sequence[dict]) -> plt.Figure:
    """Return what acting on the model saved per row in each window, against no model."""
    units = [f"{one['value']['currency']} per {one['value']['per']}" for one in records if "value" in one]
    with plt.rc_context({"text.parse_math": False}):
        figure, axis = plt.subplots(figsize=(max(6, 1 + 0.5 * len(records)), 4), layout="constrained")
        _draw_intervals(axis, records, lambda one: one.get("value", {}).get("saved"), "candidate", "saved", 0)
        axis.axhline(0, color="black", linewidth=1)
        _finish(axis, records, "Saved by acting on the model", units[-1] if units else "")
    return figure


def _draw_intervals(axis: plt.Axes, records: Sequence[dict], pick, style: str, label: str, shift: float) -> None:
    """Draw value and interval of each window that has them."""
    found = [(at, pick(record)) for at, record in enumerate(records)]
    found = [(at, one) for at, one in found if one and one["value"] is not None]
    if not found:
        return
    places, values = [at + shift for at, _ in found], np.array([one["value"] for _, one in found])
    ends = np.array([[one["value"] - one["low"], one["high"] - one["value"]] for _, one in found]).T.clip(min=0)
    axis.errorbar(places, values, yerr=ends, marker="o", capsize=3, label=label, **find_style(style))


def _finish(axis: plt.Axes, records: Sequence[dict], title: str, unit: str) -> None:
    names = [_short(record["window"]["name"]) for record in records]
    axis.set_xticks(range(len(names)), names, rotation=90)
    axis.set(title=title, ylabel=unit, xlim=(-0.5, max(len(names), 1) - 0.5))
    if axis.get_legend_handles_labels()[1]:
        axis.legend()


def _short(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:29]}…"
