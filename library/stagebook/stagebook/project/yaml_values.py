"""Values of a YAML file that people write: each is what it must be, or the error names its key and the fix."""

from math import isfinite

from .errors import DataError

__all__ = ["check_one_of", "read_mapping", "read_names", "read_number", "read_text"]


def read_mapping(where: str, content: object, known: set[str] | None = None) -> dict:
    """Return `content`, an empty one if there is none; refuse what is no mapping or has a key that is not known."""
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise DataError(f"{where} is {content!r}; write `key: value` lines below it.")
    if known is not None and (strange := [key for key in content if key not in known]):
        raise DataError(f"{where}: `{strange[0]}` is not known; there is {', '.join(sorted(known))}.")
    return content


def read_text(where: str, value: object) -> str:
    """Return a text on one line; an empty one if there is none."""
    if value is not None and not isinstance(value, str):
        raise DataError(f"{where} is {value!r}; it must be text. Put it in quotes.")
    return " ".join((value or "").split())


def check_one_of(where: str, value: object, allowed: tuple) -> None:
    """Refuse a word that is not one of `allowed`."""
    if value not in allowed:
        raise DataError(f"{where} is {value!r}; it must be one of {', '.join(filter(None, allowed))}.")


def read_number(where: str, value: object) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise DataError(f"{where} is {value!r}; it must be a number.")
    return value


def read_names(where: str, names: object) -> list[str]:
    """Return a list of names; an empty one if there is none."""
    names = [] if names is None else names
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise DataError(f"{where} is {names!r}; it must be a list of column names, such as [origin, carrier].")
    return names
