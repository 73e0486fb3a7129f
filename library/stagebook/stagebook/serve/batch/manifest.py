"""What a scoring run has done so far, in a file beside its Parquet parts: a run that was killed goes on from there."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ...project.errors import StepError
from ...project.files import write_json

__all__ = ["FILE", "Manifest", "begin_run", "part_file"]

FILE = "_manifest.json"  # Parquet readers of a folder leave out names that begin with an underscore


@dataclass
class Manifest:
    """A run: what it reads, which model scores it, and the chunks that are written, to Parquet, table and log.

    Attributes
    ----------
    run : str
        Hash of source, model and settings: the same run again writes the same predictions.
    origin, model, version : str
    started_at : str
        In UTC; `predicted_at` of all rows.
    settings : dict
    chunks : list of int
        Rows of each chunk that is done.
    finished : bool
    """

    run: str
    origin: str
    model: str
    version: str
    started_at: str
    settings: dict
    chunks: list[int] = field(default_factory=list)
    finished: bool = False

    @property
    def written_rows(self) -> int:
        """Rows that are done."""
        return sum(self.chunks)

    def save(self, folder: Path) -> None:
        """Write the manifest; StepError if that is not possible."""
        try:
            write_json(asdict(self), folder / FILE)
        except OSError as error:
            raise StepError(f"{folder / FILE} cannot be written: {error.strerror}.") from error


def part_file(folder: Path, number: int) -> Path:
    """Return the Parquet file of a chunk."""
    return folder / f"part-{number:05}.parquet"


def begin_run(folder: Path, origin: str, sha256: str, model: tuple[str, str, str], settings: dict) -> Manifest:
    """Return the manifest of a run: that of the same run if it was interrupted, else a new one, without older parts.

    Parameters
    ----------
    folder : Path
    origin, sha256 : str
        The source.
    model : tuple of str
        Name, version, and hash of the file.
    settings : dict
        All else that changes what is written.
    """
    identity = json.dumps([sha256, *model, settings], sort_keys=True)
    run = hashlib.sha256(identity.encode()).hexdigest()[:16]
    if (old := _read(folder)) and not old.finished:
        if old.run == run:
            print(f"Going on: {len(old.chunks)} chunks, {old.written_rows:,} rows, were written before.", flush=True)
            return old
        print(
            f"An unfinished run of version {old.version} on {old.origin} ({old.written_rows:,} rows) is dropped: "
            f"now it is version {model[1]} on {origin}. All rows are scored again.",
            flush=True,
        )
    manifest = Manifest(run, origin, *model[:2], datetime.now(UTC).isoformat(timespec="microseconds"), settings)
    manifest.save(folder)  # first: parts of another run must not be taken for those of this one
    for part in (*folder.glob("part-*.parquet"), *folder.glob(".partial-part-*")):
        part.unlink()
    return manifest


def _read(folder: Path) -> Manifest | None:
    try:
        return Manifest(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
