"""True values that arrive later: they are checked, stored by id or by key, and joined when the log is read."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from ..data.plain_text import as_text
from ..project.database import reason, shown
from ..project.errors import DataError, StoreError
from .store import META, OUTCOMES, PREDICTIONS, REPLACED, clean_text, key_columns, open_log, to_json, to_utc

__all__ = ["Outcome", "Summary", "record_outcomes"]

BATCH, EXAMPLES, LOCK_SECONDS = 500, 5, 30
MOST_SKIPPED = 20  # lines that a summary names


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
    place: str = ""  # where it comes from, for errors
    received_at: datetime | None = None


@dataclass
class Summary:
    """What became of the outcomes: counts, and the first examples of each sort."""

    source: str
    counts: Counter = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    predictions: int = 0  # that have a true value by these outcomes
    skipped: list[str] = field(default_factory=list)  # of the file

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
            "contradictory": "contradictory: the newest value is used, one by id before one by key; earlier ones are in replaced_outcomes",
        }
        lines = [f"{self.source}: {self.counts['all']:,} outcomes"]
        for sort, words in about.items():
            lines.append(f"{self.counts[sort]:>9,} {words}")
            if sort in ("waiting", "contradictory"):
                lines += [f"            {example}" for example in self.examples.get(sort, [])]
        if self.skipped:
            lines += [f"{len(self.skipped):>9,} left out: none of the table"]
            lines += [f"            {each}" for each in self.skipped[:MOST_SKIPPED]]
            lines += [f"            and {len(self.skipped) - MOST_SKIPPED:,} more"] * (len(self.skipped) > MOST_SKIPPED)
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
    before, replaced = [], []  # what was known of each row's subject; what another value takes the place of
    for row in rows:
        old = known.get(_subject(row))
        before.append(old)
        if old and old["value"] != row["value"]:
            replaced.append(old | {"replaced_at": row["received_at"]})
        if not old or old["value"] != row["value"]:
            known[_subject(row)] = row
    connection.execute(OUTCOMES.delete().where(identity.in_(list(known))))
    connection.execute(OUTCOMES.insert(), list(known.values()))
    if replaced:
        connection.execute(REPLACED.insert(), replaced)
    predictions, disputes = _count_predictions(connection, rows), _find_disputes(connection, rows)
    for row, old in zip(rows, before, strict=True):
        _count(row, old, predictions, disputes, summary)


def _count(row: dict, old: dict | None, predictions: dict[tuple, int], disputes: dict, summary: Summary) -> None:
    """Count one outcome as one of the sorts."""
    subject, name = _subject(row), (row["request_id"] and f"{row['request_id']} row {row['row']}") or row["key"]
    summary.counts["all"] += 1
    if old and old["value"] == row["value"]:
        summary.add("duplicate", name)
        return
    if old:
        summary.add("contradictory", f"{name}: {old['value']}, now {row['value']}")
        return
    count = predictions.get(subject, 0)
    summary.predictions += count
    if subject in disputes:
        summary.add("contradictory", f"{name}: {disputes[subject]}")
    else:
        summary.add("joined" if count else "waiting", name)


def _find_disputes(connection: sa.Connection, rows: Sequence[dict]) -> dict[tuple, str]:
    """Return for outcomes by id or by key where the other one, of the same prediction, has another value."""
    by_id, by_key = OUTCOMES.alias("by_id"), OUTCOMES.alias("by_key")
    own = sa.and_(by_id.c.request_id == PREDICTIONS.c.request_id, by_id.c.row == PREDICTIONS.c.row)
    shared = sa.and_(by_key.c.key_hash == PREDICTIONS.c.key_hash, by_key.c.request_id == "")
    joined = PREDICTIONS.join(by_id, sa.and_(own, by_id.c.key_hash == "")).join(by_key, shared)
    ids = sa.tuple_(*PREDICTIONS.c["request_id", "row"]).in_(
        [(row["request_id"], row["row"]) for row in rows if row["request_id"]]
    )
    keys = PREDICTIONS.c.key_hash.in_([row["key_hash"] for row in rows if row["key_hash"]])
    values = by_id.c.value.label("own"), by_key.c.value.label("shared")
    query = sa.select(*PREDICTIONS.c["request_id", "row", "key_hash", "key"], *values).select_from(joined)
    found: dict[tuple, str] = {}
    for one in connection.execute(
        query.where(PREDICTIONS.c.key_hash != "", by_id.c.value != by_key.c.value, sa.or_(ids, keys))
    ):
        said = f"{one.own} by the id {one.request_id} row {one.row}, {one.shared} by the key {one.key}"
        found.setdefault((one.request_id, one.row, ""), said)
        found.setdefault(("", 0, one.key_hash), said)
    return found


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
    where = outcome.place or f"{source or 'outcomes'}, row {place}"
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
