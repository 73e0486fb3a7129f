"""The online side of the feature store: the newest value of each key in a database, looked up by key."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..project.database import database_url, open_database, reason, shown
from ..project.errors import StoreError
from .store import ALWAYS_KNOWN, AS_OF, KNOWN_AT, FeatureView, compute_history, text_keys, to_utc, values_at

__all__ = [
    "connect_store",
    "describe_look_up",
    "drop_stale",
    "look_up",
    "materialise",
    "read_newest",
    "store_table",
    "transaction",
]

MANY_KEYS = 10_000  # so many at once: reading the whole table is simpler than naming them


def connect_store(root: Path) -> sa.Engine:
    """Return the database that FEATURE_STORE_URL names, else .local/features.db."""
    return open_database(database_url(root, "FEATURE_STORE_URL", "features.db"), "FEATURE_STORE_URL")


def materialise(
    view: FeatureView, tables: Mapping[str, pd.DataFrame], engine: sa.Engine, as_of: datetime | str | None = None
) -> pd.DataFrame:
    """Replace what the store has of a view by the newest values, in one transaction, and return them.

    Parameters
    ----------
    view : FeatureView
    tables : dict of str to DataFrame
        The sources of the view, by name.
    engine : Engine
    as_of : datetime or str, optional
        Values known only later are left out; UTC unless it has a zone. If not given, the newest `known_at`, at most now.

    Returns
    -------
    DataFrame of shape (n_keys, n_entity + 1 + n_features)
        A reader of the store sees this or what was there before, never a part of each. Upon a StoreError nothing changed.
    """
    history = compute_history(view, tables)
    as_of = min(history[KNOWN_AT].max(), pd.Timestamp.now("UTC")) if as_of is None else _to_moment(as_of)
    newest = history[history[KNOWN_AT] <= as_of].drop_duplicates(list(view.entity), keep="last", ignore_index=True)
    rows = newest.assign(**{KNOWN_AT: newest[KNOWN_AT].dt.tz_localize(None), AS_OF: as_of.replace(tzinfo=None)})
    rows = rows.astype(object).where(rows.notna(), None).to_dict("records")
    table = store_table(view)
    with transaction(engine, view, writes=True) as connection:
        if not _fits(connection, table):
            table.drop(connection, checkfirst=True)
            table.create(connection)
        connection.execute(table.delete())
        if rows:
            connection.execute(table.insert(), rows)
    return newest


def look_up(view: FeatureView, keys: pd.DataFrame, engine: sa.Engine, now: datetime | str | pd.Series) -> pd.DataFrame:
    """Return the features of the given keys, as the point-in-time join gives them to rows of the time `now`.

    Parameters
    ----------
    view : FeatureView
    keys : DataFrame of shape (n_rows, n_columns)
        Has the entity columns of the view; others are ignored.
    engine : Engine
    now : datetime, str or Series of length n_rows
        When the prediction is asked, for all rows or for each; UTC unless it has a zone.

    Returns
    -------
    DataFrame of shape (n_rows, n_features)
        With the index of `keys`. Missing (NaN or "") where a key is unknown, or its value is older than the view's `ttl`.

    Raises
    ------
    StoreError
        The database cannot be reached, or does not have the view as it is defined now.
    """
    return drop_stale(view, read_newest(view, keys, engine), now).set_axis(keys.index)


def drop_stale(view: FeatureView, newest: pd.DataFrame, now: datetime | str | pd.Series) -> pd.DataFrame:
    """Return the features of `newest`, missing where they were not yet known at `now` or are older than the `ttl`.

    A Series has the time of each row, by position.
    """
    if not isinstance(now, pd.Series):
        return values_at(view, newest, _to_moment(now))
    if len(now) != len(newest):
        raise StoreError(f"{view.name}: {len(now)} times for {len(newest)} rows: give one time, or one for each row.")
    return values_at(view, newest, to_utc(now, "Time of the question").set_axis(newest.index))


def read_newest(view: FeatureView, keys: pd.DataFrame, engine: sa.Engine) -> pd.DataFrame:
    """Return what is stored for each row of `keys`, of any age, with `known_at` and `as_of`."""
    table, wanted = store_table(view), text_keys(keys, view)
    rows = list(wanted.itertuples(index=False, name=None))
    known = set(wanted.dropna().itertuples(index=False, name=None))
    query = sa.select(table)
    if len(known) < MANY_KEYS:
        query = query.where(sa.tuple_(*table.primary_key).in_(sorted(known)))
    width = len(view.entity)
    with transaction(engine, view) as connection:
        found = {tuple(row[:width]): tuple(row[width:]) for row in connection.execute(query)}
    nothing = (None,) * (len(table.columns) - width)
    values = pd.DataFrame([found.get(row, nothing) for row in rows], columns=table.columns.keys()[width:])
    times = {column: to_utc(values[column].astype("datetime64[us]"), column) for column in (KNOWN_AT, AS_OF)}
    return wanted.join(values.assign(**times))


@contextmanager
def transaction(engine: sa.Engine, view: FeatureView, writes: bool = False) -> Iterator[sa.Connection]:
    """Yield a connection; commit at the end, or undo everything and raise StoreError."""
    try:
        with engine.execution_options(writes=writes).begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise StoreError(f"Feature store {shown(engine.url)}: {_reason(engine, view, error, writes)}") from None


def _reason(engine: sa.Engine, view: FeatureView, error: SQLAlchemyError, writes: bool) -> str:
    """Return in one line what is wrong."""
    if getattr(error, "statement", None) and not writes:  # the database was reached
        with suppress(SQLAlchemyError), engine.connect() as connection:
            if not _fits(connection, store_table(view)):
                return f"it does not have {view.name} as it is defined now. `stagebook features` writes it."
    return reason(error, engine.url)


def _fits(connection: sa.Connection, table: sa.Table) -> bool:
    """Is the table there, with the columns of this definition?"""
    look = sa.inspect(connection)
    columns = look.get_columns(table.name) if look.has_table(table.name) else []
    return [(column["name"], column["type"].python_type) for column in columns] == [
        (column.name, column.type.python_type) for column in table.columns
    ]


@cache
def store_table(view: FeatureView) -> sa.Table:
    """Return the table that the store has for a view."""
    kinds = {name: sa.Double if feature.type == "number" else sa.Text for name, feature in view.computed.items()}
    return sa.Table(
        f"features_{view.name}",
        sa.MetaData(),
        *(sa.Column(name, sa.Text, primary_key=True) for name in view.entity),
        sa.Column(KNOWN_AT, sa.DateTime, nullable=False),
        *(sa.Column(name, kind) for name, kind in kinds.items()),
        sa.Column(AS_OF, sa.DateTime, nullable=False),
    )


def _to_moment(time: datetime | str) -> pd.Timestamp:
    return to_utc(pd.Series([time]), repr(time)).iloc[0]


def describe_look_up(root: Path, view: FeatureView, key: list[str], at: str | None) -> str:
    """Return what serving gets for a key, with the age of the values, in words.

    Parameters
    ----------
    key : list of str
        One value for each key column of the view.
    at : str or None
        Time of the question (UTC) or `now`; None is the time of the newest stored data.
    """
    if len(key) != len(view.entity):
        wanted = " and ".join(view.entity)
        raise StoreError(f"{view.name} is looked up by {wanted}: one value for each, not {len(key)} values.")
    stored = read_newest(view, pd.DataFrame([key], columns=list(view.entity)), connect_store(root))
    known_at, as_of = stored.loc[0, ["known_at", "as_of"]]
    asked = f"{view.name}, {', '.join(' '.join(pair) for pair in zip(view.entity, key, strict=True))}"
    if pd.isna(known_at):
        return f"{asked}: missing. The store has no such key; serving gets no value."
    moment = pd.Timestamp.now("UTC").floor("s") if at == "now" else at or as_of
    now = to_utc(pd.Series([moment]), "--at").iloc[0]
    values = drop_stale(view, stored, now).iloc[0]
    time = f", at {now:%Y-%m-%d %H:%M} UTC{'' if at else ', the time of the newest data'}"
    lines = [f"{asked}{'' if known_at == ALWAYS_KNOWN else time}:"]
    for feature, about in view.features.items():
        lines.append(f"  {feature:24} {_plain(values[feature]):12} {about.description}")
    return "\n".join([*lines, *_describe_age(view, known_at, now)])


def _describe_age(view: FeatureView, known_at: pd.Timestamp, now: pd.Timestamp) -> list[str]:
    if known_at == ALWAYS_KNOWN:
        return ["Reference data: always known."]
    life = "good until a newer value is known" if view.ttl is None else f"time to live {pd.Timedelta(view.ttl)}"
    lines = [f"Known at {known_at:%Y-%m-%d %H:%M} UTC, {now - known_at} before; {life}."]
    if now < known_at:
        lines.append("It is not yet known: serving gets no value.")
    elif view.ttl is not None and now - known_at > view.ttl:
        lines.append("It is stale: serving gets no value.")
    return lines


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
