"""The record of a window: all that is measured of it, as plain JSON values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from ..evaluate.inspection.segments import row_loss
from ..evaluate.metrics import PRIMARY
from ..gate.requirements import Requirements
from ..model.task import Task
from .concept import detect_changes, excess_loss
from .drift import measure_drift, moved_features
from .effect import day_blocks
from .estimate import estimate_performance
from .feedback import evaluate_control
from .label_shift import measure_label_shift
from .multivariate import compare_domains
from .observed import Observed, feature_kinds
from .performance import (
    compare_drop,
    draw_metrics,
    measure_calibration,
    measure_segment_change,
    measure_value,
    with_interval,
)
from .record import (
    Rows,
    count_rows,
    describe_system,
    find_clocks,
    pick_reference,
    same_version,
    take_labelled,
    to_plain,
)

__all__ = ["MeasureSettings", "measure_window"]


@dataclass(frozen=True)
class MeasureSettings:
    """How windows are measured.

    Attributes
    ----------
    alpha, min_psi, most_rows
        See `measure_drift`.
    min_rows : int
        Fewer rows, or fewer rows with a true value, tell nothing.
    late_after_days : float
        A true value that arrives later is counted as late.
    compare_with : str
        The reference that performance is compared with. Without it: the last one that has true values.
    draws, confidence, seed
        Number of resamples, share of them within an interval, and what makes them repeatable.
    calibration_bins : int
        Number of equally large groups of rows for the calibration error.
    """

    alpha: float = 0.01
    min_psi: float = 0.1
    most_rows: int = 30_000
    min_rows: int = 30
    late_after_days: float = 7.0
    compare_with: str = "holdout"
    draws: int = 100
    confidence: float = 0.95
    seed: int = 0
    calibration_bins: int = 10


def measure_window(
    observed: Observed,
    references: Mapping[str, Observed],
    task: Task,
    requirements: Requirements,
    settings: MeasureSettings | None = None,
) -> dict:
    """Return the window record.

    Parameters
    ----------
    observed : Observed
        The window. Rows of other model versions than that of the reference count for drift only.
    references : mapping of Observed
        By name, such as training, holdout, the same season a year back. A feature that moved against one of them only
        is not drift. Their features must be those of the model.
    requirements : Requirements
        Costs and segments of docs/requirements.yaml.

    Returns
    -------
    dict
        `window`, `rows`, `labelled`, `missing_outcomes`, `late_outcomes`, `versions`, `enough`, `notes`, `system`, and as
        far as they can be told `drift`, `label_shift`, `estimate`, `estimate_drop`, `performance`, `performance_drop`,
        `value`, `calibration`, `segments`, `concept`, `control`. A measured number with an interval is a dict of
        `value`, `low`, `high`. Each `drop` is relative, above 0 is worse. What cannot be told is left out, with a note.
    """
    settings, notes = settings or MeasureSettings(), []
    record = count_rows(observed, settings.min_rows, settings.late_after_days, notes) | describe_system(observed)
    if not record["enough"]:
        return to_plain(record | {"notes": notes})
    base_name, base = pick_reference(references, settings.compare_with, settings.min_rows, notes)
    record |= {"drift": _drift(observed, references, task, settings, notes), "compared_with": base_name}
    if base is not None:
        own = same_version(observed, base, settings.min_rows, notes)
        was = take_labelled(base, task)
        before, drawn_before = draw_metrics(
            task, was.label, was.prediction, was.days, draws=settings.draws, seed=settings.seed + 1
        )
        record |= {"performance_before": before}
        record |= _expect(observed, own, was, task, requirements, settings, notes, (before, drawn_before))
        now = take_labelled(observed, task, own)
        if len(now.label) >= settings.min_rows:
            record |= _judge(now, was, task, requirements, settings, notes, (before, drawn_before))
        elif len(now.label):
            notes.append(f"{len(now.label)} true values are known, {settings.min_rows} are needed")
    return to_plain(record | {"notes": notes})


def _drift(observed: Observed, references, task: Task, settings: MeasureSettings, notes: list[str]) -> dict:
    """Return what moved, against every reference."""
    tables = {name: one.table for name, one in references.items()}
    days = {name: day_blocks(one.asked_at) for name, one in references.items()}
    kinds = feature_kinds(observed.table, task)
    clocks = find_clocks(references, kinds)
    if clocks:
        notes.append(f"{', '.join(clocks)} only follow the time: not compared")
    kinds = {name: kind for name, kind in kinds.items() if name not in clocks}
    own, options = day_blocks(observed.asked_at), {"seed": settings.seed}
    table = measure_drift(
        observed.table,
        tables,
        kinds,
        alpha=settings.alpha,
        min_psi=settings.min_psi,
        most_rows=settings.most_rows,
        blocks=own,
        reference_blocks=days,
        **options,
    )
    moved = moved_features(table)
    beyond = table[table["p_adjusted"] < settings.alpha].assign(rise=lambda t: t["missing"] - t["missing_before"])
    every = beyond.groupby("feature").filter(lambda group: len(group) == table["reference"].nunique())
    least = every.groupby("feature")[["rise", "new_share"]].min()
    found = {"share": len(moved) / max(table["feature"].nunique(), 1), "moved": moved}
    found |= {
        "features": table.to_dict("records"),
        "missing_rise": max(least["rise"].max() if len(least) else 0.0, 0.0),
    }
    found |= {"new_category_share": least["new_share"].max() if len(least) else 0.0}
    domains = {
        name: compare_domains(
            observed.table,
            one.table,
            kinds,
            blocks=None if own is None or days[name] is None else (own, days[name]),
            confidence=settings.confidence,
            **options,
        )
        for name, one in references.items()
    }
    told = {name: domain for name, domain in domains.items() if domain}
    if told and len(told) == len(domains):
        name = min(told, key=lambda name: told[name]["auc"])
        found["domain_auc"] = {"value": told[name]["auc"], "low": told[name]["low"], "high": told[name]["high"]}
        found["domain_auc"] |= {"features": told[name]["features"], "reference": name}
    else:
        notes.append("too few rows or fewer than 10 days: no classifier compared the window with the references")
    return found


def _expect(observed, own, was: Rows, task, requirements, settings: MeasureSettings, notes, before) -> dict:
    """Return what is told before true values arrive: label shift and estimated performance."""
    prediction, table = np.asarray(observed.prediction)[own], observed.table[own].reset_index(drop=True)
    days, options = day_blocks(observed.asked_at[own]), {"confidence": settings.confidence, "seed": settings.seed}
    options |= {"draws": settings.draws}
    shift = measure_label_shift(task, prediction, was.prediction, was.label, blocks=(days, was.days), **options)
    if "note" in shift:
        notes.append(f"label shift: {shift['note']}")
    found = {} if "note" in shift else {"label_shift": shift}
    kinds = feature_kinds(was.table, task)
    reference = (was.table, was.prediction, was.label)
    costs = requirements.costs
    found["estimate"], drawn = estimate_performance(
        task, table, prediction, reference, costs, kinds=kinds, blocks=days, **options
    )
    values = {name: one["value"] for name, one in found["estimate"].items()}
    drop = compare_drop(task, values, drawn, *before, settings.confidence)
    return found | ({"estimate_drop": drop} if drop else {})


def _judge(now: Rows, was: Rows, task: Task, requirements, settings: MeasureSettings, notes: list[str], before) -> dict:
    """Return what the true values tell."""
    how = {"draws": settings.draws, "seed": settings.seed}
    metrics, drawn = draw_metrics(task, now.label, now.prediction, now.days, **how)
    found = {"performance": {n: with_interval(v, drawn[n], settings.confidence) for n, v in metrics.items()}}
    drop = compare_drop(task, metrics, drawn, *before, settings.confidence)
    if drop:
        found["performance_drop"] = drop
    if np.ptp(now.label) == 0:
        notes.append(f"one {'class' if task.classes else 'value'} only: {PRIMARY[task.kind][0]} may not be told")
    found["calibration"] = measure_calibration(
        task, now.label, now.prediction, groups=settings.calibration_bins, seed=settings.seed
    )
    share = np.array([np.mean(was.label == code) for code in range(len(task.classes))])
    trivial = (
        np.full(len(now.label), was.label.mean()) if task.kind != "multiclass" else np.tile(share, (len(now.label), 1))
    )
    found["value"] = measure_value(
        task, now.label, now.prediction, trivial, requirements.costs, now.days, confidence=settings.confidence, **how
    )
    loss, loss_before = row_loss(task, now.label, now.prediction), row_loss(task, was.label, was.prediction)
    columns = [name for name in requirements.segments if name in now.table and name in was.table]
    if lost := [name for name in requirements.segments if name not in columns]:
        notes.append(f"segments {', '.join(lost)}: no such feature in the prediction log")
    found["segments"] = measure_segment_change(now.table, loss, was.table, loss_before, columns, settings.min_rows)
    if task.classes:
        loss, loss_before = (excess_loss(rows.prediction, rows.label) for rows in (now, was))
    else:
        loss, loss_before = (each.clip(max=np.quantile(loss_before, 0.99)) for each in (loss, loss_before))
    changes = detect_changes(loss, now.asked_at, blocks=now.days, before=loss_before, before_blocks=was.days)
    found["concept"] = {"changes": [asdict(change) for change in changes]}
    control = evaluate_control(
        task, now.label, now.prediction, now.control, now.control_share, min_rows=settings.min_rows
    )
    if control:
        found["control"] = control
        notes.append("the model's actions may have changed labels outside the control arm: see control")
    return found
