"""What typed YAML files are made of: sections with known keys, and values such as texts, numbers and names of columns."""

from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from math import isfinite
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, PlainValidator, Strict, WithJsonSchema, model_validator
from pydantic.dataclasses import dataclass

from .errors import DataError

__all__ = ["CONFIG", "Names", "Number", "Problem", "Scalar", "Section", "Text", "TextLine", "give_names"]
__all__ += ["read_number", "refuse_unknown", "suggest"]

CONFIG = ConfigDict(extra="forbid", validate_by_name=True)
FROM_YAML = dict | list | str | int | float | date


class Problem(DataError):
    """A value that a file cannot have. The message follows the key path; `keys` lead from the checked value to it."""

    def __init__(self, message: str, *keys: object) -> None:
        super().__init__(message)
        self.keys = keys


def suggest(word: object, known: Iterable[str]) -> str:
    """Return a question that names the known word nearest to a wrong one; nothing if none is near."""
    near = get_close_matches(str(word), list(known), n=1, cutoff=0.75)
    return f" Did you mean `{near[0]}`?" if near else ""


def refuse_unknown(content: Mapping, known: Iterable[str], renamed: Mapping[str, str] | None = None) -> None:
    """Raise Problem for the first key that is not known, with the key that was probably meant."""
    for key in content:
        if key in (renamed or {}):
            raise Problem(f": `{key}` is now called `{renamed[key]}`. Rename the key.", key)
        if key not in known:
            raise Problem(f": `{key}` is not known; there is {', '.join(sorted(known))}.{suggest(key, known)}", key)


@dataclass(frozen=True, config=CONFIG)
class Section:
    """Base of the typed parts of a file: checks the keys before their values, in words that name the fix.

    A key with nothing after it counts as left out, unless `BLANK` says what it stands for. `RENAMED` has the keys of
    earlier releases, `GIVEN` fields that are no keys of the file. `OPEN` parts may have other keys.
    """

    RENAMED: ClassVar[dict[str, str]] = {}
    BLANK: ClassVar[dict[str, object]] = {}
    GIVEN: ClassVar[frozenset[str]] = frozenset()
    OPEN: ClassVar[bool] = False

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, content: object) -> object:
        if not isinstance(content, FROM_YAML | None):
            return content  # a call of the class, not a file
        content = {} if content is None else content
        if not isinstance(content, dict):
            raise Problem(f"is {content!r}; write `key: value` lines below it.")
        fields = {field.alias or name: field for name, field in cls.__pydantic_fields__.items()}
        if cls.OPEN:
            content = {key: value for key, value in content.items() if key in fields}
        written = {key: value for key, value in content.items() if key not in cls.GIVEN}
        refuse_unknown(written, fields.keys() - cls.GIVEN, cls.RENAMED)
        content = {key: cls.BLANK.get(key) if value is None else value for key, value in content.items()}
        content = {key: value for key, value in content.items() if value is not None}
        for key, field in fields.items():
            if field.is_required() and key not in content:
                raise Problem(f"has no `{key}`. Write it: {field.description}.")
        return content


def give_names(content: object) -> object:
    """Give each entry of a mapping its key as `name`; for fields whose class has the name as an attribute."""
    if not isinstance(content, dict):
        return content
    for key, entry in content.items():
        if not isinstance(key, str):
            raise Problem(": write the name in quotes.", key)
        if isinstance(entry, dict) and "name" in entry:
            raise Problem(": `name` is not known; the name is the key above.", key, "name")
    return {
        key: {**(entry or {}), "name": key} if isinstance(entry, dict | None) else entry
        for key, entry in content.items()
    }


def read_number(value: object, *keys: object) -> float:
    """Return a finite number; `keys` lead to it, for the message."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise Problem(f"is {value!r}; it must be a number.", *keys)
    return value


def _read_names(names: object) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise Problem(f"is {names!r}; it must be a list of column names, such as [origin, carrier].")
    return names


def _read_scalar(value: object) -> object:
    if value is None or not isinstance(value, str | int | float | date):
        raise Problem(f"is {value!r}; it must be a text in quotes or a number.")
    return str(value) if isinstance(value, date) else value


def _join_lines(text: object) -> object:
    text = "" if text is None else text
    return " ".join(text.split()) if isinstance(text, str) else text


Text = Annotated[str, Strict()]
TextLine = Annotated[Text, BeforeValidator(_join_lines)]
Number = Annotated[float, PlainValidator(read_number), WithJsonSchema({"type": "number"})]
Names = Annotated[
    list[str], PlainValidator(_read_names), WithJsonSchema({"type": "array", "items": {"type": "string"}})
]
Scalar = Annotated[Any, PlainValidator(_read_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
