"""True values that arrive later: they are checked, stored by id or by key, and joined when the log is read."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..project.database import reason, shown
from ..project.errors import DataError, StoreError
from .store import META, OUTCOMES, PREDICTIONS, REPLACED, clean_text, key_columns, open_log, to_json, to_utc

__all__ = ["Outcome", "Summary", "read_outcomes", "record_outcomes"]

BATCH, EXAMPLES, LOCK_SECONDS = 500, 5, 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """The true value of one prediction (`request_id`, `row`), or of all predictions of a `key`.

    It was received when it is recorded, unless `received_at` says otherwise.
    """

    value: object
    request_id: str = ""
    row: int = 0
    key: dict[str, str] = field(default_factory=dict)
    observed_at: datetime | None = None
    received_at: datetime | None = None


@dataclass
class Summary:
    """What became of the outcomes: counts, and the first examples of each sort."""

    source: str
    counts: Counter = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    predictions: int = 0  # that have a true value by these outcomes

    def add(self, sort: str, example: str) -> None:
        """Count an outcome of this sort."""
        self.counts[sort] += 1
        if len(shown := self.examples.setdefault(sort, [])) < EXAMPLES:
            shown.append(example)

    def __str__(self) -> str:
        """Return the summary as lines of text."""
        about = {
            "joined": f"joined to {self.predictions:,} predictions",
            "waiting": "waiting: the log has no such prediction (not yet written, unknown, or deleted by retention)",
            "duplicate": "duplicate: this value was known; nothing changed",
            "contradictory": "contradictory: the newest value is used; the earlier one is in replaced_outcomes",
        }
        lines = [f"{self.source}: {self.counts['all']:,} outcomes"]
        for sort, words in about.items():
            lines.append(f"{self.counts[sort]:>9,} {words}")
            if sort in ("waiting", "contradictory"):
                lines += [f"            {example}" for example in self.examples.get(sort, [])]
        return "\n".join(lines)


def record_outcomes(
    url: str | sa.URL,
    outcomes: Sequence[Outcome],
    *,
    classes: Sequence[str] | None = None,
    source: str = "",
    column: str = "value",
) -> Summary:
    """Store true values in one transaction: all of them, or upon an error none.

    Parameters
    ----------
    url : str or URL
        As `connect_log` returns it.
    outcomes : list of Outcome
        Of one that is given several times with several values, the last is used.
    classes : list of str, optional
        Names of the classes; empty for regression (values are finite numbers). If not given, values are not checked.
    source : str
        File or service that the values come from.
    column : str
        Column of the values, for errors.

    Raises
    ------
    DataError
        A value is no class of the model, or no number, or an outcome names no prediction.
    StoreError
        The database cannot be written.
    """
    now = datetime.now(UTC)
    rows = [
        _as_row(outcome, place, classes, source, column) | {"received_at": to_utc(outcome.received_at or now)}
        for place, outcome in enumerate(outcomes, 1)
    ]
    engine, summary = open_log(url, timeout=LOCK_SECONDS), Summary(source or "outcomes")
    try:
        with engine.execution_options(writes=True).begin() as connection:
            META.create_all(connection)
            for start in range(0, len(rows), BATCH):
                _record(connection, rows[start : start + BATCH], summary)
    except SQLAlchemyError as error:
        raise StoreError(f"Prediction log {shown(engine.url)}: {reason(error, engine.url)}") from None
    finally:
        engine.dispose()
    return summary


def _record(connection: sa.Connection, rows: Sequence[dict], summary: Summary) -> None:
    """Store some outcomes and count them."""
    identity = sa.tuple_(*OUTCOMES.primary_key)
    query = sa.select(OUTCOMES).where(identity.in_([_subject(row) for row in rows]))
    known = {_subject(row): dict(row) for row in connection.execute(query).mappings()}
    replaced, predictions = [], _count_predictions(connection, rows)
    for row in rows:
        subject, name = _subject(row), (row["request_id"] and f"{row['request_id']} row {row['row']}") or row["key"]
        summary.counts["all"] += 1
        old, known[subject] = known.get(subject), row
        if old and old["value"] == row["value"]:
            known[subject] = old
            summary.add("duplicate", name)
            continue
        if old:
            summary.add("contradictory", f"{name}: {old['value']}, now {row['value']}")
            replaced.append(old | {"replaced_at": row["received_at"]})
        elif count := predictions.get(subject, 0):
            summary.predictions += count
            summary.add("joined", name)
        else:
            summary.add("waiting", name)
    connection.execute(OUTCOMES.delete().where(identity.in_(list(known))))
    connection.execute(OUTCOMES.insert(), list(known.values()))
    if replaced:
        connection.execute(REPLACED.insert(), replaced)


def _count_predictions(connection: sa.Connection, rows: Sequence[dict]) -> dict[tuple, int]:
    """Return how many predictions the log has for each outcome."""
    ids = [(row["request_id"], row["row"]) for row in rows if row["request_id"]]
    hashes = [row["key_hash"] for row in rows if row["key_hash"]]
    own, shared = PREDICTIONS.c["request_id", "row"], PREDICTIONS.c.key_hash
    found = connection.execute(sa.select(*own).where(sa.tuple_(*own).in_(ids)))
    by_key = sa.select(shared, sa.func.count()).where(shared.in_(hashes)).group_by(shared)
    counts = {(request_id, row, ""): 1 for request_id, row in found}
    return counts | {("", 0, key): count for key, count in connection.execute(by_key)}


def _subject(row: dict) -> tuple[str, int, str]:
    return row["request_id"], row["row"], row["key_hash"]


def _as_row(outcome: Outcome, place: int, classes: Sequence[str] | None, source: str, column: str) -> dict:
    where = f"{source or 'outcomes'}, row {place}"
    if bool(outcome.request_id) == bool(outcome.key):
        raise DataError(f"{where}: an outcome has either a request_id or key columns. Give one of them.")
    value = _check_value(outcome.value, classes, f"{where}, column {column!r}: {outcome.value!r}")
    observed = outcome.observed_at and to_utc(outcome.observed_at)
    return {
        "request_id": clean_text(outcome.request_id),
        "row": outcome.row if outcome.request_id else 0,
        **key_columns(outcome.key),
        "value": to_json(value),
        "observed_at": observed,
        "source": clean_text(source),
    }


def _check_value(value: object, classes: Sequence[str] | None, what: str) -> object:
    if classes is None:
        return value
    if classes:
        if (name := as_text(value)) not in classes:
            raise DataError(f"{what} is no class of the model; it must be one of {', '.join(classes)}.")
        return name
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{what} is no finite number. Correct it; nothing of these outcomes was stored.")
    return number


def as_text(value: object) -> str:
    """Return a value as text; a whole number has no decimals (Parquet has 17.0 where others are missing)."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def read_outcomes(file: str, url: str | sa.URL, target: str) -> list[Outcome]:
    """Return the outcomes in a table: `request_id` [, `row`] or key columns, and the target's column or `value`.

    Key columns are those of the newest logged prediction that has a key, or if there is none all other columns.
    """
    from ..data.reading.sources import load_source

    frame, _ = load_source(file)
    column = next((name for name in (target, "value") if name in frame), None)
    if column is None:
        raise DataError(f"{file} has no column {target!r} or 'value' with the true value; it has {list(frame)}.")
    others = [name for name in frame if name not in (column, "observed_at", "row")]
    keys = [] if "request_id" in frame else _logged_key(url) or others
    if missing := [name for name in keys if name not in frame]:
        raise DataError(f"{file} has neither a column 'request_id' nor the key column {missing[0]!r}.")
    return list(_outcomes(frame.to_dict("records"), file, column, keys))


def _outcomes(records: list[dict], file: str, column: str, keys: list[str]) -> Iterator[Outcome]:
    for place, record in enumerate(records, 1):
        where = f"{file}, row {place}, column"
        key = {name: as_text(record[name]) for name in keys}
        if empty := [name for name in keys or ["request_id"] if as_text(record[name]) in ("", "nan", "NaT", "None")]:
            raise DataError(f"{where} {empty[0]!r} is empty: the outcome belongs to no prediction.")
        row = as_text(record.get("row", 0)).strip()
        if not row.isdecimal() or len(row) > 9:
            raise DataError(f"{where} 'row': {row!r} is no position in a request (0, 1, 2...).")
        request_id = "" if keys else as_text(record["request_id"])
        observed = _read_time(record.get("observed_at"), where)
        yield Outcome(record[column], request_id, int(row), key, observed)


def _read_time(value: object, where: str) -> datetime | None:
    if value is None or (text := str(value)) in ("", "nan", "NaT", "None"):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise DataError(f"{where} 'observed_at': {text!r} is no time such as 2026-01-31T12:00:00Z.") from None


def _logged_key(url: str | sa.URL) -> list[str]:
    """Return the key columns of the newest prediction that has some."""
    import json

    engine = open_log(url)
    newest = sa.select(PREDICTIONS.c.key).where(PREDICTIONS.c.key_hash != "").order_by(PREDICTIONS.c.asked_at.desc())
    try:
        with engine.connect() as connection:
            there = sa.inspect(connection).has_table("predictions")
            return list(json.loads(connection.execute(newest.limit(1)).scalar() or "{}")) if there else []
    except SQLAlchemyError as error:
        raise StoreError(f"Prediction log {shown(engine.url)}: {reason(error, engine.url)}") from None
    finally:
        engine.dispose()
