"""Numbers and truth values in columns of text. What does not fit is missing in the result, so that it can be counted.

To tell a value that does not fit from one that is not there, take `drop_placeholders` first.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .texts import MISSING, map_unique, matches, replace

__all__ = [
    "MULTIPLIERS",
    "PLACEHOLDERS",
    "drop_placeholders",
    "find_decimal",
    "find_mark",
    "find_suffixes",
    "find_units",
    "looks_like_code",
    "parse_booleans",
    "parse_numbers",
]

# Missing where a number, a date or a truth value is wanted. In a column of text, all but MISSING may mean something.
PLACEHOLDERS = {
    *map(str.lower, MISSING),
    "none",
    "nil",
    "-",
    "--",
    "\u2013",
    "\u2014",
    ".",
    "..",
    "?",
    "unknown",
    "missing",
}
PLACEHOLDERS |= {"#div/0!", "#name?", "#null!", "#num!", "#ref!", "#value!"}
# Pairs that belong together: all values of a column must be of one, for t, f, n alone may be codes of something else.
TRUTH = [
    ({"true", "t"}, {"false", "f"}),
    ({"yes", "y"}, {"no", "n"}),
    ({"1"}, {"0"}),
    ({"on"}, {"off"}),
    ({"ja", "j"}, {"nein", "nee", "n"}),
    ({"oui", "o"}, {"non", "n"}),
    ({"sí", "sì", "si", "sim", "s"}, {"no", "não", "nao", "n"}),
    ({"wahr"}, {"falsch"}),
    ({"vrai"}, {"faux"}),
]
UNIT = r"[€$£¥₹₽₩₺₫฿₴]|EUR|USD|GBP|CHF|JPY|%"
BLANK, APOSTROPHE = "[ \u00a0\u202f\u2009]", "['\u2019]"
MULTIPLIERS = {"k": 1e3, "K": 1e3, "M": 1e6, "Mio": 1e6, "mn": 1e6, "B": 1e9, "bn": 1e9, "Mrd": 1e9}
UNITS = {
    "g",
    "kg",
    "mg",
    "t",
    "lb",
    "oz",
    "m",
    "km",
    "cm",
    "mm",
    "mi",
    "ft",
    "in",
    "l",
    "ml",
    "h",
    "hr",
    "min",
    "s",
    "sec",
}
UNITS |= {"ms", "day", "week", "month", "year", "kW", "kWh", "W", "V"}
PLAIN = r"-?[0-9]+(?:\.[0-9]+)?"  # as a program writes numbers: no need to look for anything else
SYMBOLS = "\u00b0\u00b5\u03bc\u00b2\u00b3"  # degree, micro, square, cube
WITH_SUFFIX = f"^([+-]?[€$£¥₹₽₩₺₫฿₴]?[0-9.,'\u2019]+){BLANK}*([A-Za-z{SYMBOLS}][A-Za-z/{SYMBOLS}]{{0,11}})\\.?$"
WITH_UNIT = rf"^([+-]?){BLANK}*({UNIT})?{BLANK}*(-?)(.*?){BLANK}*({UNIT})?$"


def drop_placeholders(text: pd.Series) -> pd.Series:
    """Return `text` stripped of blanks, with missing where there is nothing or what stands for nothing, such as `-`."""

    def strip(values: pd.Series) -> pd.Series:
        values = values.str.strip()
        return values.mask(values.str.lower().isin(PLACEHOLDERS))

    return map_unique(text.astype("str"), strip)


def looks_like_code(text: pd.Series) -> bool:
    """Tell whether there are digits that are no amount: 00123 with zeros before, or more than a float64 can hold."""
    return bool(matches(text.astype("str"), r"\s*(?:0[0-9]+|[0-9]{16,})\s*").any())


def parse_booleans(text: pd.Series) -> pd.Series:
    """Return truth values (pandas' `boolean`), missing where a value is not of the pair that fits most values."""

    def find_pair(values: pd.Series) -> pd.Series:
        values = values.str.strip().str.lower()
        true, false = max(TRUTH, key=lambda pair: int(values.isin(pair[0] | pair[1]).sum()))
        return values.isin(true).astype("boolean").mask(~values.isin(true | false))

    return map_unique(text.astype("str"), find_pair)


def parse_numbers(text: pd.Series, decimal: str = "", suffixes: Sequence[str] = ()) -> pd.Series:
    """Return numbers (float64), missing where a value is none.

    Thousands may be grouped by `,` `.` `'` or a blank, a currency, `%` or an exponent may stand with the number, and a
    minus behind it: `12 %` is 12, `5-` is -5. Of several currencies, only values in the most frequent one, or none, fit.

    Parameters
    ----------
    text : Series of str
    decimal : str
        Decimal mark, `.` or `,`. Empty: what most values of the column fit decides, and the point if both fit as many,
        so `1,234` alone is a thousand.
    suffixes : sequence of str
        What may stand behind numbers, as `find_suffixes` tells: `kg`, which changes nothing, or `k` for thousands.
    """
    return map_unique(text.astype("str"), lambda values: parse_distinct_numbers(values, decimal, suffixes))


def parse_distinct_numbers(values: pd.Series, decimal: str = "", suffixes: Sequence[str] = ()) -> pd.Series:
    """Return the numbers in values of which no two are the same."""
    if decimal != "," and matches(values, PLAIN).all():
        return pd.Series(pc.cast(pa.array(values, pa.large_string()), pa.float64()).to_numpy())
    values, factors = split_suffixes(tidy_signs(values), suffixes)
    values, units = split_units(values)
    decimal = decimal or choose_mark(values)
    group = "." if decimal == "," else ","
    fit = matches(values, number_shape(group, decimal))
    counts = units[fit & (units != "")].value_counts().sort_index()
    if len(counts) > 1:
        fit &= units.isin(["", counts.idxmax()])
    plain = replace(values.where(fit), rf"[{group}]|{BLANK}|{APOSTROPHE}", "").str.replace(",", ".")
    numbers = pd.Series(pc.cast(pa.array(plain, pa.large_string()), pa.float64()).to_numpy(zero_copy_only=False))
    return numbers.where(np.isfinite(numbers)) * factors


def choose_mark(values: pd.Series) -> str:
    """Return the decimal mark that more values fit, the point if both fit as many."""
    comma, point = (matches(values, number_shape(*marks)).sum() for marks in ((".", ","), (",", ".")))
    return "," if comma > point else "."


def find_decimal(text: pd.Series, suffixes: Sequence[str] = ()) -> str:
    """Return the decimal mark by which `parse_numbers` reads a column: `.` or `,`."""
    values = text.drop_duplicates().astype("str")
    return choose_mark(split_units(split_suffixes(tidy_signs(values), suffixes)[0])[0])


def tidy_signs(values: pd.Series) -> pd.Series:
    """Return values with an ASCII minus before the number: accountants write (5), SAP writes 5-."""
    values = values.str.strip().str.replace("\u2212", "-")
    return replace(replace(values, r"^\(([^-+]*)\)$", r"-\1"), r"^([^-+]*[0-9])-$", r"-\1")


def split_suffixes(values: pd.Series, suffixes: Sequence[str]) -> tuple[pd.Series, float | np.ndarray]:
    """Return values without these suffixes, and what each is to be multiplied by."""
    if not suffixes:
        return values, 1.0
    found = replace(values.where(matches(values, WITH_SUFFIX[1:-1])), WITH_SUFFIX, r"\2").fillna("")
    found = found.map(lambda word: singular(word) if singular(word) in suffixes else "")
    values = values.mask(found != "", replace(values, WITH_SUFFIX, r"\1"))
    return values, found.map(MULTIPLIERS).fillna(1.0).to_numpy(dtype="float64")


def find_suffixes(text: pd.Series) -> list[str]:
    """Return what stands behind the numbers of a column: one unit (`kg`) in half of them, or thousands and millions.

    Empty if there is nothing, or something else, such as two units.
    """
    values = tidy_signs(text.astype("str").dropna())
    some = matches(values, WITH_SUFFIX[1:-1])
    if not some.any() or matches(values[some], "0[0-9].*").any():  # 0123A is a code
        return []
    words = replace(values[some], WITH_SUFFIX, r"\2").map(singular)
    counts = words[words.map(words.value_counts()) > 0.01 * len(values)].unique().tolist()
    multiply = set(counts) <= MULTIPLIERS.keys()
    if (len(counts) == 1 and some.mean() >= 0.5) or (counts and multiply and some.mean() >= 0.1):
        return sorted(counts)
    return []


def find_units(text: pd.Series) -> list[str]:
    """Return the units behind the numbers of a column that has several, so that it is none of numbers; else nothing."""
    values = tidy_signs(text.drop_duplicates().astype("str"))
    some = matches(values, WITH_SUFFIX[1:-1])
    words = replace(values[some], WITH_SUFFIX, r"\2").map(singular).unique() if some.any() else []
    return sorted(words) if len(words) > 1 and some.mean() >= 0.95 and set(words) <= UNITS else []


def singular(word: str) -> str:
    """Return `day` for `days`; units have no plural."""
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def find_mark(text: pd.Series) -> str:
    """Return the decimal mark that a column of numbers has: `.` or `,`, `?` if it can be either, "" if it has none.

    `26.986` can be either if all values that have a mark have it before three digits.
    """
    values = split_units(tidy_signs(text.astype("str").dropna()))[0]
    point, comma = (int(matches(values, number_shape(*marks)).sum()) for marks in ((",", "."), (".", ",")))
    if point != comma:
        return "." if point > comma else ","
    both = matches(values, r"[+-]?[1-9][0-9]?[0-9]?[.,][0-9][0-9][0-9]")
    return "?" if both.any() else ""


def split_units(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return values without their currency or %, and these."""
    units = pd.Series("", index=values.index, dtype="str")
    some = matches(values, rf"[+-]?{BLANK}*(?:{UNIT}).*|.*(?:{UNIT})")
    if some.any():
        units = units.mask(some, replace(values.where(some), WITH_UNIT, r"\2\5"))
        values = values.mask(some, replace(values.where(some), WITH_UNIT, r"\1\3\4"))
    return values, units


def number_shape(group: str, decimal: str) -> str:
    """Return the pattern of a number with these marks: all groups of thousands have three digits and the same mark."""
    groups = "|".join(f"(?:{mark}[0-9][0-9][0-9])+" for mark in (f"[{group}]", APOSTROPHE, BLANK))
    whole = f"(?:[0-9]+|[1-9][0-9]?[0-9]?(?:{groups}))(?:[{decimal}][0-9]*)?"
    return f"[+-]?(?:{whole}|[{decimal}][0-9]+)(?:[eE][+-]?[0-9]+)?"
