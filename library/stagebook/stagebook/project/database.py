"""One way to open a database that an environment variable names, else a SQLite file of `.local/`."""

import os
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from .errors import StoreError
from .root import local_folder

__all__ = ["database_url", "open_database", "reason", "shown"]


def database_url(root: Path, variable: str, file: str) -> sa.URL:
    """Return the SQLAlchemy URL in the environment variable, else that of the SQLite file in `.local/`."""
    default = sa.URL.create("sqlite", database=(local_folder(root) / file).as_posix())
    try:
        return sa.make_url(os.environ.get(variable) or default)
    except SQLAlchemyError as error:
        raise StoreError(f"{variable} is no SQLAlchemy URL that works here: {error}") from None


def open_database(url: sa.URL, what: str, pragmas: tuple[str, ...] = (), **options: object) -> sa.Engine:
    """Return the engine of `url`; connections are made when they are used.

    SQLite begins a transaction at its first statement, with the execution option `writes` as the only writer.
    """
    try:
        if url.drivername in ("postgres", "postgresql"):
            url = url.set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, **options)
    except (SQLAlchemyError, ImportError) as error:
        raise StoreError(f"{what} is no SQLAlchemy URL that works here: {error}") from None
    if engine.dialect.name == "sqlite":  # its driver would commit before a table is made or dropped
        sa.event.listen(engine, "connect", lambda connection, _: _prepare(connection, pragmas))
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(_begin(connection)))
    return engine


def shown(url: sa.URL) -> sa.URL:
    """Return the URL without user, password and query."""
    return sa.URL.create(url.drivername, None, None, url.host, url.port, url.database)


def reason(error: Exception, url: sa.URL) -> str:
    """Return the first line of what the database said, without the password."""
    line = (str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__])[0]
    return line.replace(url.password, "***") if url.password else line


def _prepare(connection: object, pragmas: tuple[str, ...]) -> None:
    connection.isolation_level = None
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> str:
    return "BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN"
