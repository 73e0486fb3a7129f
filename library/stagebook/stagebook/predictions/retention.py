"""Old predictions are deleted in small batches, with their true values."""

from datetime import datetime

import sqlalchemy as sa

from .store import OUTCOMES, PREDICTIONS, REPLACED, to_utc

__all__ = ["delete_old"]

BATCH = 1_000


def delete_old(engine: sa.Engine, before: datetime) -> bool:
    """Delete a batch of predictions asked before that time, with true values; is there more?

    True values without prediction, and those that were replaced, are deleted if they came before that time.
    """
    before = to_utc(before)
    old = sa.select(PREDICTIONS.c["request_id", "row"]).where(PREDICTIONS.c.asked_at < before).limit(BATCH)
    with engine.execution_options(writes=True).begin() as connection:
        found = [tuple(row) for row in connection.execute(old)]
        identity = sa.tuple_(PREDICTIONS.c.request_id, PREDICTIONS.c.row)
        hashes = connection.execute(sa.select(PREDICTIONS.c.key_hash).distinct().where(identity.in_(found))).scalars()
        keys = [key for key in hashes if key]
        connection.execute(PREDICTIONS.delete().where(identity.in_(found)))
        for table in (OUTCOMES, REPLACED):
            same_key = sa.exists().where(PREDICTIONS.c.key_hash == table.c.key_hash)
            same_id = sa.exists().where(
                PREDICTIONS.c.request_id == table.c.request_id, PREDICTIONS.c.row == table.c.row
            )
            by_id = sa.tuple_(table.c.request_id, table.c.row).in_(found)
            connection.execute(table.delete().where(by_id, table.c.key_hash == ""))
            connection.execute(table.delete().where(table.c.key_hash.in_(keys), ~same_key))
            orphan = sa.case((table.c.key_hash == "", ~same_id), else_=~same_key)
            unused = sa.true() if table is REPLACED else orphan
            connection.execute(table.delete().where(table.c.received_at < before, unused))
    return len(found) == BATCH
