"""Score a table of new rows: chunk by chunk, to Parquet, to the SQL table and to the prediction log."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from filelock import FileLock, Timeout
from ruamel.yaml import YAML

from ...data.origin import describe_file
from ...data.schema import read_schema
from ...features.online import connect_store
from ...features.store import read_sources
from ...predictions.control import check_share
from ...predictions.log import PredictionLog, connect_log
from ...project.errors import StagebookError, StepError
from ...project.root import local_folder
from ...project.settings import load_views, read_settings
from ...request.online import join_online
from ...request.prepare import Join, join_offline, load_prepare
from ..follow import fetch_champion, find_folder
from ..package import Package, open_package
from ..predictor import Predictor
from .manifest import Manifest, begin_run
from .scorer import Scorer, key_names
from .table import connect_table, count_run, open_table
from .writer import Stores, Writer

__all__ = ["Options", "fetch_model", "ingest_hints", "score_rows"]

JOINS = ("history", "store")
HINTS = ("separator", "encoding", "sheet", "header_row", "names", "comment")  # not `skip_rows`: of one file only


@dataclass(frozen=True)
class Options:
    """How new rows are scored.

    Attributes
    ----------
    key : list of str
        Columns by which predictions are looked up; empty: those of the contract. Without any, only Parquet is written.
    prepared : bool
        The rows are inputs of the model, which need no preparation.
    join : str
        Where features with a history come from: `history`, data/raw as known at the time of each row, or `store`, the
        online feature store, as the service.
    chunk_rows : int
        Rows that are in memory at a time, and in one Parquet file.
    log_share : float
        Share of the rows that the prediction log gets, spread evenly.
    wait_seconds : float
        How long a database that is away is waited for.
    """

    key: Sequence[str] = ()
    prepared: bool = False
    join: str = "history"
    chunk_rows: int = 50_000
    log_share: float = 1.0
    wait_seconds: float = 60.0

    def __post_init__(self) -> None:
        """Raise StepError for a value that is not allowed."""
        if self.join not in JOINS:
            raise StepError(f"`join` is {self.join!r}; it must be {' or '.join(JOINS)}.")
        if self.chunk_rows < 1:
            raise StepError(f"`chunk_rows` is {self.chunk_rows}; it must be 1 or more.")
        if not 0 <= self.log_share <= 1:
            raise StepError(f"`log_share` is {self.log_share}; it must be between 0 and 1.")


def fetch_model(root: Path, name: str, model: str = "") -> Package:
    """Return the champion of the registry; with `model`, the model in that folder, such as models/candidate."""
    if model:
        return open_package((root / model).resolve(), root, name)
    from ...track.tracking import connect_mlflow

    folder = local_folder(root) / "serving"
    folder.mkdir(exist_ok=True)
    connect_mlflow()
    with FileLock(folder / "follow.lock"):  # a service may copy it at the same time
        fetch_champion(name, folder)
        return open_package(find_folder(folder), root, name)


def ingest_hints(root: Path) -> dict:
    """Return what `ingest` of params.yaml says about the format of text files and workbooks: new rows have the same."""
    section = YAML(typ="safe").load((root / "params.yaml").read_text(encoding="utf-8")) or {}
    given = section.get("ingest") or {}
    return {name: given[name] for name in HINTS if given.get(name)}


def score_rows(root: Path, path: str, package: Package, folder: Path, options: Options | None = None, **how) -> dict:
    """Score all rows of a source; go on if the same run was interrupted.

    A chunk is done when its Parquet file, its rows of the SQL table and its rows of the log are written; the manifest says
    so. What was interrupted is written again, with the same result.

    Parameters
    ----------
    root : Path
        The project.
    path : str
        File, address or database of the new rows, as `ingest.path`.
    package : Package
        The model.
    folder : Path
        Gets the Parquet files, `part-00000.parquet` and so on, one for each chunk.
    options : Options, optional
    **how
        `query` of a database, and hints about a text file or workbook, as `load_source` takes them.

    Returns
    -------
    dict
        run, origin, model, version, predicted_at, rows, chunks, resumed_rows, keys (rows of the table that are from this
        run), key, table, log_rows, seconds.

    Raises
    ------
    DataError
        The source, a column or a value is wrong. What chunks before it have is written.
    StepError, StoreError
        A disk is full, or a database stays away. The same command goes on where it stopped.
    """
    from ...data.reading.chunks import open_chunks  # its readers come with stagebook[sources]

    options, began = options or Options(), perf_counter()
    with _alone(folder), open_chunks(path, options.chunk_rows, base=root, **how) as source:
        key = key_names(options.key, package.contract)
        model = (package.name, package.version, describe_file(package.file)["sha256"])
        changes = {"key": key, "prepared": options.prepared, "join": options.join, "chunk_rows": options.chunk_rows}
        manifest = begin_run(folder, source.origin, source.sha256, model, changes)
        done = manifest.written_rows
        scorer = _make_scorer(root, source.origin, package, key, options)
        with _open_stores(root, folder, options) as stores:
            writer = Writer(manifest, package, stores)
            for number, frame in enumerate(source.frames):
                if number == 0:
                    scorer.check_columns(list(frame.columns))
                if number >= len(manifest.chunks):
                    with _resumable(manifest):
                        writer.write(number, scorer.score(frame, number * options.chunk_rows))
            manifest.finished = True
            manifest.save(folder)
            keys = count_run(stores.table, manifest.run) if key else 0
    facts = {"run": manifest.run, "origin": manifest.origin, "model": package.name, "version": package.version}
    facts |= {"predicted_at": manifest.started_at, "rows": manifest.written_rows, "chunks": len(manifest.chunks)}
    facts |= {"resumed_rows": done, "key": key, "keys": keys, "log_rows": writer.logged}
    return facts | {"seconds": round(perf_counter() - began, 1)}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder of a run; StepError if another process has it."""
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise StepError(f"another scoring run writes to {folder}. Wait for its end.") from None
    except OSError as error:
        raise StepError(f"{folder} cannot be made: {error.strerror}.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _resumable(manifest: Manifest) -> Iterator[None]:
    """Tell upon an error how far the run is."""
    try:
        yield
    except StagebookError as error:
        hint = f"{manifest.written_rows:,} rows of {manifest.origin} are written; the same command goes on after them."
        raise type(error)(f"{str(error).rstrip('.')}. {hint}") from error.__cause__


@contextmanager
def _open_stores(root: Path, folder: Path, options: Options) -> Iterator[Stores]:
    """Yield the stores; close them at the end."""
    control_share = check_share(read_settings(root)["serve"]["control_share"])
    table = open_table(connect_table(root))
    log = PredictionLog(connect_log(root), capacity=options.chunk_rows) if options.log_share else None
    try:
        yield Stores(folder, table, log, options.log_share, control_share, options.wait_seconds)
    finally:
        table.dispose()
        if log:
            log.close(timeout=1)


def _make_scorer(root: Path, origin: str, package: Package, key: list[str], options: Options) -> Scorer:
    contract = package.contract
    predictor = Predictor(package.file, package.config)
    if options.prepared:
        return Scorer(origin, contract, predictor, key)
    schema = root / "data" / "schema.yaml"
    known = read_schema(schema).get(contract.table.name) if schema.is_file() else None
    return Scorer(origin, contract, predictor, key, load_prepare(root), _choose_join(root, options.join), known)


def _choose_join(root: Path, join: str) -> Join:
    if not (views := load_views(root)):
        return join_offline({})
    if join == "store":
        return join_online(connect_store(root))
    return join_offline(read_sources(views, root / "data" / "raw"))
