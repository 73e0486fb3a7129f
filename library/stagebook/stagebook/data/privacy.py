"""Personal data: mask it as data/schema.yaml says before it is written, and let old rows go."""

import hmac
import os

import pandas as pd

from ..project.errors import DataError
from .pii import find_pii
from .schema import Column, Table

__all__ = ["drop_expired", "hash_text", "hide_personal", "mask_columns", "personal_columns"]

KEY_LENGTH = 16  # characters; a shorter key can be found by trying


def personal_columns(table: Table) -> list[str]:
    """Return the columns whose raw values must not be shown, logged or kept in git: `pii: true` or `mask: hash`."""
    return [column.name for column in table.columns.values() if column.pii or column.mask == "hash"]


def hide_personal(shown: pd.DataFrame, frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return a copy of rows to be shown, with `***` for each value in a column that looks like personal data.

    For tables that have no schema yet; `find_pii` decides by names and values.

    Parameters
    ----------
    shown : pandas.DataFrame
        The rows, such as `frame.head(10)`.
    frame : pandas.DataFrame, optional
        The table that they come from, which tells more than a few rows; `shown` if not given.
    """
    found = set(find_pii(shown)) | (set() if frame is None else set(find_pii(frame)))
    hidden = {name: shown[name].astype(object).where(shown[name].isna(), "***") for name in shown if name in found}
    columns = [hidden.get(name, shown.iloc[:, position]) for position, name in enumerate(shown.columns)]
    return pd.concat(columns, axis=1).set_axis(shown.columns, axis=1) if columns else shown.copy()


def mask_columns(frame: pd.DataFrame, columns: dict[str, Column]) -> tuple[pd.DataFrame, dict[str, dict]]:
    """Apply the schema's rule to each column with `pii: true`.

    `drop`, the default, removes the column. `hash` replaces each value by 16 hex characters of an HMAC-SHA-256 with the
    key in the environment variable PII_KEY: equal values stay equal, also in another table, so that joins work; missing
    ones stay missing. `keep` leaves the column, and needs a reason in `why`.

    Parameters
    ----------
    frame : pandas.DataFrame
    columns : dict
        Column by name, as in `Table.columns`; those that the frame has not are passed over.

    Returns
    -------
    tuple
        The masked copy, and for each such column what was done to how many values: {"mail": {"mask": "hash", "values": 9}}.

    Raises
    ------
    DataError
        A column is kept without a reason, or to be hashed and there is no key.
    """
    frame, done = frame.copy(deep=False), {}
    for name, column in columns.items():
        if name not in frame.columns or not (column.pii or column.mask == "hash"):
            continue
        done[name] = {"mask": column.mask, "values": int(frame[name].count())}
        if column.mask == "hash":
            frame[name] = hash_values(frame[name], _read_key(name))
        elif column.mask == "drop":
            frame = frame.drop(columns=name)
        elif not column.why.strip():
            raise DataError(
                f"data/schema.yaml: column {name!r} is personal data and kept without a reason. "
                "Write the reason as `why`, or choose `mask: drop` or `mask: hash`."
            )
    return frame, done


def hash_values(values: pd.Series, key: bytes) -> pd.Series:
    """Return the keyed hash of each value as text; missing and empty ones stay what they are."""
    texts = values.astype(object).map(_text, na_action="ignore")
    hashes = {text: _hash(text, key) for text in texts.dropna().unique()}
    return texts.map(hashes | {"": ""}).astype("str")


def hash_text(value: object, column: str) -> str:
    """Return the keyed hash of one value, as `mask: hash` makes it; DataError if there is no key for the column."""
    return _hash(_text(value), _read_key(column))


def _hash(text: str, key: bytes) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()[:16]


def _text(value: object) -> str:
    """Return what is hashed: a number without decimals is the same text for each type of its column."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read_key(column: str) -> bytes:
    key = os.environ.get("PII_KEY", "")
    if len(key) < KEY_LENGTH:
        problem = f"has fewer than {KEY_LENGTH} characters" if key else "is not set"
        raise DataError(
            f"column {column!r} is to be hashed, and the environment variable PII_KEY {problem}. Make a key once, keep it "
            "where your team keeps secrets (never in git), and set it in each shell and in CI:\n"
            "  export PII_KEY=$(python -c 'import secrets; print(secrets.token_hex(32))')"
        )
    return key.encode()


def drop_expired(
    frame: pd.DataFrame, time: str, retention_days: int | None, today: object = None
) -> tuple[pd.DataFrame, int]:
    """Drop the rows that are older than `retention_days`.

    Parameters
    ----------
    frame : pandas.DataFrame
    time : str
        Column with the time of each row: dates, or text like 2013-09-01T05:00:00Z. Rows without a time stay.
    retention_days : int or None
        Age in days that a row may have; None keeps all rows.
    today : date or str, optional
        What age is counted from. The newest row if not given, so that the same data gives the same result on any day.

    Returns
    -------
    tuple
        The rows that stay, and the number of those that went.

    Raises
    ------
    DataError
        The column holds something else than times, the days are not positive, or no row would stay.
    """
    if retention_days is None:
        return frame, 0
    if retention_days <= 0:
        raise DataError(f"data/schema.yaml: `retention_days` is {retention_days!r}; it must be a positive number.")
    times = _read_times(frame[time])
    newest = times.max() if today is None else pd.to_datetime(today, utc=True)
    expired = times < newest - pd.Timedelta(days=retention_days)
    if len(frame) and expired.all():
        raise DataError(
            f"column {time!r}: all {len(frame):,} rows are older than {retention_days} days on {newest:%Y-%m-%d}. "
            "Change `retention_days` in data/schema.yaml, or bring newer data."
        )
    return frame[~expired], int(expired.sum())


def _read_times(values: pd.Series) -> pd.Series:
    """Return the values as UTC times; raise DataError with the first that is none."""
    if pd.api.types.is_numeric_dtype(values):
        raise DataError(f"column {values.name!r} holds numbers, not times: rows have no age, so none can expire.")
    times = pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601")
    if (bad := values[times.isna() & values.notna()]).size:
        raise DataError(f"column {values.name!r}: {bad.iloc[0]!r} in row {bad.index[0]} is not a time like 2013-09-01.")
    return times
