"""Which rows and columns of a table go on to the features, by its schema; what is left out is counted and explained."""

import numpy as np
import pandas as pd

from .privacy import drop_expired, mask_columns
from .schema import Table

__all__ = ["drop_columns", "drop_rows"]


def drop_rows(frame: pd.DataFrame, table: Table) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows that can be used, and the number of dropped rows by reason.

    A row without a target teaches nothing; a row without a time cannot be split by it; a row that is there twice, identifier
    and all, could be in training and in the hold-out at once.
    """
    target, time = table.with_role("target")[0], table.with_role("time")
    dropped = {"without target": frame[target].isna()}
    if time:
        dropped["without time"] = frame[time[0]].isna() & ~dropped["without target"]
    keep = ~np.logical_or.reduce(list(dropped.values()))
    counts = {reason: int(rows.sum()) for reason, rows in dropped.items()}
    frame = frame[keep]
    if table.with_role("identifier"):
        twice = frame.duplicated()
        counts["there twice"] = int(twice.sum())
        frame = frame[~twice]
    frame = frame.reset_index(drop=True)
    if time and table.retention_days:
        frame, counts["older than retention_days"] = drop_expired(frame, time[0], table.retention_days)
    return frame, counts


def drop_columns(frame: pd.DataFrame, table: Table) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the frame without the columns that are set aside or personal, and the reason for each of them."""
    aside = [*table.with_role("ignored"), *table.with_role("label_time")]
    gone = {name: table.columns[name].why or "set aside in data/schema.yaml" for name in aside}
    frame = frame.drop(columns=list(gone))
    frame, masked = mask_columns(frame, table.columns)
    return frame, gone | {name: f"personal data, masked: {done['mask']}" for name, done in masked.items()}
