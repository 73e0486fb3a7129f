"""The SQL table of precomputed predictions: one row for each key, the newest prediction, found by its key."""

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from ...predictions.store import key_columns
from ...project.database import database_url, open_database, reason, shown
from ...project.errors import DataError, StoreError
from ...request.contract import Contract
from ...request.rows import RequestError, as_text, read_field

__all__ = ["VARIABLE", "connect_table", "count_run", "find_prediction", "open_table", "read_key", "upsert"]

VARIABLE = "PRECOMPUTED_URL"
META = sa.MetaData()
PRECOMPUTED = sa.Table(
    "precomputed",
    META,
    sa.Column("key", sa.Text, primary_key=True),  # JSON as text, as in the prediction log
    sa.Column("output", sa.Text, nullable=False),  # JSON as text: what POST /predict would answer
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("predicted_at", sa.DateTime, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
NAMES = [column.name for column in PRECOMPUTED.columns]
NEWER = """ON CONFLICT (key) DO UPDATE SET output = excluded.output, model = excluded.model, version = excluded.version,
predicted_at = excluded.predicted_at, run = excluded.run WHERE excluded.predicted_at >= precomputed.predicted_at"""
LONGEST_PAUSE = 5.0  # seconds
LOCK_SECONDS = 30.0  # that another writer may take
FULL = "disk"  # "disk is full", "disk I/O error": waiting does not help


def connect_table(root: Path) -> sa.URL:
    """Return the URL of the table's database: PRECOMPUTED_URL, else .local/precomputed.db."""
    return database_url(root, VARIABLE, "precomputed.db")


def open_table(url: str | sa.URL) -> sa.Engine:
    """Return the engine of the database; it is connected when it is used."""
    url = sa.make_url(url)
    wait = {"timeout": LOCK_SECONDS} if url.get_backend_name() == "sqlite" else {"connect_timeout": 5}
    pragmas = ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-32000")
    return open_database(url, VARIABLE, pragmas, connect_args=wait, pool_pre_ping=True)


def upsert(engine: sa.Engine, rows: Sequence[tuple], wait_seconds: float = 60) -> None:
    """Write rows (key, output, model, version, predicted_at, run) in one transaction: all of them, or upon an error none.

    A row of a known key takes its place, if it is not older. While the database is away, it is tried again for
    `wait_seconds`.

    Raises
    ------
    StoreError
        It stays away, or refuses the rows.
    """
    write = _copy if engine.dialect.name == "postgresql" else _insert
    _retry(engine, lambda connection: write(connection, rows), wait_seconds)


def _retry(engine: sa.Engine, work: Callable, seconds: float) -> None:
    until, pause = time.monotonic() + seconds, 0.1
    while True:
        try:
            with engine.execution_options(writes=True).begin() as connection:
                META.create_all(connection)
                return work(connection)
        except SQLAlchemyError as error:
            said = reason(error, engine.url)
            away = isinstance(error, OperationalError | InterfaceError) and FULL not in said
            if not away or time.monotonic() + pause > until:
                raise StoreError(f"Precomputed predictions, {shown(engine.url)}: {said}") from None
        except Exception as error:  # psycopg's own, from COPY
            said, away = reason(error, engine.url), type(error).__name__ in ("OperationalError", "AdminShutdown")
            if not away or time.monotonic() + pause > until:
                raise StoreError(f"Precomputed predictions, {shown(engine.url)}: {said}") from error
        engine.dispose()
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _insert(connection: sa.Connection, rows: Sequence[tuple]) -> None:
    """Insert by the driver itself: SQLAlchemy's own way takes five times as long."""
    marks = ", ".join("?" * len(NAMES))
    times = {time: time.strftime("%Y-%m-%d %H:%M:%S.%f") for time in {row[4] for row in rows}}
    known = [(*row[:4], times[row[4]], *row[5:]) for row in rows]
    connection.exec_driver_sql(f"INSERT INTO precomputed ({', '.join(NAMES)}) VALUES ({marks}) {NEWER}", known)


def _copy(connection: sa.Connection, rows: Sequence[tuple]) -> None:
    """Send the rows of a chunk by COPY to a table of this transaction, and from there to their place."""
    connection.exec_driver_sql("CREATE TEMP TABLE incoming (LIKE precomputed) ON COMMIT DROP")
    with (
        connection.connection.driver_connection.cursor() as cursor,
        cursor.copy(f"COPY incoming ({', '.join(NAMES)}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)
    columns = ", ".join(NAMES)
    connection.exec_driver_sql(f"INSERT INTO precomputed ({columns}) SELECT {columns} FROM incoming {NEWER}")


def count_run(engine: sa.Engine, run: str) -> int:
    """Return how many keys have their prediction from a run."""
    query = sa.select(sa.func.count()).select_from(PRECOMPUTED).where(PRECOMPUTED.c.run == run)
    return _read(engine, query).scalar()


def find_prediction(engine: sa.Engine, words: Sequence[str], contract: Contract) -> dict | None:
    """Return the prediction of a key, with model, version and time; None if there is none.

    Parameters
    ----------
    engine : Engine
    words : sequence of str
        The value of the key, or `name=value` for each column of a key of several.
    contract : Contract
        It says how a value is read: 17, 17.0 and "17" are the same where the column has numbers.
    """
    newest = sa.select(PRECOMPUTED.c.key).limit(1)
    row = _read(engine, newest, absent_is_empty=True)
    if row is None or (stored := row.scalar()) is None:
        return None
    key = key_columns(read_key(words, list(json.loads(stored)), contract))["key"]
    found = _read(engine, sa.select(PRECOMPUTED).where(PRECOMPUTED.c.key == key)).mappings().first()
    if found is None:
        return None
    record = dict(found) | {name: json.loads(found[name]) for name in ("key", "output")}
    return record | {"predicted_at": record["predicted_at"].replace(tzinfo=UTC).isoformat()}


def read_key(words: Sequence[str], names: Sequence[str], contract: Contract) -> dict[str, str]:
    """Return a key as the table has it; DataError if a column is missing, unknown, or has no such value."""
    if len(names) == 1 and len(words) == 1:
        words = [words[0] if words[0].startswith(f"{names[0]}=") else f"{names[0]}={words[0]}"]
    given = dict(word.partition("=")[::2] for word in words)
    if set(given) != set(names):
        wanted = " ".join(f"{name}=..." for name in names)
        raise DataError(f"the key {' '.join(words)!r} does not fit: the table is looked up by {wanted}")
    return {name: _as_typed(name, given[name], contract) for name in names}


def _as_typed(name: str, text: str, contract: Contract) -> str:
    if (column := contract.table.columns.get(name)) is None:
        return text
    try:
        value = read_field([text], column)[0]
    except RequestError as error:
        raise DataError(f"key column {name!r}: {text!r} {error.allowed}.") from None
    if column.type == "date":
        value = datetime.fromisoformat(str(value.astype("datetime64[us]")))
    return as_text(value.item() if hasattr(value, "item") else value)


def _read(engine: sa.Engine, query: sa.Select, absent_is_empty: bool = False) -> sa.Result | None:
    try:
        with engine.connect() as connection:
            if absent_is_empty and not sa.inspect(connection).has_table("precomputed"):
                return None
            return connection.execute(query).freeze()()
    except SQLAlchemyError as error:
        raise StoreError(f"Precomputed predictions, {shown(engine.url)}: {reason(error, engine.url)}") from None
