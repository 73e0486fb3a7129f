"""The database of the prediction log: its tables, its connection, and what is read from it."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..project.database import database_url, open_database, reason, shown
from ..project.errors import StoreError

__all__ = ["connect_log", "open_log", "read_predictions"]

META = sa.MetaData()
PREDICTIONS = sa.Table(
    "predictions",
    META,
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("row", sa.Integer, primary_key=True),
    sa.Column("asked_at", sa.DateTime, nullable=False, index=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("key_hash", sa.Text, nullable=False, index=True),  # keys may be longer than an index of PostgreSQL takes
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("inputs", sa.Text, nullable=False),  # JSON as text: JSONB refuses the character NUL
    sa.Column("features", sa.Text, nullable=False),
    sa.Column("output", sa.Text, nullable=False),
    sa.Column("control", sa.Boolean, nullable=False),
    sa.Column("control_share", sa.Double, nullable=False),
    sa.Column("latency_ms", sa.Double, nullable=False),
)


def _outcome_columns(**options: bool) -> list[sa.Column]:
    """Columns of a true value: it belongs to (request_id, row), or to all predictions of a key."""
    return [
        sa.Column("request_id", sa.Text, nullable=False, **options),
        sa.Column("row", sa.Integer, nullable=False, **options),
        sa.Column("key_hash", sa.Text, nullable=False, **options),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("received_at", sa.DateTime, nullable=False),
        sa.Column("observed_at", sa.DateTime),
        sa.Column("source", sa.Text, nullable=False),
    ]


BY_KEY = sa.Index("ix_outcomes_key_hash", "key_hash")
BY_SUBJECT = sa.Index("ix_replaced_outcomes_subject", "request_id", "key_hash")
OUTCOMES = sa.Table("outcomes", META, *_outcome_columns(primary_key=True), BY_KEY)
REPLACED = sa.Table("replaced_outcomes", META, *_outcome_columns(), sa.Column("replaced_at", sa.DateTime), BY_SUBJECT)


def connect_log(root: Path) -> sa.URL:
    """Return the URL of the prediction log: PREDICTION_LOG_URL, else .local/predictions.db."""
    return database_url(root, "PREDICTION_LOG_URL", "predictions.db")


def open_log(url: str | sa.URL, timeout: float = 5) -> sa.Engine:
    """Return the engine of the log; a lock is waited for `timeout` seconds. Times and texts as these tables have them."""
    url = sa.make_url(url)
    wait = {"timeout": timeout} if url.get_backend_name() == "sqlite" else {"connect_timeout": max(2, int(timeout))}
    pragmas = ("journal_mode=WAL", "synchronous=NORMAL")
    return open_database(url, "PREDICTION_LOG_URL", pragmas, connect_args=wait)


def insert_new(engine: sa.Engine, table: sa.Table) -> sa.Insert:
    """Return an insert that leaves rows of a known primary key as they are."""
    from sqlalchemy.dialects import postgresql, sqlite

    dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing()


def clean_text(text: object, limit: int = 200) -> str:
    """Return an id as both databases take it: NUL and lone surrogates escaped, a long one cut and hashed."""
    text = str(text).encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    return text if len(text) <= limit else f"{text[:100]}...{hashlib.sha256(text.encode()).hexdigest()}"


def to_json(value: object) -> str:
    """Return compact JSON in ASCII; NaN is null, infinity is text, and what JSON does not know is text."""
    try:
        return json.dumps(value, separators=(",", ":"), default=_plain, allow_nan=False)
    except (ValueError, TypeError):
        return json.dumps(_finite(value), separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    return _finite(value.item()) if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else str(value)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def key_columns(key: Mapping[str, object]) -> dict[str, str]:
    """Return the columns `key` and `key_hash`; the hash is empty if there is no key."""
    if not key:
        return {"key": "{}", "key_hash": ""}
    text = to_json({str(name): str(key[name]) for name in sorted(key)})
    return {"key": text, "key_hash": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}


def to_utc(time: datetime) -> datetime:
    """Return the time in UTC without zone, as the tables hold it; a time without zone is UTC."""
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def with_outcomes() -> sa.Select:
    """Return the query of predictions with their true value: that of the id, else that of the key."""
    by_id, by_key = OUTCOMES.alias("by_id"), OUTCOMES.alias("by_key")
    own = sa.and_(by_id.c.request_id == PREDICTIONS.c.request_id, by_id.c.row == PREDICTIONS.c.row)
    shared = sa.and_(
        by_key.c.key_hash == PREDICTIONS.c.key_hash,
        by_key.c.request_id == "",
        by_key.c.row == 0,  # the whole primary key: else each prediction without a key looks at all outcomes by id
        PREDICTIONS.c.key_hash != "",
    )
    names = {"value": "outcome", "observed_at": "observed_at", "received_at": "received_at"}
    either = [
        sa.case((by_id.c.value.is_not(None), by_id.c[name]), else_=by_key.c[name]).label(label)
        for name, label in names.items()
    ]
    columns = [column for column in PREDICTIONS.c if column.name != "key_hash"]
    joined = PREDICTIONS.outerjoin(by_id, sa.and_(own, by_id.c.key_hash == "")).outerjoin(by_key, shared)
    return sa.select(*columns, *either).select_from(joined)


def as_record(row: Mapping[str, object]) -> dict:
    """Return a row of the query with JSON read and times in UTC."""
    record = dict(row)
    for name in ("key", "inputs", "features", "output", "outcome"):
        record[name] = None if record[name] is None else json.loads(record[name])
    for name in ("asked_at", "observed_at", "received_at"):
        record[name] = record[name] and record[name].replace(tzinfo=UTC)
    return record


def read_records(engine: sa.Engine, where: Iterable[sa.ColumnElement]) -> list[dict]:
    """Return the predictions that fulfil the conditions, in the order of time; [] if nothing was logged yet."""
    query = with_outcomes().where(*where).order_by(PREDICTIONS.c.asked_at, PREDICTIONS.c.request_id, PREDICTIONS.c.row)
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("replaced_outcomes"):  # the last table that is made
                return []
            return [as_record(row) for row in connection.execute(query).mappings()]
    except SQLAlchemyError as error:
        raise StoreError(f"Prediction log {shown(engine.url)}: {reason(error, engine.url)}") from None


def read_predictions(url: str | sa.URL, since: datetime, until: datetime) -> "pandas.DataFrame":  # noqa: F821
    """Return the predictions of a window of time, joined with their true values.

    Parameters
    ----------
    url : str or URL
        As `connect_log` returns it.
    since, until : datetime
        Window of `asked_at`: `since` is in it, `until` is not. UTC unless a time has a zone.

    Returns
    -------
    DataFrame of shape (n_predictions, 15)
        request_id, row, asked_at (UTC), model, version, key, inputs, features and output (dicts), control (bool),
        control_share, latency_ms, and outcome, observed_at, received_at, missing where the true value is not known yet.

    Raises
    ------
    StoreError
        The database cannot be read.
    """
    import pandas as pd

    engine = open_log(url)
    try:
        asked_at = PREDICTIONS.c.asked_at
        found = read_records(engine, [asked_at >= to_utc(since), asked_at < to_utc(until)])
    finally:
        engine.dispose()
    names = [column.name for column in with_outcomes().selected_columns]
    frame = pd.DataFrame(found, columns=names)
    times = ("asked_at", "observed_at", "received_at")
    return frame.assign(**{name: pd.to_datetime(frame[name], utc=True) for name in times})
