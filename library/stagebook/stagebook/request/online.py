"""The features of a request from the online store: the join of training, for one moment and by key."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from ..data.tables import set_columns
from ..features.few import FEW, look_up_few
from ..features.online import look_up, materialise
from ..features.store import FeatureView, read_sources
from .contract import Contract
from .prepare import Join, Prepare
from .rows import to_table

__all__ = ["fill_store", "join_online"]


def join_online(engine: sa.Engine) -> Join:
    """Return a join that looks up, for each row, what is known at its time, or now if that is earlier."""

    def join(rows: pd.DataFrame, time_column: str, views: Sequence[FeatureView]) -> pd.DataFrame:
        now = pd.Timestamp.now("UTC")
        at = pd.to_datetime(rows[time_column], utc=True).clip(upper=now)
        if len(rows) <= FEW:
            found = look_up_few(views, rows, engine, at.dt.tz_localize(None).tolist())
            features = {name: feature for view in views for name, feature in view.features.items()}
            kinds = {name: "float32" if feature.type == "number" else "str" for name, feature in features.items()}
            return set_columns(rows, {name: pd.array(found[name], dtype=kind) for name, kind in kinds.items()})
        for view in views:
            found = look_up(view, rows, engine, at)
            rows = set_columns(rows, {name: found[name].array for name in view.features})
        return rows

    return join


def find_time(contract: Contract, prepare: Prepare) -> pd.Timestamp | None:
    """Return when the example of the contract is asked, as `prepare` says to the join; None if it joins nothing."""
    asked = []

    class Found(Exception):
        pass

    def join(rows: pd.DataFrame, time_column: str, views: Sequence[FeatureView]) -> pd.DataFrame:
        asked.append(pd.to_datetime(rows[time_column], utc=True).max())
        raise Found

    with suppress(Found):
        prepare(to_table([contract.example], contract), contract, join)
    return asked[0] if asked else None


def fill_store(
    root: Path, engine: sa.Engine, views: Sequence[FeatureView], contract: Contract, prepare: Prepare
) -> str | None:
    """Fill an empty online store with what was known when the contract's example is asked; return the time in words.

    A store that has any of the views is left alone, and None returned.
    """
    tables = sa.inspect(engine).get_table_names()
    if not views or any(f"features_{view.name}" in tables for view in views):
        return None
    if (asked := find_time(contract, prepare)) is None:
        return None
    sources = read_sources(views, root / "data" / "raw")
    for view in views:
        materialise(view, sources, engine, asked)
    return f"{asked:%Y-%m-%d %H:%M} UTC"
