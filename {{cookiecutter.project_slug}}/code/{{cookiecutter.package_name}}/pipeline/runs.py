"""MLflow runs: one per step, below one per execution of the pipeline."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import mlflow
import psutil
from mlflow.entities import Metric, Param, RunStatus
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from .project import StepError
from .tracking import connect_mlflow

__all__ = ["log_metrics", "log_report", "track_step"]

EXECUTION_TAG = "pipeline.execution"


@contextmanager
def track_step(root: Path, step: str, notebook: Path, parameters: dict) -> Iterator[str]:
    """Open the step's run, yield its id, and close it and the pipeline's run as FINISHED, FAILED or KILLED."""
    try:
        experiment = connect_mlflow()
    except MlflowException as error:
        raise StepError(f"MLflow at {mlflow.get_tracking_uri()} cannot be used: {error}") from error
    client = mlflow.MlflowClient()
    tags = _source_tags(root, notebook)
    pipeline = _pipeline_run(client, experiment, tags)
    run = client.create_run(experiment, run_name=step, tags={**tags, MLFLOW_PARENT_RUN_ID: pipeline}).info.run_id
    client.log_batch(run, params=_params(parameters))
    client.log_batch(pipeline, params=_params(parameters, prefix=f"{step}."))
    status = RunStatus.to_string(RunStatus.FAILED)
    try:
        yield run
        status = RunStatus.to_string(RunStatus.FINISHED)
    except KeyboardInterrupt:
        status = RunStatus.to_string(RunStatus.KILLED)
        raise
    finally:
        client.set_terminated(run, status)
        client.set_terminated(pipeline, status)


def _params(parameters: dict, prefix: str = "") -> list[Param]:
    return [
        Param(prefix + name, value if isinstance(value, str) else json.dumps(value))
        for name, value in parameters.items()
    ]


def _pipeline_run(client: mlflow.MlflowClient, experiment: str, tags: dict) -> str:
    """Return the run of this execution of the pipeline: the steps that one `dvc repro` starts share it."""
    execution = os.environ.get("PIPELINE_EXECUTION") or _dvc_process()
    found = client.search_runs([experiment], f"tags.`{EXECUTION_TAG}` = '{execution}'", max_results=1)
    if found:
        run = found[0]
        client.update_run(run.info.run_id, status="RUNNING")
    else:
        name = tags.get("dvc.experiment", "pipeline")
        run = client.create_run(
            experiment, run_name=name, tags={**tags, "mlflow.source.name": "dvc.yaml", EXECUTION_TAG: execution}
        )
    return run.info.run_id


def _dvc_process() -> str:
    """Name the nearest process above us that is DVC, or this one if a person started the step."""
    here = psutil.Process()
    for process in here.parents():
        with suppress(psutil.Error):
            if any(Path(word).name == "dvc" or word.endswith("dvc/__main__.py") for word in process.cmdline()[:3]):
                here = process
                break
    return f"{platform.node()}-{here.pid}-{here.create_time():.0f}"


def _source_tags(root: Path, notebook: Path) -> dict[str, str]:
    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False).stdout.strip()

    tags = {
        "mlflow.source.name": notebook.relative_to(root).as_posix(),
        "mlflow.source.type": "NOTEBOOK",
        "mlflow.source.git.commit": git("rev-parse", "--verify", "--quiet", "HEAD") or "none",
        # Each step changes dvc.lock; what counts is whether code, notebooks and parameters are those of the commit.
        "git.dirty": str(bool(git("status", "--porcelain", "--", ".", ":!dvc.lock"))).lower(),
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
