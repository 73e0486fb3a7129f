"""Numbers and truth values in columns of text. What does not fit is missing in the result, so that it can be counted.

To tell a value that does not fit from one that is not there, take `drop_placeholders` first.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .texts import MISSING, map_unique, matches, replace

__all__ = ["drop_placeholders", "looks_like_code", "parse_booleans", "parse_numbers"]

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


def parse_numbers(text: pd.Series) -> pd.Series:
    """Return numbers (float64), missing where a value is none.

    Thousands may be grouped by `,` `.` `'` or a blank, and a currency, `%` or an exponent may stand with the number:
    `12 %` is 12. Decimal comma or point: what most values of the column fit decides, and the point if both fit as
    many, so `1,234` alone is a thousand. Of several units, only values in the most frequent one, or none, fit.
    """
    return map_unique(text.astype("str"), parse_distinct_numbers)


def parse_distinct_numbers(values: pd.Series) -> pd.Series:
    """Return the numbers in values of which no two are the same."""
    values = values.str.strip().str.replace("\u2212", "-")
    values, units = split_units(replace(values, r"^\(([^-+]*)\)$", r"-\1"))  # -5 as accountants write it
    point, comma = (matches(values, number_shape(*marks)) for marks in ((",", "."), (".", ",")))
    fits, group = (comma, ".") if comma.sum() > point.sum() else (point, ",")
    counts = units[fits & (units != "")].value_counts().sort_index()
    if len(counts) > 1:
        fits &= units.isin(["", counts.idxmax()])
    plain = replace(values.where(fits), rf"[{group}]|{BLANK}|{APOSTROPHE}", "").str.replace(",", ".")
    numbers = pd.Series(pc.cast(pa.array(plain, pa.large_string()), pa.float64()).to_numpy(zero_copy_only=False))
    return numbers.where(np.isfinite(numbers))


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
