"""Read a table or a query from a database, with the password from the environment."""

import os
import re
from pathlib import Path

import pandas as pd
import sqlalchemy as sql

from ...project.errors import DataError
from .columns import tidy_columns
from .locations import check_no_password

__all__ = ["read_database"]

PASSWORD = "DATABASE_PASSWORD"
DRIVERS = {"mysql": "pymysql", "mariadb": "pymysql", "mssql": "pyodbc", "oracle": "oracledb"}
SELECT = re.compile(r"(\s|\(|--[^\n]*\n|/\*.*?\*/)*(select|with)\b", re.IGNORECASE | re.DOTALL)
ROWS = 100_000  # fetched at a time


def read_database(url: str, query: str, base: Path) -> tuple[pd.DataFrame, list[str], dict]:
    """Read the rows of a table, or of a SELECT.

    Parameters
    ----------
    url : str
        SQLAlchemy URL without a password: `postgresql://user@host/database`, `sqlite:///file.db`. A name after `#` is
        that of a table.
    query : str
        Name of a table (`schema.table` too) or a SELECT. May be empty if the database has one table only.
    base : Path
        Folder that the path of an SQLite file is relative to.

    Returns
    -------
    frame, names of the columns in the database, what was read

    Raises
    ------
    DataError
        The database cannot be reached or read, or has no such table.
    """
    check_no_password(url, PASSWORD)
    url, _, fragment = url.partition("#")
    try:
        engine = sql.create_engine(complete_url(url, base), poolclass=sql.NullPool)
        with engine.connect() as connection:
            if SELECT.match(query):
                statement, found = sql.text(escape_colons(query)), {"query": query}
            else:
                statement, found = select_table(sql.inspect(connection), query or fragment)
            frame, names = fetch_rows(connection, statement)
    except sql.exc.NoSuchModuleError:
        raise DataError("no kind of database or of file has such an address. Is there a typing error?") from None
    except ModuleNotFoundError as error:
        driver = DRIVERS.get(re.split(r"[+:]", url)[0], error.name)
        raise DataError(f'add "{driver}" to `dependencies` in pyproject.toml and run `make setup`.') from None
    except (sql.exc.SQLAlchemyError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(explain_error(error)) from None
    return frame, names, found


def complete_url(text: str, base: Path) -> sql.URL:
    """Return the URL with driver, password from the environment and full path, which are nowhere written down."""
    url = sql.make_url(text)
    if url.drivername == "sqlite":
        file = base / (url.database or "")
        if not file.is_file():
            raise DataError(f"there is no file {file.resolve()}. A path from the root has four slashes: sqlite:////.")
        return url.set(database=str(file))
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg", query={"connect_timeout": "10"} | dict(url.query))
    return url.set(password=os.environ[PASSWORD]) if os.environ.get(PASSWORD) else url


def select_table(inspector: sql.Inspector, name: str) -> tuple[sql.Select, dict]:
    """Return the statement that reads a whole table, ordered by its key if it has one, and the table's name."""
    names = list_tables(inspector, None)
    schema, table = (None, name) if name in names or "." not in name else name.split(".", 1)
    if not name and len(names) == 1:
        table = names[0]
    elif not name or table not in (names if schema is None else list_tables(inspector, schema)):
        what = f"has no table {name!r}" if name else "has several tables" if names else "has no table"
        listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise DataError(
            f"the database {what}. Name a table in `ingest.query` of params.yaml: {listed or 'there is none'}."
        )
    key = inspector.get_pk_constraint(table, schema)["constrained_columns"]
    rows = sql.select(sql.text("*")).select_from(sql.table(table, schema=schema))
    return rows.order_by(*map(sql.column, key)), {"query": f"{schema}.{table}" if schema else table}


def list_tables(inspector: sql.Inspector, schema: str | None) -> list[str]:
    """Return the names of tables and views."""
    try:
        return sorted(inspector.get_table_names(schema) + inspector.get_view_names(schema))
    except sql.exc.SQLAlchemyError:  # there is no such schema
        return []


def fetch_rows(connection: sql.Connection, statement: sql.Executable) -> tuple[pd.DataFrame, list[str]]:
    """Return the result of a statement in columns of one type each, and their names."""
    result = connection.execution_options(stream_results=True).execute(statement)
    names = list(result.keys())
    parts = [
        tidy_columns(pd.DataFrame(map(tuple, rows), columns=names, dtype=object)) for rows in result.partitions(ROWS)
    ]
    return tidy_columns(pd.concat(parts, ignore_index=True)) if parts else pd.DataFrame(columns=names), names


def escape_colons(query: str) -> str:
    """Return a SELECT in which SQLAlchemy takes no `:word` for a parameter."""
    return re.sub(r"(?<![:\w$\\]):(?=[\w$]+(?![:\w$]))", r"\\:", query.strip().rstrip(";"))


def explain_error(error: Exception) -> str:
    """Return what a database says in one line, without the password."""
    said = " ".join(str(getattr(error, "orig", None) or error).split())[:400]
    password = os.environ.get(PASSWORD)
    said = said.replace(password, "***") if password else said
    hint = f" Is the environment variable {PASSWORD} right?" if "password" in said.lower() else ""
    return f"the database says: {said}{hint}"
