"""OpenLineage events: what each step read and wrote, for a server that collects lineage."""

# They are sent to the server that OPENLINEAGE_URL names; without it there are none. Needs the extra `openlineage`.
# OPENLINEAGE_DISABLED=true turns them off. Import this when a step runs, not before: the library takes a while.

import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import attr
import mlflow
import pyarrow.parquet as pq
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import RunFacet, dataset_version_dataset, parent_run, schema_dataset
from openlineage.client.transport.http import HttpTransport
from openlineage.client.transport.http_common import DEFAULT_RETRY_CONFIG

from ..project.root import project_name
from .data_file import DataFile

__all__ = ["StepEvents"]

PIPELINE = "pipeline"  # the job that each step is a part of


@attr.define
class MlflowRunFacet(RunFacet):
    """The run of the step in MLflow."""

    run_id: str


class StepEvents:
    """Tells of one step; when telling does not work, says so once and lets the step go on."""

    def __init__(self, root: Path, step: str, run: str, reads: list[DataFile]) -> None:
        self.root, self.step, self.run, self.reads = root, step, run, reads
        self.works = True

    def emit(self, state: str, writes: list[DataFile]) -> None:
        """Emit an event: START, COMPLETE, FAIL or ABORT."""
        if not self.works:
            return
        try:
            _send(self._event(RunState[state], writes))
        except Exception as error:  # noqa: BLE001  no error of it may fail the step
            self.works = False
            reason = (str(error) or type(error).__name__).splitlines()[0][:200]
            print(f"WARNING: no OpenLineage events of {self.step}: {reason}", file=sys.stderr)

    def _event(self, state: RunState, writes: list[DataFile]) -> RunEvent:
        namespace = project_name(self.root)
        parent = mlflow.MlflowClient().get_run(self.run).data.tags[MLFLOW_PARENT_RUN_ID]
        above = parent_run.ParentRunFacet(parent_run.Run(_uuid(parent)), parent_run.Job(namespace, PIPELINE))
        return RunEvent(
            eventTime=datetime.now(UTC).isoformat(),
            eventType=state,
            run=Run(_uuid(self.run), {"parent": above, "mlflow_run": MlflowRunFacet(self.run)}),
            job=Job(namespace, self.step),
            inputs=[InputDataset(namespace, file.path, facets=self._facets(file)) for file in self.reads],
            outputs=[OutputDataset(namespace, file.path, facets=self._facets(file)) for file in writes],
        )

    def _facets(self, file: DataFile) -> dict:
        facets = {"version": dataset_version_dataset.DatasetVersionDatasetFacet(file.md5)}
        if file.path.endswith(".parquet"):
            schema = pq.read_schema(self.root / file.path)
            fields = [schema_dataset.SchemaDatasetFacetFields(field.name, str(field.type)) for field in schema]
            facets["schema"] = schema_dataset.SchemaDatasetFacet(fields)
        return facets


def _uuid(run: str) -> str:
    """Return the id of an MLflow run as OpenLineage writes it: the same digits, with hyphens."""
    return str(UUID(run))


def _send(event: RunEvent) -> None:
    client = OpenLineageClient()
    transport = client.transport
    if isinstance(transport, HttpTransport) and transport.config.retry == DEFAULT_RETRY_CONFIG:
        transport.config.retry = {**DEFAULT_RETRY_CONFIG, "total": 1}  # 5 would hold a step up for 9 seconds
    client.emit(event)
    client.close()
