"""The feature views of this project. Training and serving (`look_up`) both take them from here."""

from datetime import timedelta

import numpy as np
import pandas as pd
from stagebook.features.store import Feature, FeatureView

__all__ = ["AFTER_MASKING", "BEFORE_MASKING", "VIEWS", "arrival_time", "departure_time"]

LATE = 15  # minutes
TIMETABLE = timedelta(days=1)  # how long before an hour the number of its flights is known; in truth longer
UNKNOWN_ZONE = (
    "Pacific/Honolulu"  # the westernmost: where the zone is unknown, arrivals are used later, never too early
)


def departure_time(flights: pd.DataFrame) -> pd.Series:
    """Return when each flight left (UTC); NaT if it did not."""
    planned = pd.to_datetime(flights["time_hour"], utc=True) + pd.to_timedelta(flights["minute"], unit="min")
    return planned + pd.to_timedelta(flights["dep_delay"], unit="min")


def arrival_time(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.Series:
    """Return when each flight arrived (UTC); NaT if it did not, or elsewhere. `arr_time` is local at the destination."""
    left = departure_time(flights[flights["arr_delay"].notna()])
    clock = pd.to_timedelta(flights["arr_time"] // 100 * 60 + flights["arr_time"] % 100, unit="min")
    zones = flights["dest"].map(airports.set_index("faa")["tzone"]).fillna(UNKNOWN_ZONE)
    arrived = [pd.Series(pd.NaT, flights.index[:0], dtype=left.dtype)]
    for zone, times in left.groupby(zones):
        local = times.dt.tz_convert(zone).dt.tz_localize(None)
        landed = local.dt.normalize() + clock[local.index]
        landed = landed.mask(landed <= local, landed + pd.Timedelta(days=1))
        winter = np.zeros(len(landed), dtype=bool)  # the hour that comes twice in autumn: the second one
        arrived.append(landed.dt.tz_localize(zone, winter, "shift_forward").dt.tz_convert("UTC"))
    return pd.concat(arrived).reindex(flights.index)


def weather_recent(weather: pd.DataFrame) -> pd.DataFrame:
    """Return each observation, known when its hour is over: airports report some minutes before the full hour."""
    return weather.assign(known_at=pd.to_datetime(weather["time_hour"], utc=True) + timedelta(hours=1))


def schedule(flights: pd.DataFrame) -> pd.DataFrame:
    """Return how many flights are planned from an airport in an hour; those cancelled or diverted later count."""
    planned = flights.groupby(["origin", "time_hour"]).size().rename("departures").reset_index()
    return planned.assign(known_at=pd.to_datetime(planned["time_hour"], utc=True) - TIMETABLE)


def plane(planes: pd.DataFrame) -> pd.DataFrame:
    """Return age and size of each plane."""
    return planes.rename(columns={"year": "plane_year"}).assign(known_at="always")


def destination(airports: pd.DataFrame) -> pd.DataFrame:
    """Return where each destination is."""
    names = {"faa": "dest", "lat": "dest_lat", "lon": "dest_lon"}
    return airports.rename(columns=names).assign(known_at="always")


def running_mean(events: pd.DataFrame, key: str, window: str) -> pd.DataFrame:
    """Return at each event the mean over those of the same key in the `window` that it ends."""
    events = events.dropna().sort_values("known_at", kind="stable").set_index("known_at")
    return events.groupby(key).rolling(window).mean()


def carrier_recent(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """Return how late a carrier's flights arrived; of flights in the air nothing is known."""
    late = (flights["arr_delay"] >= LATE).astype("float64")
    landed = flights[["carrier"]].assign(late=late, known_at=arrival_time(flights, airports))
    week = running_mean(landed, "carrier", "7D").rename(columns={"late": "carrier_late_7d"})
    return week.assign(carrier_late_1d=running_mean(landed, "carrier", "1D")["late"].array).reset_index()


def destination_recent(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """Return the delay with which flights from New York reached a destination."""
    landed = flights[["dest", "arr_delay"]].assign(known_at=arrival_time(flights, airports))
    return running_mean(landed, "dest", "6h").rename(columns={"arr_delay": "destination_delay_6h"}).reset_index()


def airport_recent(flights: pd.DataFrame) -> pd.DataFrame:
    """Return how late flights left an airport; those that wait at the gate do not count yet."""
    late = (flights["dep_delay"] >= LATE).astype("float64")
    left = flights[["origin"]].assign(late=late, known_at=departure_time(flights))
    return running_mean(left, "origin", "3h").rename(columns={"late": "airport_late_3h"}).reset_index()


VIEWS = (
    FeatureView(
        name="weather_recent",
        entity=("origin",),
        sources=("weather",),
        owner="data science",
        description="The latest weather observed at an airport, known when its hour is over",
        ttl=timedelta(hours=6),
        features={
            "temp": Feature("number", "temperature, °F"),
            "dewp": Feature("number", "dew point, °F"),
            "humid": Feature("number", "relative humidity, %"),
            "wind_dir": Feature("number", "where the wind comes from, degrees"),
            "wind_speed": Feature("number", "wind, mph"),
            "wind_gust": Feature("number", "gusts, mph"),
            "precip": Feature("number", "rain or snow, inches per hour"),
            "pressure": Feature("number", "at sea level, millibar"),
            "visib": Feature("number", "visibility, miles"),
            "weather_age": Feature("number", "hours since the observation was known"),
        },
        compute=weather_recent,
        age="weather_age",
    ),
    FeatureView(
        name="schedule",
        entity=("origin", "time_hour"),
        sources=("flights",),
        owner="data science",
        description="The timetable of an airport, known a day before",
        ttl=None,
        features={"departures": Feature("number", "flights planned from this airport in this hour")},
        compute=schedule,
    ),
    FeatureView(
        name="destination",
        entity=("dest",),
        sources=("airports",),
        owner="data engineering",
        description="Position of a destination",
        ttl=None,
        features={
            "dest_lat": Feature("number", "latitude of the destination, degrees"),
            "dest_lon": Feature("number", "longitude of the destination, degrees"),
        },
        compute=destination,
    ),
    FeatureView(
        name="plane",
        entity=("tailnum",),
        sources=("planes",),
        owner="data engineering",
        description="Age and size of a plane, from the register",
        ttl=None,
        features={
            "plane_year": Feature("number", "year of manufacture of the plane"),
            "seats": Feature("number", "number of seats"),
            "engine": Feature("text", "kind of engine"),
        },
        compute=plane,
    ),
    FeatureView(
        name="carrier_recent",
        entity=("carrier",),
        sources=("flights", "airports"),
        owner="data science",
        description="Punctuality of a carrier's arrivals, known when a flight arrives",
        ttl=timedelta(days=7),
        features={
            "carrier_late_1d": Feature("number", "share of arrivals 15 minutes late or more, one day"),
            "carrier_late_7d": Feature("number", "share of arrivals 15 minutes late or more, seven days"),
        },
        compute=carrier_recent,
    ),
    FeatureView(
        name="destination_recent",
        entity=("dest",),
        sources=("flights", "airports"),
        owner="data science",
        description="Delay of the flights to a destination, known when a flight arrives",
        ttl=timedelta(hours=6),
        features={"destination_delay_6h": Feature("number", "mean arrival delay, minutes, six hours")},
        compute=destination_recent,
    ),
    FeatureView(
        name="airport_recent",
        entity=("origin",),
        sources=("flights",),
        owner="data science",
        description="Punctuality of the departures from an airport, known when a flight leaves",
        ttl=timedelta(hours=3),
        features={"airport_late_3h": Feature("number", "share of departures 15 minutes late or more, three hours")},
        compute=airport_recent,
    ),
)
# The tail number is personal: 30_clean joins what it leads to and drops it. 40_features joins the other views.
BEFORE_MASKING = tuple(view for view in VIEWS if "tailnum" in view.entity)
AFTER_MASKING = tuple(view for view in VIEWS if "tailnum" not in view.entity)
