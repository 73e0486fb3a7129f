"""Write the predictions of a chunk: to Parquet, to the SQL table, to the prediction log, and then count it."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from pyarrow import parquet

from ...predictions.control import in_control
from ...predictions.log import PredictionLog
from ...project.errors import StepError
from ...project.files import replace_file
from ..package import Package
from .manifest import Manifest, part_file
from .record import record_chunk
from .scorer import Scored
from .table import upsert

__all__ = ["Stores", "Writer"]


@dataclass(frozen=True)
class Stores:
    """Where predictions go.

    Attributes
    ----------
    folder : Path
        Of the Parquet files.
    table : Engine
        Of the SQL table.
    log : PredictionLog or None
    log_share, control_share : float
        Shares of the rows that are logged, and that are in the control group.
    wait_seconds : float
        How long a database that is away is waited for.
    """

    folder: Path
    table: sa.Engine
    log: PredictionLog | None
    log_share: float
    control_share: float
    wait_seconds: float


class Writer:
    """Writes what a chunk gives, in this order: Parquet, table, log, manifest."""

    def __init__(self, manifest: Manifest, package: Package, stores: Stores):
        self.manifest, self.package, self.stores = manifest, package, stores
        self.predicted_at = datetime.fromisoformat(manifest.started_at)
        self.logged = 0

    def write(self, number: int, scored: Scored) -> None:
        """Write a chunk."""
        first = self.manifest.written_rows
        self._write_part(number, scored, first)
        keys = scored.key_jsons() if scored.key else []
        if keys:
            self._upsert(keys, scored)
        if self.stores.log:
            about = (self.package, self.predicted_at, f"batch-{self.manifest.run}", first)
            how = (self.stores.log_share, self.stores.control_share, self.stores.wait_seconds)
            self.logged += record_chunk(self.stores.log, scored, about, *how)
        self.manifest.chunks.append(len(scored))
        self.manifest.save(self.stores.folder)

    def _write_part(self, number: int, scored: Scored, first: int) -> None:
        file = part_file(self.stores.folder, number)
        try:
            with replace_file(file) as temporary:
                table = scored.to_arrow(first, self.package.version, self.predicted_at)
                parquet.write_table(table, temporary, compression="zstd")
        except OSError as error:
            said = os.strerror(error.errno) if error.errno else error  # Arrow's own words are long
            raise StepError(f"{file} cannot be written: {said}.") from error

    def _upsert(self, keys: list[str], scored: Scored) -> None:
        outputs = self._outputs(scored)
        common = (self.package.name, self.package.version, self.predicted_at.astimezone(UTC).replace(tzinfo=None))
        rows = {key: (key, output, *common, self.manifest.run) for key, output in zip(keys, outputs, strict=True)}
        upsert(self.stores.table, list(rows.values()), self.stores.wait_seconds)

    def _outputs(self, scored: Scored) -> list[str]:
        """Return the answers as JSON, with `control` if there is a control group."""
        outputs = scored.output_jsons()
        if not self.stores.control_share:
            return outputs
        held = partial(in_control, self.stores.control_share)
        rows = zip(*scored.key.values(), strict=True)
        control = [held(dict(zip(scored.key, row, strict=True)), "", 0) for row in rows]
        return [f'{output[:-1]},"control":{json.dumps(each)}}}' for output, each in zip(outputs, control, strict=True)]
