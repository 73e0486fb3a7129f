"""The offline side of the feature store: features defined once, and joined as they were known at the time of each row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd

from ..data.tables import read_table, set_columns
from ..project.errors import DataError

__all__ = [
    "Feature",
    "FeatureView",
    "as_stored",
    "compute_history",
    "join_point_in_time",
    "read_sources",
    "text_keys",
    "values_at",
]

KNOWN_AT, AS_OF = "known_at", "as_of"  # the columns that a view has besides its own
ALWAYS = "always"  # `known_at` of reference data, such as the position of an airport
ALWAYS_KNOWN = pd.Timestamp(0, tz="UTC")  # the same as a time


@dataclass(frozen=True)
class Feature:
    """One feature: its type (`number` or `text`), and what it means, with its unit."""

    type: str
    description: str


@dataclass(frozen=True, eq=False)
class FeatureView:
    """Features of one entity that one function computes.

    Parameters
    ----------
    name, owner, description : str
        The online store has the view in the table `features_<name>`.
    entity : tuple of str
        Key columns. Keys are compared as text: 7, 7.0 and "7" are the same key.
    sources : tuple of str
        The tables that `compute` takes, in this order: `flights` is data/raw/flights.parquet.
    ttl : timedelta or None
        Time to live: an older value counts as missing. None: a value is good until a newer one is known.
    features : dict of str to Feature
        Their names are unlike those of other views, and unlike the columns of the rows they are joined to.
    compute : callable
        Takes the sources, returns a DataFrame with the entity, `known_at` (from when the value may be used; UTC unless it
        has a zone; "always" for reference data) and the features but `age`. A value may be computed only from what was
        known at its `known_at`.
    age : str, optional
        The one of `features` that is the age of the others: hours from `known_at` to the time of the question.
    """

    name: str
    entity: tuple[str, ...]
    sources: tuple[str, ...]
    owner: str
    description: str
    ttl: timedelta | None
    features: Mapping[str, Feature]
    compute: Callable[..., pd.DataFrame]
    age: str | None = None

    def __post_init__(self):
        columns = [*self.entity, KNOWN_AT, AS_OF, *self.features]
        if not self.name.isidentifier():
            raise DataError(f"Feature view {self.name!r}: a name has letters, digits and underscores only.")
        if {feature.type for feature in self.features.values()} - {"number", "text"} or not self.features:
            raise DataError(f"Feature view {self.name}: it needs `features`, each of the type number or text.")
        if len(set(columns)) < len(columns):
            raise DataError(f"Feature view {self.name}: a name occurs twice in {', '.join(columns)}.")
        if self.age and (self.age not in self.features or self.features[self.age].type != "number"):
            raise DataError(f"Feature view {self.name}: its `age`, {self.age!r}, must be one of `features`, a number.")

    @property
    def computed(self) -> dict[str, Feature]:
        """The features that `compute` returns: all but `age`."""
        return {name: feature for name, feature in self.features.items() if name != self.age}


def read_sources(views: Sequence[FeatureView], folder: str | Path) -> dict[str, pd.DataFrame]:
    """Return the tables that the views are computed from; `folder` is data/raw."""
    names = sorted({name for view in views for name in view.sources})
    return {name: read_table(Path(folder) / f"{name}.parquet") for name in names}


def compute_history(view: FeatureView, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return all values of a view in the order of `known_at`; of those of the same key and time, the last that is computed."""
    history = view.compute(*(tables[name] for name in view.sources))
    if missing := [column for column in [*view.entity, KNOWN_AT, *view.computed] if column not in history]:
        raise DataError(f"Feature view {view.name}: `compute` returns no column {', '.join(missing)}.")
    known_at = history[KNOWN_AT].replace(ALWAYS, ALWAYS_KNOWN.isoformat())
    known_at = to_utc(known_at, f"Feature view {view.name}").array
    history = text_keys(history, view).assign(**{KNOWN_AT: known_at}).join(as_stored(history, view))
    history = history.dropna(subset=[*view.entity, KNOWN_AT]).sort_values(KNOWN_AT, kind="stable")
    return history.drop_duplicates([*view.entity, KNOWN_AT], keep="last", ignore_index=True)


def join_point_in_time(
    rows: pd.DataFrame,
    time_column: str,
    views: Sequence[FeatureView],
    tables: Mapping[str, pd.DataFrame],
    histories: dict[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Return `rows` with the features as they were known at the time of each row.

    Parameters
    ----------
    rows : DataFrame of shape (n_rows, n_columns)
        Has the entity columns of all views, and `time_column`: when the prediction is asked; UTC unless it has a zone.
    views : sequence of FeatureView
    tables : dict of str to DataFrame
        The sources of the views, by name.
    histories : dict, optional
        Keeps what `compute_history` returned for each view, for further calls with the same tables.

    Returns
    -------
    DataFrame of shape (n_rows, n_columns + n_features)
        The same rows, order and index. Of each view the newest value whose `known_at` is not after the time of the row (the
        same moment will do) and not more than `ttl` before it; else, or without key or time, missing (NaN or "").

    Raises DataError if a column is missing, is there already, or has values of a wrong type.
    """
    if time_column not in rows:
        raise DataError(f"There is no column {time_column!r} to join features by; there is {', '.join(rows)}.")
    at = to_utc(rows[time_column], f"Column {time_column!r}").array
    histories = {} if histories is None else histories
    for view in views:
        if twice := [name for name in view.features if name in rows]:
            raise DataError(f"Feature view {view.name}: there is a column {', '.join(twice)} already; rename it.")
        wanted = text_keys(rows, view).assign(**{AS_OF: at})
        ordered = wanted.dropna().sort_values(AS_OF, kind="stable")
        if view.name not in histories:
            histories[view.name] = compute_history(view, tables)
        found = pd.merge_asof(ordered, histories[view.name], left_on=AS_OF, right_on=KNOWN_AT, by=list(view.entity))
        values = values_at(view, found.set_index(ordered.index).reindex(wanted.index), wanted[AS_OF])
        rows = set_columns(rows, {name: values[name].array for name in view.features})
    return rows


def values_at(view: FeatureView, found: pd.DataFrame, now: pd.Series | pd.Timestamp) -> pd.DataFrame:
    """Return the features of `found` at the time `now` of each row (UTC), with a new index.

    They are missing (NaN or "") where `known_at` is after `now`, or more than the view's `ttl` before it.
    """
    age = now - found[KNOWN_AT]
    valid = (age >= pd.Timedelta(0)) & (view.ttl is None or age <= pd.Timedelta(view.ttl))
    values = as_stored(found.where(valid), view)
    if view.age:
        values[view.age] = (age.where(valid) / pd.Timedelta(hours=1)).astype("float32").array
    return values[list(view.features)]


def text_keys(frame: pd.DataFrame, view: FeatureView) -> pd.DataFrame:
    """Return the key columns of a view as text, with a new index; what is missing stays missing."""
    if missing := [column for column in view.entity if column not in frame]:
        raise DataError(f"Feature view {view.name}: the key column {', '.join(missing)} is missing.")
    keys = frame[list(view.entity)].reset_index(drop=True)
    try:
        return keys.astype({name: "Int64" for name in keys if pd.api.types.is_float_dtype(keys[name])}).astype("str")
    except (TypeError, ValueError) as error:
        raise DataError(f"Feature view {view.name}: a key must be text or a whole number ({error}).") from error


def as_stored(frame: pd.DataFrame, view: FeatureView) -> pd.DataFrame:
    """Return the computed features of a view, with a new index: numbers as float32, text as str, "" for missing."""
    columns = {}
    for name, feature in view.computed.items():
        column = frame[name].reset_index(drop=True)
        try:
            text = feature.type == "text"
            columns[name] = column.astype("str").where(column.notna(), "") if text else column.astype("float32")
        except (TypeError, ValueError) as error:
            raise DataError(f"Feature view {view.name}: {name} is not a number ({error}).") from error
    return pd.DataFrame(columns)


def to_utc(times: pd.Series, where: str) -> pd.Series:
    """Return times as UTC, to the microsecond; without a zone they are UTC already."""
    try:
        if pd.api.types.is_numeric_dtype(times):
            raise ValueError("numbers are no times")
        return pd.to_datetime(times, utc=True).dt.as_unit("us")
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {error}.") from error
