"""Outages of a source, made in the training data: a model predicts sensibly in one only if it has seen some."""

import pandas as pd

from ..project.errors import DataError

__all__ = ["drop_outages"]


def drop_outages(
    events: pd.DataFrame, time_column: str, until: pd.Timestamp, share: float, seed: int, length: str = "12h"
) -> pd.DataFrame:
    """Return the events without those of a random share of the periods, as if the source had failed then.

    Parameters
    ----------
    events : DataFrame of shape (n_events, n_columns)
        The table that a feature view is computed from.
    time_column : str
        When each event happened; UTC unless it has a zone.
    until : Timestamp
        In UTC. Periods that begin later than a day before stay whole: validation and hold-out must be as they were.
    share : float
        Of the periods, 0 to below 1.
    seed : int
    length : str
        Of a period, as pandas writes it.

    Raises
    ------
    DataError
        `share` is out of range.
    """
    if not 0 <= share < 1:
        raise DataError(f"The share of outages is {share}: it must be from 0 to below 1.")
    periods = pd.to_datetime(events[time_column], utc=True).dt.floor(length)
    starts = periods[periods < until - pd.Timedelta(days=1)].drop_duplicates()
    return events[~periods.isin(starts.sample(frac=share, random_state=seed))]
