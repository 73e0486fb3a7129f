"""From a run to its data and back: what a step read and wrote is on its run as MLflow datasets, by DVC hash."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from .data_file import DataFile
from .tracking import connect_mlflow

__all__ = ["find_runs", "record_data"]


@contextmanager
def record_data(
    root: Path, step: str, run: str, reads: list[DataFile], find_writes: Callable[[], list[DataFile]]
) -> Iterator[None]:
    """Log on the run what the step reads and, when the block has succeeded, what it wrote.

    The server that `OPENLINEAGE_URL` names gets the same as events.
    """
    _log_data(run, reads, "input")
    emit = _start_events(root, step, run, reads)
    emit("START", [])
    try:
        yield
        writes = find_writes()
        _log_data(run, writes, "output")
    except BaseException as error:
        emit("ABORT" if isinstance(error, KeyboardInterrupt) else "FAIL", [])
        raise
    emit("COMPLETE", writes)


def _start_events(root: Path, step: str, run: str, reads: list[DataFile]) -> Callable[[str, list[DataFile]], None]:
    """Return a function that emits an event: its state, and the files written."""
    if not os.environ.get("OPENLINEAGE_URL"):
        return lambda state, writes: None
    try:
        from .events import StepEvents
    except ModuleNotFoundError as error:
        print(f"WARNING: no OpenLineage events of {step}: {error}. Install stagebook[openlineage].", file=sys.stderr)
        return lambda state, writes: None
    return StepEvents(root, step, run, reads).emit


def _log_data(run: str, files: list[DataFile], context: str) -> None:
    """Log files by path and DVC hash as MLflow datasets; `context` is `input` or `output`."""
    entries = [
        DatasetInput(
            Dataset(name=file.path, digest=file.md5, source_type="dvc", source=json.dumps(asdict(file))),
            tags=[InputTag("mlflow.data.context", context)],
        )
        for file in files
    ]
    mlflow.MlflowClient().log_inputs(run, entries)


def find_runs(md5: str) -> list[dict]:
    """Return the runs that read or wrote the data with this DVC hash, the newest first."""
    experiment = connect_mlflow()
    client = mlflow.MlflowClient()  # not before: it keeps the store that it finds
    found = []
    for run in client.search_runs([experiment], f"dataset.digest = '{md5}'"):
        uses = [
            (item.tags[0].value, item.dataset.name) for item in run.inputs.dataset_inputs if item.dataset.digest == md5
        ]
        tags = run.data.tags
        found += [
            {
                "run": run.info.run_id,
                "step": run.info.run_name,
                "status": run.info.status,
                "began": run.info.start_time,
                "pipeline": tags.get(MLFLOW_PARENT_RUN_ID, ""),
                "experiment": tags.get("dvc.experiment", ""),
                "did": "wrote" if context == "output" else "read",
                "path": path,
                "commit": tags["mlflow.source.git.commit"][:10] + ("+changes" if tags["git.dirty"] == "true" else ""),
            }
            for context, path in uses
        ]
    return found
