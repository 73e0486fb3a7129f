"""MLflow runs: one per step, below one per execution of the pipeline."""

import json
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import psutil
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from sqlalchemy.exc import SQLAlchemyError

from ..project.addresses import mask_values
from ..project.errors import StepError
from .processes import Caller, has_ended, process_name, processes_above
from .tracking import connect_mlflow, store_lock

__all__ = ["log_cost", "log_metrics", "log_report", "start_run_below", "track_step"]

EXECUTION_TAG = "pipeline.execution"
PROCESS_TAG = "pipeline.process"
STATUSES = ("RUNNING", "FAILED", "KILLED", "FINISHED")


@contextmanager
def track_step(root: Path, step: str, notebook: Path, parameters: dict, caller: Caller) -> Iterator[str]:
    """Open the step's run, yield its id, and close it as FINISHED, FAILED or KILLED; the pipeline's run follows."""
    try:
        with _open_run(root, step, notebook, parameters, caller) as run:
            yield run
    except (MlflowException, SQLAlchemyError) as error:
        reason = str(error).splitlines()[0]
        raise StepError(f"MLflow at {mlflow.get_tracking_uri()} cannot be used: {reason}") from error


@contextmanager
def _open_run(root: Path, step: str, notebook: Path, parameters: dict, caller: Caller) -> Iterator[str]:
    experiment = connect_mlflow()
    client = mlflow.MlflowClient()
    tags = _source_tags(root, notebook)
    with store_lock(root):
        _close_abandoned(client, experiment)
        pipeline = _pipeline_run(client, experiment, tags, caller)
    tags |= {MLFLOW_PARENT_RUN_ID: pipeline, PROCESS_TAG: process_name(psutil.Process())}
    run = client.create_run(experiment, run_name=step, tags=tags).info.run_id
    client.log_batch(run, params=_params(parameters))
    client.log_batch(pipeline, params=_params(parameters, prefix=f"{step}."))
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        client.set_terminated(run, status)
        with store_lock(root):
            _close_pipeline(client, experiment, pipeline)


def _close_abandoned(client: mlflow.MlflowClient, experiment: str) -> None:
    """Mark as KILLED the runs whose process is gone without having closed them."""
    for run in client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        tags = run.data.tags
        if has_ended(tags.get(PROCESS_TAG) or tags.get(EXECUTION_TAG, "")):
            client.set_terminated(run.info.run_id, "KILLED")


def _close_pipeline(client: mlflow.MlflowClient, experiment: str, pipeline: str) -> None:
    """Give the pipeline's run the worst status of its steps; it stays RUNNING while one of them does."""
    steps = client.search_runs([experiment], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{pipeline}'")
    found = {step.info.status for step in steps}
    client.set_terminated(pipeline, next(status for status in STATUSES if status in found))


def _params(parameters: dict, prefix: str = "") -> list[Param]:
    found = []
    for name, value in parameters.items():
        if isinstance(value, dict) and value:  # named as DVC names them
            found += _params(value, f"{prefix}{name}.")
        else:
            value = mask_values(value)
            found.append(Param(prefix + name, value if isinstance(value, str) else json.dumps(value)))
    return found


def start_run_below(name: str, parameters: dict) -> mlflow.ActiveRun:
    """Open a run below the one of the step, say for one trial of a search; a context manager."""
    run = mlflow.start_run(run_name=name, nested=True, tags={PROCESS_TAG: process_name(psutil.Process())})
    mlflow.log_params(parameters)
    return run


def _pipeline_run(client: mlflow.MlflowClient, experiment: str, tags: dict, caller: Caller) -> str:
    """Return the run of this execution of the pipeline: the steps that one `dvc repro` starts share it."""
    execution = process_name(processes_above(caller.pid)[-1])
    found = client.search_runs([experiment], f"tags.`{EXECUTION_TAG}` = '{execution}'", max_results=1)
    if found:
        return found[0].info.run_id
    name = tags.get("dvc.experiment", "pipeline")
    tags = {**tags, "mlflow.source.name": "dvc.yaml", EXECUTION_TAG: execution}
    return client.create_run(experiment, run_name=name, tags=tags).info.run_id


def _source_tags(root: Path, notebook: Path) -> dict[str, str]:
    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False).stdout.strip()

    tags = {
        "mlflow.source.name": notebook.relative_to(root).as_posix(),
        "mlflow.source.type": "NOTEBOOK",
        "mlflow.source.git.commit": git("rev-parse", "--verify", "--quiet", "HEAD") or "none",
        # Steps change these two; what counts is whether code, notebooks and parameters are those of the commit.
        "git.dirty": str(bool(git("status", "--porcelain", "--", ".", ":!dvc.lock", ":!data/baseline.json"))).lower(),
        "mlflow.user": psutil.Process().username(),
    }
    if experiment := os.environ.get("DVC_EXP_NAME"):
        tags["dvc.experiment"] = experiment
    return tags


def log_metrics(run: str, metrics_files: list[Path]) -> None:
    """Log each number of the step's metrics files, on the step's run and on the pipeline's."""
    client = mlflow.MlflowClient()
    now = int(time.time() * 1000)
    pipeline = client.get_run(run).data.tags[MLFLOW_PARENT_RUN_ID]
    for file in metrics_files:
        numbers = _flatten(json.loads(file.read_text(encoding="utf-8")))
        metrics = [Metric(name, value, now, 0) for name, value in numbers]
        for target in (run, pipeline):
            client.log_batch(target, metrics=metrics)


def log_cost(run: str, cells_seconds: float, caller: Caller) -> str:
    """Log what the step has cost so far, as MLflow system metrics; return it in words."""
    wall = time.monotonic() - caller.began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # with each engine, the cells ran in a child
    cost = {
        "wall_seconds": wall,
        "cells_seconds": cells_seconds,
        "overhead_seconds": wall - cells_seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_memory_megabytes": used.ru_maxrss / 1024,
    }
    now = int(time.time() * 1000)
    mlflow.MlflowClient().log_batch(run, [Metric(f"system/{name}", value, now, 0) for name, value in cost.items()])
    return f"{wall:.1f} s, its cells {cells_seconds:.1f} s, {cost['peak_memory_megabytes']:.0f} MB"


def _flatten(values: dict, prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield prefix + name, float(value)


def log_report(run: str, *files: Path) -> None:
    """Attach the executed notebook and its page to the run."""
    for file in files:
        if file.is_file():
            mlflow.MlflowClient().log_artifact(run, str(file), "report")
