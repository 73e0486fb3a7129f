"""Register the candidate, decide on it by the gate, and write down what was decided."""

import json
import os
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from ..card.write import write_cards
from ..gate.check import decide, without_timings
from ..gate.evidence import Evidence
from ..model.package import model_file
from ..model.task import Task
from ..project.errors import DataError
from ..project.files import replace_folder, write_json
from ..project.root import find_root, local_folder, project_name
from ..request.contract import FILE as CONTRACT
from ..track.tracking import connect_mlflow
from .champion import compare_with_champion, fetch_package
from .decide import decide_once
from .history import Entry, history
from .keep import restore_champion
from .preview import base_champion, find_base, preview_decision
from .register import find_registered, register_once
from .stages import sync
from .versions import find_versions

__all__ = ["Candidate", "check_stage", "decide_on", "record_decision", "register_candidate"]

STAGES = ("production", "staging")


@dataclass(frozen=True)
class Candidate:
    """A registered candidate.

    Attributes
    ----------
    name, number : str, int
        Its name and the number of its version in MLflow's registry; in a preview, the number that it would get.
    champion : int or None
        The version that is champion, if it is another one.
    run : str
        The MLflow run of this step.
    base : str or None
        In a run for a pull request, the branch that it goes into: then the candidate is not registered (preview.py).
    """

    name: str
    number: int
    champion: int | None
    run: str
    base: str | None = None


def check_stage(promote_to: str) -> None:
    """Raise DataError if `register.promote_to` of params.yaml is not a stage; call it before anything is registered."""
    if promote_to not in STAGES:
        raise DataError(f"params.yaml: `register.promote_to` is {promote_to!r}; it must be {' or '.join(STAGES)}.")


def register_candidate(root: Path, name: str, task: Task, facts: dict, example: pd.DataFrame) -> Candidate:
    """Register models/candidate in MLflow. The same package with the same settings is the same version.

    A registry without a champion starts from the one in models/champion, if git and DVC keep one. A run for a pull request
    registers nothing, and of a server it only reads.

    Parameters
    ----------
    name : str
        Name of the model in the registry; the project's name if it is empty.
    facts : dict
        `training` and `metrics`, the reports: the served model knows its threshold and its interval from them.
    example : DataFrame of shape (n_rows, n_features)
        A few rows of input.
    """
    if empty := [report for report in ("metrics", "training", "inspection") if not facts[report]]:
        raise DataError(f"reports/{empty[0]}.json is missing or empty. `dvc repro` makes it; no metric, no promotion.")
    connect_mlflow()
    name, metrics, training = name or project_name(root), facts["metrics"], facts["training"]
    config = {"task": task.kind, "classes": json.dumps(task.classes)}
    config |= {key: str(metrics["value"][key]) for key in ("threshold",) if key in metrics["value"]}
    config |= {key: str(training[key]) for key in ("interval_half_width",) if key in training}
    package, base = model_file(root / "models" / "candidate"), find_base()
    with mlflow.start_run() as run:
        if base:
            return _preview_candidate(root, name, package, config, base, run.info.run_id)
        restore_champion(name, root / "models" / "champion")
        number = int(register_once(name, package, example, config, _find_contract(root)).version)
    return Candidate(name, number, _find_rival(sync(name), number), run.info.run_id)


def _find_contract(root: Path) -> Path | None:
    """Return the file that says what a request is; None in a project that has no step 55_request."""
    file = root / "data" / "processed" / CONTRACT
    return file if file.is_file() else None


def _find_rival(entries: list[Entry], number: int) -> int | None:
    """Return the version that is champion, if it is another one than version `number`."""
    return entries[-1].version if entries and entries[-1].version != number else None


def _preview_candidate(root: Path, name: str, package: Path, config: dict, base: str, run: str) -> Candidate:
    """Return the candidate of a pull request. Only the embedded store, which ends with the machine, gets the champion."""
    embedded = f"sqlite:///{(local_folder(root) / 'mlflow.db').as_posix()}"  # a step gets it as MLFLOW_TRACKING_URI
    if mlflow.get_tracking_uri() == embedded:
        with base_champion(root, base) as folder:
            restore_champion(name, folder)
    found = find_registered(name, package, config, _find_contract(root))
    versions, entries = find_versions(name), history(name)
    number = int(found.version) if found else max(versions, default=0) + 1
    return Candidate(name, number, _find_rival(entries, number), run, base)


def decide_on(
    candidate: Candidate,
    evidence: Evidence,
    facts: dict,
    holdout: pd.DataFrame,
    prediction: np.ndarray,
    promote_to: str,
) -> dict:
    """Decide by the gate whether the candidate becomes champion, and make it champion if it may.

    The champion is scored on today's hold-out, not by its own old metrics. An experiment (`dvc exp run`) is never promoted.

    Parameters
    ----------
    facts : dict
        `requirements` and `requirements_md5`, as `collect_facts` returns them.
    prediction : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Predictions of the candidate on the hold-out.
    promote_to : str
        production, or staging: it then waits for `make promote`.

    Returns
    -------
    dict
        What reports/registration.json holds; `points` with measured times. That of a pull request also has its `base`, and
        `refused_after_merge` if it changes docs/requirements.yaml: what its own thresholds refuse.
    """
    check_stage(promote_to)
    if candidate.base:
        look = partial(
            _check_at, candidate, evidence, holdout=holdout, prediction=prediction, champion=candidate.champion
        )
        shown = preview_decision(find_root(), candidate.base, facts["requirements"], look)
        return {"model": candidate.name, "version": candidate.number, **shown, "champion": candidate.champion}
    check = partial(_check_at, candidate, evidence, facts["requirements"], holdout, prediction)
    basis = f"{evidence.digest()}-{facts['requirements_md5']}"
    stage = "nothing" if os.environ.get("DVC_EXP_NAME") else promote_to
    decision = decide_once(candidate.name, candidate.number, basis, check, stage)
    return {"model": candidate.name, "version": candidate.number, **decision}


def _check_at(
    candidate: Candidate, evidence: Evidence, requirements, holdout, prediction, champion: int | None
) -> dict:
    """Return the decision if `champion` is the champion."""
    if champion not in (None, candidate.number):
        folder = fetch_package(candidate.name, champion, holdout, evidence.task)
        segments = list(evidence.segments)
        evidence = evidence.against(
            *compare_with_champion(folder, prediction, holdout, evidence.task, segments, requirements.segments)
        )
    decision = decide(requirements, evidence)
    measured, lasting = decision["points"], without_timings(decision["points"])
    return {**decision, "points": [asdict(one) for one in lasting], "measured": [asdict(one) for one in measured]}


def record_decision(root: Path, candidate: Candidate, decision: dict, facts: dict, benchmark: pd.DataFrame) -> None:
    """Write reports/registration.json, model card and data sheet; log them and the benchmark to the step's MLflow run."""
    measured = decision.pop("measured", decision["points"])
    write_json(decision, root / "reports" / "registration.json")
    benchmark.to_csv(root / "reports" / "benchmark.csv")
    with replace_folder(root / "reports" / "card") as folder:
        write_cards(root, {**facts, "registration": decision}, folder)
    client = mlflow.MlflowClient()
    client.log_artifact(candidate.run, str(root / "reports" / "benchmark.csv"))
    client.log_artifacts(candidate.run, str(root / "reports" / "card"), "card")
    client.log_dict(candidate.run, {**decision, "points": measured}, "gate.json")
