"""When flights arrived: checks of the label `arr_delay`."""

import pandas as pd
from stagebook.project.errors import DataError

__all__ = [
    "DOUBTS",
    "arrival_time",
    "check_doubts",
    "find_doubtful_labels",
    "minutes_after_plan",
]

TOLERANCE = 5  # minutes
EARLIEST = -240  # minutes; an arrival that looks earlier was late, on the next day
DOUBTS = {
    "clock": f"arr_delay is more than {TOLERANCE} minutes off arr_time - sched_arr_time",
    "air_time": "the clocks leave no time to taxi, or more than 5 hours",
}


def _minutes(hhmm: pd.Series) -> pd.Series:
    return hhmm // 100 * 60 + hhmm % 100


def minutes_after_plan(flights: pd.DataFrame) -> pd.Series:
    """Return arr_time - sched_arr_time in minutes, -240 to 1199: both are local to the destination, without a date."""
    apart = _minutes(flights["arr_time"]) - _minutes(flights["sched_arr_time"])
    return (apart - EARLIEST) % 1440 + EARLIEST


def minutes_under_way(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.Series:
    """Return the minutes from dep_time to arr_time, 0 to 1439; missing where the time zone of `dest` is not known.

    The zones' hours from UTC are those at departure: a change of the clocks on the way is not seen.
    """
    departure = pd.to_datetime(flights["time_hour"], utc=True)
    zones = flights["dest"].map(airports.set_index("faa")["tzone"])
    local = pd.Series(pd.NaT, index=flights.index, dtype=departure.dt.tz_localize(None).dtype)
    for zone, times in departure.groupby(zones):
        local[times.index] = times.dt.tz_convert(zone).dt.tz_localize(None)
    ahead = local - departure.dt.tz_convert("America/New_York").dt.tz_localize(None)
    clocks = _minutes(flights["arr_time"]) - _minutes(flights["dep_time"])
    return (clocks - ahead.dt.total_seconds() / 60) % 1440


def arrival_time(flights: pd.DataFrame, airports: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return planned departure and actual arrival in UTC; the latter is missing where it is not known."""
    planned = pd.to_datetime(flights["time_hour"], utc=True) + pd.to_timedelta(flights["minute"], unit="min")
    minutes = flights["dep_delay"] + minutes_under_way(flights, airports)
    return planned, planned + pd.to_timedelta(minutes, unit="min")


def find_doubtful_labels(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """Return for each flight and each of DOUBTS whether it applies (boolean, missing where it cannot be told)."""
    apart = (minutes_after_plan(flights) - flights["arr_delay"] + 720) % 1440 - 720  # a whole day off is no error
    taxi = minutes_under_way(flights, airports) - flights["air_time"]
    doubts = pd.DataFrame({"clock": apart.abs() > TOLERANCE, "air_time": ~taxi.between(1, 300)}, dtype="boolean")
    return doubts.mask(pd.DataFrame({"clock": apart.isna(), "air_time": taxi.isna()}))


def check_doubts(doubts: pd.DataFrame, max_share: float) -> dict[str, dict]:
    """Return per doubt the flights compared, those that are doubtful, and what it means.

    Raises
    ------
    DataError
        More than `max_share` of the flights (0 to 1) are doubtful.
    """
    report = {}
    for name, doubtful in doubts.items():
        compared, wrong = int(doubtful.count()), int(doubtful.sum())
        report[name] = {"means": DOUBTS[name], "compared": compared, "doubtful": wrong}
        if wrong > max_share * compared:
            raise DataError(
                f"data/raw/flights.parquet: {wrong:,} of {compared:,} labels are doubtful: {DOUBTS[name]} (first in row "
                f"{doubtful[doubtful.fillna(False)].index[0]}). `clean.max_doubtful_labels` in params.yaml allows {max_share:.2%}; ask the source."
            )
    return report
