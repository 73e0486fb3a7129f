"""A candidate of a replay: fitted on what was known by then, packaged as training does, and checked by the gate."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..evaluate.costs import cost_matrix
from ..evaluate.decisions import find_threshold
from ..evaluate.holdout import evaluate_models
from ..evaluate.inspection.segments import named_segments, row_loss
from ..evaluate.metrics import PRIMARY, Metric, predict_trivial
from ..gate.check import decide
from ..gate.evidence import Evidence
from ..gate.requirements import Requirements
from ..model.baseline import check_label, fit_baseline, fit_trivial
from ..model.calibrate import interval_half_width
from ..model.compare import refit_candidate
from ..model.kinds import ModelKind, fit
from ..model.package import load_model, model_file, package_parity, write_package
from ..model.task import Task, split_columns
from ..project.files import replace_folder
from ..registry.champion import compare_with_champion

__all__ = ["Recipe", "check_gate", "read_facts", "split_gates", "split_known", "train_candidate"]

WHERE = "the rows known by then"
# What a replay cannot measure: it has no card, no backtest of its own, and times of this machine are not repeatable.
NOT_MEASURED = ("backtest.", "timings.", "card.", "risk.", "inspection.behaviour", "inspection.fairness")
FACTS = "facts.json"


@dataclass(frozen=True)
class Recipe:
    """How each model of a replay is made.

    Attributes
    ----------
    name, kind, settings : str, ModelKind, dict
        The kind of model that 50_train chose, and its settings.
    baseline_features : list of str
        As in params.yaml.
    metrics : dict of callable
        The project's own, by name; a gate may ask for them.
    rows : int
        Limits the rows that a model learns from to the newest; 0 is no limit.
    min_segment_rows, calibration_bins, confidence, seed
        As the parameters of 65_inspect, 60_evaluate and 50_train.
    """

    name: str
    kind: ModelKind
    settings: dict
    baseline_features: list[str] = field(default_factory=list)
    metrics: dict[str, Metric] = field(default_factory=dict)
    rows: int = 0
    min_segment_rows: int = 200
    calibration_bins: int = 10
    confidence: float = 0.9
    seed: int = 0


def split_known(known: pd.DataFrame, recipe: Recipe, holdout: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return rows to fit on, rows that tell when to stop, and the hold-out of this many rows: oldest to newest."""
    end = max(2, len(known) - max(1, holdout))
    begin = max(0, end - recipe.rows) if recipe.rows else 0
    stop = end - max(1, round(0.1 * (end - begin)))
    return known.iloc[begin:stop], known.iloc[stop:end], known.iloc[end:]


def train_candidate(
    folder: Path,
    splits: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    task: Task,
    recipe: Recipe,
    requirements: Requirements,
) -> dict:
    """Fit a candidate and its baseline on known rows, and write both packages into the folder, or nothing.

    Parameters
    ----------
    splits : tuple of DataFrame
        As `split_known` returns them.

    Returns
    -------
    dict
        `rows`, `format`, `parity`, `config` of the predictor, `trivial`, and `seconds`, which differ from run to run.
    """
    began = time.perf_counter()
    fit_on, stop, holdout = splits
    rows, stop_rows = split_columns(fit_on, task, WHERE), split_columns(stop, task, WHERE)
    check_label(rows[1], task, WHERE)
    model = fit(recipe.kind, rows, stop_rows, task, recipe.seed, recipe.settings)
    width = {}
    if task.kind == "regression":
        errors = stop_rows[1].to_numpy(), model.predict(stop_rows[0])
        width = {"interval_half_width": interval_half_width(*errors, recipe.confidence)}
    again = refit_candidate(recipe.kind, model, model, recipe.settings, (fit_on, stop), task, recipe.seed)
    spread = float(fit_on[task.target].std()) if task.kind == "regression" else 1.0
    shown = split_columns(holdout, task, WHERE)[0]
    with replace_folder(folder) as new:
        found = write_package(new / "candidate", again, shown, task, spread, **width)
        baseline = fit_baseline(rows, task, recipe.baseline_features)
        write_package(new / "baseline", baseline, shown[baseline.feature_names_in_], task, spread)
        facts = {
            "rows": len(fit_on) + len(stop),
            "holdout_rows": len(holdout),
            **found,
            "config": _config(task, requirements, width),
            "trivial": fit_trivial(rows[1], task),
            "seconds": round(time.perf_counter() - began, 2),
        }
        (new / FACTS).write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return facts


def read_facts(folder: Path) -> dict | None:
    """Return what `train_candidate` wrote; None if there is no candidate."""
    file = folder / FACTS
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def _config(task: Task, requirements: Requirements, width: Mapping[str, float]) -> dict[str, str]:
    """Return what the registry would keep with the model, for the predictor."""
    config = {"task": task.kind, "classes": json.dumps(task.classes)}
    if task.kind == "binary":
        config["threshold"] = str(find_threshold(cost_matrix(requirements.costs.matrix, task)))
    return config | {name: str(value) for name, value in width.items()}


def split_gates(requirements: Requirements) -> tuple[Requirements, list[str]]:
    """Return the requirements with the gates that a replay can measure, and the names of the others."""
    left = [gate.name for gate in requirements.gates if gate.metric.startswith(NOT_MEASURED)]
    measured = [gate for gate in requirements.gates if gate.name not in left]
    return replace(requirements, gates=measured), left


def check_gate(
    folder: Path, champion: Path, holdout: pd.DataFrame, task: Task, recipe: Recipe, requirements: Requirements
) -> dict:
    """Return the gate's answer to a candidate against the champion, on the newest known rows.

    Parameters
    ----------
    folder, champion : Path
        Folders that `train_candidate` wrote.
    holdout : DataFrame of shape (n_rows, n_columns)
        The newest known rows; neither model was fitted on them.
    requirements : Requirements
        With the gates that a replay can measure, see `split_gates`.

    Returns
    -------
    dict
        `promoted`, `metric`, `candidate`, `champion`, `refused` and `points`, as the gate's report has them.
    """
    label, facts = holdout[task.target].to_numpy(), read_facts(folder)
    predictions = {
        "trivial": predict_trivial(facts["trivial"], task, len(holdout)),
        **{name: load_model(folder / name, task)(holdout) for name in ("baseline", "candidate")},
    }
    half_width = facts["config"].get("interval_half_width")
    metrics = evaluate_models(
        task,
        label,
        predictions,
        requirements.costs,
        recipe.metrics,
        calibration_bins=recipe.calibration_bins,
        interval_half_width=None if half_width is None else float(half_width),
    )
    decision = decide(
        requirements, _make_evidence(folder, champion, holdout, predictions, metrics, task, recipe, requirements)
    )
    points = [asdict(point) for point in decision["points"][1:]]  # the first is about a report, which a replay has not
    return {
        "promoted": not decision["refused"],
        "metric": decision["metric"],
        "candidate": decision["candidate"],
        "champion": decision["rivals"]["champion"],
        "refused": decision["refused"],
        "points": points,
    }


def _make_evidence(
    folder: Path,
    champion: Path,
    holdout: pd.DataFrame,
    predictions: Mapping[str, np.ndarray],
    metrics: dict,
    task: Task,
    recipe: Recipe,
    requirements: Requirements,
) -> Evidence:
    metric, candidate, named = PRIMARY[task.kind][0], predictions["candidate"], requirements.segments
    loss = row_loss(task, holdout[task.target].to_numpy(), candidate)
    segments = named_segments(holdout, loss, named, recipe.min_segment_rows)
    large = segments["segment"].tolist()
    before, rise = compare_with_champion(champion / "candidate", candidate, holdout, task, large, named)
    file = model_file(folder / "candidate")
    return Evidence(
        task=task,
        candidate=metrics["candidate"],
        rivals={name: metrics[name].get(metric) for name in ("trivial", "baseline")} | {"champion": before},
        cost=metrics["value"]["cost"],
        parity=package_parity(folder / "candidate", holdout, task),
        segments=dict(zip(segments["segment"], segments["ratio"].round(4), strict=True)),
        segment_rise=rise if large else None,
        size_mb=round(file.stat().st_size / 1e6, 3),
        package_format=file.suffix.removeprefix("."),
        missing=[],
        differences=[],  # all of it is measured on the package itself, here and now
    )
