"""Patterns of texts that stand for numbers and dates: what the OpenAPI page promises to be accepted.

Each text that fits a pattern is accepted. The service reads more, as training did: `1.234,5`, `31 January 2024`.
"""

import re
from math import ceil, floor

from ...data.schema import Column

__all__ = ["date_pattern", "digits_between", "number_pattern", "time_pattern"]

# All days of a year but 29 February.
MONTH_DAY = "((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
HOUR = "([01][0-9]|2[0-3])"


def number_pattern(column: Column) -> str:
    """Return the pattern of numbers in text: any, or the whole numbers between the limits of the column."""
    if column.min is None and column.max is None:
        fraction = "" if column.type == "integer" else f"([{column.decimal or '.'}][0-9]{{1,9}})?"
        numbers = f"-?[0-9]{{1,12}}{fraction}"
    else:
        low = -999_999_999_999 if column.min is None else ceil(column.min)
        high = 999_999_999_999 if column.max is None else floor(column.max)
        parts = [f"-({digits_between(max(1, -high), -low)})"] if low < 0 else []
        parts += [digits_between(max(0, low), high)] if high >= 0 else []
        numbers = "|".join(parts)
    return f"^({numbers})?$" if column.missing else f"^({numbers})$"


def date_pattern(column: Column) -> str:
    """Return the pattern of dates: whole years between the limits of the column."""
    first = 1900 if column.min is None else int(column.min[:4]) + (column.min[4:10] != "-01-01")
    last = 2099 if column.max is None else int(column.max[:4]) - (column.max[4:10] < "-12-31")
    days = f"({digits_between(first, last)})-{MONTH_DAY}" if first <= last else f"({column.min}|{column.max})"
    return f"^({days})?$" if column.missing else f"^{days}$"


def time_pattern(example: str) -> str | None:
    """Return the pattern of other days and hours written as the example is; None if it is no ISO time."""
    found = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ])[0-9]{2}(:.*)", example)
    return found and f"^({digits_between(1900, 2099)})-{MONTH_DAY}{found[1]}{HOUR}{re.escape(found[2])}$"


def digits_between(low: int, high: int) -> str:
    """Return the pattern of whole numbers from low to high, both of them not negative, without zeros before them."""
    parts = []
    for length in range(len(str(low)), len(str(high)) + 1):
        first, last = max(low, 10 ** (length - 1) * (length > 1)), min(high, 10**length - 1)
        parts.append(_same_length(str(first), str(last)))
    return "|".join(parts)


def _same_length(low: str, high: str) -> str:
    if low == high:
        return low
    rest = len(low) - 1
    if low[0] == high[0]:
        return f"{low[0]}({_same_length(low[1:], high[1:])})"
    first, last, parts = int(low[0]), int(high[0]), []
    if low[1:].strip("0"):
        parts.append(f"{first}({_same_length(low[1:], '9' * rest)})")
        first += 1
    if high[1:].strip("9"):
        parts.append(f"{last}({_same_length('0' * rest, high[1:])})")
        last -= 1
    if first <= last:
        parts.append(f"[{first}-{last}]" + (f"[0-9]{{{rest}}}" if rest > 1 else "[0-9]" * rest))
    return "|".join(parts)
