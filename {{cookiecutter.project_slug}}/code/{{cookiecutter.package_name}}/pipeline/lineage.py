"""From a run to its data and back: what a step read and wrote is on its run as MLflow datasets, by DVC hash."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import mlflow
from dvc.repo import Repo
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from .stage import DataFile, input_files, output_files
from .tracking import connect_mlflow

__all__ = ["find_runs", "record_data"]


@contextmanager
def record_data(repo: Repo, stage, run: str) -> Iterator[None]:
    """Log on the run what the step reads and, when the block has succeeded, what it wrote; emit OpenLineage events."""
    from .events import StepEvents

    reads = input_files(repo, stage)
    _log_data(run, reads, "input")
    events = StepEvents(Path(repo.root_dir), stage.addressing, run, reads)
    events.tell("START")
    try:
        yield
        writes = output_files(repo, stage)
        _log_data(run, writes, "output")
    except BaseException as error:
        events.tell("ABORT" if isinstance(error, KeyboardInterrupt) else "FAIL")
        raise
    events.tell("COMPLETE", writes)


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
