"""Dates and times in columns of text, day-first and month-first told apart by the whole column."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .texts import map_unique, matches

__all__ = ["find_day_first", "is_order_unknown", "parse_dates"]

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAME = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+)?"
D12, D2, D4 = "[0-9][0-9]?", "[0-9][0-9]", "[0-9][0-9][0-9][0-9]"  # one or two, two, four digits
CLOCK = (
    rf"(?:(?:t|,?\s+)(?P<hour>{D12}):(?P<minute>{D2})(?::(?P<second>{D2})(?:[.,](?P<fraction>[0-9]+))?)?"
    rf"\s*(?P<half>[ap]\.?m\.?)?\s*(?P<zone>z|utc|gmt|[+-]{D2}:?{D2}|[+-]{D2})?)?"
)
ISO = rf"{D4}-{D2}-{D2}(?:[ Tt]{D2}:{D2}:{D2})?"
DAY, ORDINAL, RECENT = f"(?P<day>{D12})", "(?:st|nd|rd|th)?", f"(?P<year>(?:19|20){D2})"
FIELDS = [
    "year",
    "month",
    "quarter",
    "week",
    "day",
    "a",
    "b",
    "mark",
    "name",
    "hour",
    "minute",
    "second",
    "fraction",
    "half",
    "zone",
]
SHAPES = [  # tried one after the other on the text in lower case
    rf"(?P<year>{D4})[-/.](?P<month>{D12})[-/.]{DAY}{CLOCK}",
    rf"{WEEKDAY}(?P<a>{D12})(?P<mark>[-/.])(?P<b>{D12})[-/.](?P<year>(?:1[5-9]|2[0-9]){D2}){CLOCK}",
    rf"(?P<a>{D12})(?P<mark>/)(?P<b>{D12})/(?P<year>{D2}){CLOCK}",
    rf"(?P<a>{D2})(?P<mark>[-.])(?P<b>{D2})[-.](?P<year>{D2}){CLOCK}",
    rf"{WEEKDAY}{DAY}{ORDINAL}[-/.\s]*(?:of\s+)?{NAME}[-/.,\s]*(?P<year>{D4}|{D2}){CLOCK}",
    rf"{WEEKDAY}{NAME}\s+{DAY}{ORDINAL},?\s+(?P<year>{D4}){CLOCK}",
    rf"(?P<year>{D4})[-/\s]{NAME}[-/\s]{DAY}{CLOCK}",
    rf"{RECENT}(?P<month>0[1-9]|1[0-2])(?P<day>[0-3][0-9])(?:t?(?P<hour>{D2})(?P<minute>{D2})(?P<second>{D2})(?P<zone>z)?)?",
    rf"{RECENT}[-/](?P<month>0[1-9]|1[0-2])",
    rf"(?P<month>0[1-9]|1[0-2])[-/]{RECENT}",
    rf"{NAME}[-/,\s]+{RECENT}",
    rf"{RECENT}[-/\s]?q(?P<quarter>[1-4])",
    rf"q(?P<quarter>[1-4])[-/\s]?{RECENT}",
    rf"{RECENT}-?w(?P<week>0[1-9]|[1-4][0-9]|5[0-3])",
]


def parse_dates(text: pd.Series, day_first: bool | None = None) -> pd.Series:
    """Return dates and times (datetime64, no zone; times with a zone in UTC), missing where a value is none.

    ISO, `31.12.2024`, `12/31/2024`, two-digit years (69 is 1969, 68 is 2068), English names of months, `2024-12` (the
    first of the month), `2024Q3` (of the quarter), `2024-W05` (its Monday), `20241231`; a time after it. Plain numbers are no dates. If every day of a column could be a
    month, it is day-first between points or hyphens and month-first between slashes, unless `day_first` decides.
    """
    return map_unique(text.astype("str"), lambda values: parse_distinct_dates(values, day_first))


def find_day_first(text: pd.Series) -> bool:
    """Return whether `parse_dates` takes 03/04/2024 in this column for 3 April."""
    return is_day_first(find_parts(text.drop_duplicates().astype("str").str.strip().str.lower()))


def is_order_unknown(text: pd.Series) -> bool:
    """Return whether every day of a column with dates such as 03/04/2024 could be its month."""
    parts = find_parts(text.drop_duplicates().astype("str").str.strip().str.lower())
    first, second = (whole(parts, name, 0) for name in "ab")
    return bool((first != second).any() and max(first.max(), second.max()) <= 12)


def parse_distinct_dates(values: pd.Series, day_first: bool | None = None) -> pd.Series:
    """Return the dates in values of which no two are the same."""
    if matches(values, ISO).all():  # as a program writes them: a tenth of the time
        return pd.to_datetime(values, format="ISO8601", errors="coerce").astype("datetime64[us]")
    parts = find_parts(values.str.strip().str.lower())
    month, day = ("b", "a") if (is_day_first(parts) if day_first is None else day_first) else ("a", "b")
    named = parts["name"].str[:3].map({name: str(number) for number, name in enumerate(MONTHS, 1)})
    quarter = parts["quarter"].map({str(number): str(number * 3 - 2) for number in range(1, 5)})
    parts["month"] = parts["month"].fillna(parts[month]).fillna(named).fillna(quarter)
    parts["month"] = parts["month"].mask(parts["week"].notna() & (parts["week"] != ""), "1")
    parts["day"] = parts["day"].fillna(parts[day])
    return pd.Series(join_parts(parts), index=values.index)


def find_parts(values: pd.Series) -> pd.DataFrame:
    """Return year, month, day and so on as text, each from the first shape that its value fits."""
    found, rest = [], values
    for shape in SHAPES:
        fits = matches(rest, shape)
        parts = pc.extract_regex(pa.array(rest[fits], pa.large_string()), f"^(?:{shape})$")
        names = [field.name for field in parts.type]
        fields = {name: pd.Series(field, dtype="str") for name, field in zip(names, parts.flatten(), strict=True)}
        found.append(pd.DataFrame(fields).set_axis(rest.index[fits]))
        rest = rest[~fits]
    return pd.concat(found).reindex(index=values.index, columns=FIELDS).astype("str")


def is_day_first(parts: pd.DataFrame) -> bool:
    """Tell whether `a` is the day and `b` the month: by numbers above 12, else by the marks between them."""
    first, second = (int((whole(parts, name, 0) > 12).sum()) for name in "ab")
    if first != second:
        return first > second
    return int((parts["mark"] == "/").sum()) <= int(parts["mark"].isin(["-", "."]).sum())


def join_parts(parts: pd.DataFrame) -> np.ndarray:
    """Return datetime64 in UTC from the parts of dates, not-a-time where there is no such day or time of day."""
    year, month, day = whole(parts, "year", 0), whole(parts, "month", 0), whole(parts, "day", 1)
    short = (parts["year"].str.len() == 2).to_numpy()
    year = np.where(short, year + np.where(year < 69, 2000, 1900), year)
    hour, minute, second = (whole(parts, name, 0) for name in ("hour", "minute", "second"))
    afternoon, half = parts["half"].str.startswith("p").to_numpy(), parts["half"].str.len().fillna(0).to_numpy() > 0
    right = (month > 0) & (month < 13) & (day > 0) & (minute < 60) & (second < 60)
    right &= np.where(half, (hour > 0) & (hour < 13), hour < 24)
    hour = np.where(half, hour % 12 + 12 * afternoon, hour)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    right &= days.astype("datetime64[M]") == months
    days = np.where(whole(parts, "week", 0) > 0, first_monday(year) + (whole(parts, "week", 1) - 1) * 7, days)
    minutes = hour * 60 + minute - zone_minutes(parts["zone"])
    microseconds = whole(parts.assign(fraction=parts["fraction"].str.pad(6, "right", "0").str[:6]), "fraction", 0)
    times = days.astype("datetime64[us]") + (minutes * 60 + second) * 1_000_000 + microseconds
    return np.where(right, times, np.datetime64("NaT", "us"))


def first_monday(year: np.ndarray) -> np.ndarray:
    """Return the Monday of the first week of each year (ISO 8601): the week that has 4 January."""
    fourth = (year - 1970).astype("datetime64[Y]").astype("datetime64[D]") + 3
    return fourth - (fourth.astype("int64") + 3) % 7


def zone_minutes(zone: pd.Series) -> np.ndarray:
    """Return how many minutes zones such as +02:00 are before UTC; 0 for none."""
    distinct = dict.fromkeys(zone.dropna().unique(), 0)
    for name in distinct:
        if name[:1] in ("+", "-"):
            digits = name[1:].replace(":", "")
            distinct[name] = int(name[0] + "1") * (int(digits[:2]) * 60 + int(digits[2:] or 0))
    return zone.map(distinct).fillna(0).to_numpy(dtype="int64")


def whole(parts: pd.DataFrame, name: str, default: int) -> np.ndarray:
    """Return one part as integers, `default` where there is none."""
    text = parts[name]
    return pc.cast(pa.array(text.mask(text.isna() | (text == ""), str(default))), pa.int64()).to_numpy()
