"""YAML files that people edit, as typed values: read with line numbers in the errors, written so that they read back equal."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML, MappingNode, RoundTripRepresenter, SequenceNode, YAMLError
from ruamel.yaml.comments import CommentedMap

from .errors import DataError
from .files import replace_file
from .yaml_values import Problem, suggest

__all__ = ["as_line", "read_yaml", "write_yaml"]

MOST = 10  # problems that one error names


def _name_keys(keys: tuple, content: object) -> str:
    """Return a key path as people write it: gates.size.at_most. The line and the value tell which entry of a list is meant."""
    names = []
    for key in keys:
        names += [] if isinstance(content, list) else [str(key)]
        content = content.get(key) if isinstance(content, dict) else None
    return ".".join(names) or "the file"


def read_yaml(
    path: str | Path,
    model: type,
    *,
    check: Callable[[Any], Iterable[Problem]] = lambda value: (),
    name_keys: Callable[[tuple, object], str] = _name_keys,
    hint: str = "",
) -> Any:
    """Read a YAML file into a `Section` or another type that pydantic knows.

    Parameters
    ----------
    path : str or Path
    model : type
    check : callable, optional
        From the value to further problems, for example from a comparison with other data. Their `keys` start at the top of the file.
    name_keys : callable, optional
        From a key path, and the content of the file, to the words for it in messages.
    hint : str, optional
        What else to do if the file is missing.

    Raises
    ------
    DataError
        The file is missing, is not YAML, or has a key or a value that cannot be. The message has file, line, key, value
        and fix of each problem.
    """
    text, content = _load(Path(path), hint)
    try:
        value = TypeAdapter(model).validate_python(content)
        problems = list(check(value))
    except ValidationError as error:
        problems = [_translate(one, content) for one in error.errors(include_url=False)]
    if problems:
        raise DataError(_list_problems(Path(path), text, content, problems, name_keys))
    return value


def _load(path: Path, hint: str) -> tuple[str, object]:
    """Return the text of a file and what it holds."""
    try:
        text = path.read_text(encoding="utf-8")
        return text, YAML(typ="safe").load(text)
    except OSError as error:
        name = f"{path.absolute().parent.name}/{path.name}"
        raise DataError(f"{path} is missing. Git has it: `git checkout -- {name}`{hint}.") from error
    except (YAMLError, UnicodeError, RecursionError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise DataError(f"{path} is not YAML: {where}{problem or str(error) or type(error).__name__}") from error


def _list_problems(path: Path, text: str, content: object, problems: list[Problem], name_keys: Callable) -> str:
    """Return one line for one problem; for more, a line each, in the order of the file."""
    said = []
    for problem in problems:
        message, keys = str(problem), problem.keys
        if message.startswith(": `"):
            keys = keys[:-1]  # the message itself names the key
        place = name_keys(keys, content)
        said.append((_find_line(text, problem.keys), f"{place}{'' if message[0] == ':' else ' '}{message}"))
    said = sorted(dict.fromkeys(said))
    if len(said) == 1:
        return f"{path}, line {said[0][0]}: {said[0][1]}"
    lines = [f"\n  line {line}: {sentence}" for line, sentence in said[:MOST]]
    more = f"\n  and {len(said) - MOST} more" if len(said) > MOST else ""
    return f"{path} has {len(said)} problems:{''.join(lines)}{more}"


# Sentences for pydantic's own errors, by its names of them.
SENTENCES = {
    "string_type": "is {input!r}; it must be text. Put it in quotes.",
    "bool_type": "is {input!r}; it must be true or false.",
    "int_type": "is {input!r}; it must be a whole number.",
    "list_type": "is {input!r}; it must be a list.",
    "dict_type": "is {input!r}; write `key: value` lines below it.",
    "dataclass_type": "is {input!r}; write `key: value` lines below it.",
    "model_attributes_type": "is {input!r}; write `key: value` lines below it.",
    "greater_than": "is {input!r}; it must be above {gt:g}.",
    "literal_error": "is {input!r}; it must be one of {choices}.{near}",
    "union_tag_invalid": "is {input!r}; it must be one of {choices}.{near}",
    "union_tag_not_found": "has no `{key}`. Write it.",
}


def _translate(error: dict, content: object) -> Problem:
    """Return one of pydantic's errors as a Problem whose keys start at the top of the file."""
    keys, words = _keys_of_file(error["loc"], content), {"input": error["input"], **error.get("ctx", {})}
    if isinstance(inner := words.get("error"), Exception):
        return Problem(str(inner), *keys, *getattr(inner, "keys", ()))
    if error["loc"] and error["loc"][-1] == "[key]":
        return Problem(": write the name in quotes.", *keys)
    if error["type"].startswith("union_tag"):
        words["key"] = words["discriminator"].strip("'")
        if error["type"] == "union_tag_invalid":
            keys, words["input"] = (*keys, words["key"]), error["input"][words["key"]]
    choices = [
        word for word in re.findall(r"'([^']*)'", words.get("expected") or words.get("expected_tags", "")) if word
    ]
    words |= {"choices": ", ".join(choices), "near": suggest(words["input"], choices)}
    sentence = SENTENCES.get(error["type"], "is {input!r}: " + error["msg"].replace("{", "{{").replace("}", "}}"))
    return Problem(sentence.format(**words), *keys)


def _keys_of_file(loc: tuple, content: object) -> tuple:
    """Return the steps of pydantic's location that are keys or places of the file, without the names of union members."""
    keys = []
    for step in loc:
        inside = isinstance(content, dict) and step in content
        if inside or (isinstance(content, list) and isinstance(step, int) and step < len(content)):
            keys.append(step)
            content = content[step]
    return tuple(keys)


def _find_line(text: str, keys: tuple) -> int:
    """Return the line of a key, counted from 1: of the last part of its path that the file has."""
    node = YAML().compose(text)
    line = node.start_mark.line if node else 0
    for key in keys:
        if isinstance(node, MappingNode):
            found = [pair for pair in node.value if str(pair[0].value).lower() == str(key).lower()]
            mark, node = (found[0][0].start_mark, found[0][1]) if found else (None, None)
        elif isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            mark = node.start_mark
        else:
            mark = None
        if mark is None:
            break
        line = mark.line
    return line + 1


class _Quoting(RoundTripRepresenter):
    """Puts text in double quotes where a plain or single-quoted one would not read back as it was."""


def _represent_text(representer: RoundTripRepresenter, text: str):
    style = None
    if re.search(r"[^\S ]|^\s|\s$", text) or not text.isprintable():
        style = '"'
    elif ":" in text or "?" in text:
        # libyaml, which reads the file, refuses some of these in plain text between braces, which ruamel.yaml writes.
        style = '"' if "'" in text else "'"
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def as_line(content: Mapping) -> CommentedMap:
    """Return a mapping that is written on one line: {type: text, role: target}."""
    line = CommentedMap(content)
    line.fa.set_flow_style()
    return line


def write_yaml(content: Mapping, path: str | Path, header: str = "") -> None:
    """Write a YAML file below the comment `header`. `read_yaml` reads back what is in `content`."""
    yaml = YAML()
    yaml.width, yaml.allow_unicode = 10_000, True
    yaml.Representer = _Quoting
    yaml.representer.add_representer(str, _represent_text)
    with replace_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(header)
        yaml.dump(content, file)
