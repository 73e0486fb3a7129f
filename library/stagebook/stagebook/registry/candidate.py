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
from ..project.root import project_name
from ..track.tracking import connect_mlflow
from .champion import compare_with_champion, fetch_package
from .decide import decide_once
from .keep import restore_champion
from .register import register_once
from .stages import sync

__all__ = ["Candidate", "check_stage", "decide_on", "record_decision", "register_candidate"]

STAGES = ("production", "staging")


@dataclass(frozen=True)
class Candidate:
    """A registered candidate.

    Attributes
    ----------
    name, version : str, ModelVersion
        Its name and version in MLflow's registry.
    champion : int or None
        The version that is champion, if it is another one.
    run : str
        The MLflow run of this step.
    """

    name: str
    version: object
    champion: int | None
    run: str

    @property
    def number(self) -> int:
        """Number of the version."""
        return int(self.version.version)


def check_stage(promote_to: str) -> None:
    """Raise DataError if `register.promote_to` of params.yaml is not a stage; call it before anything is registered."""
    if promote_to not in STAGES:
        raise DataError(f"params.yaml: `register.promote_to` is {promote_to!r}; it must be {' or '.join(STAGES)}.")


def register_candidate(root: Path, name: str, task: Task, facts: dict, example: pd.DataFrame) -> Candidate:
    """Register models/candidate in MLflow. The same package with the same settings is the same version.

    A registry without a champion starts from the one in models/champion, if git and DVC keep one.

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
    with mlflow.start_run() as run:
        restore_champion(name, root / "models" / "champion")
        version = register_once(name, model_file(root / "models" / "candidate"), example, config)
    entries = sync(name)
    champion = entries[-1].version if entries and entries[-1].version != int(version.version) else None
    return Candidate(name, version, champion, run.info.run_id)


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
        What reports/registration.json holds; `points` with measured times.
    """
    check_stage(promote_to)
    check = partial(_check_at, candidate, evidence, facts["requirements"], holdout, prediction)
    basis = f"{evidence.digest()}-{facts['requirements_md5']}"
    stage = "nothing" if os.environ.get("DVC_EXP_NAME") else promote_to
    decision = decide_once(candidate.version, basis, check, stage)
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
