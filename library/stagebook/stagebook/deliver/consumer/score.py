"""Score a file of many rows: JSON lines in, JSON lines out, some thousand rows in memory at a time."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

from .predict import predict

__all__ = ["score"]

ROWS = 5_000  # in memory at a time


def score(source: str, target: str = "-") -> int:
    """Write the answer to each row of a file, in its order; return the exit code.

    Parameters
    ----------
    source, target : str
        Files of JSON lines, an object with the inputs of the model in each; - is standard input or output. The target
        is there when all rows are answered, or as it was before.
    """
    try:
        with _open_source(source) as lines, _open_target(target) as out:
            rows = sum(_write(out, first, chunk, source) for first, chunk in _cut(lines))
    except (OSError, ValueError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    print(f"{source}: {rows:,} rows scored", file=sys.stderr)
    return 0


def _open_source(source: str) -> contextlib.AbstractContextManager[TextIO]:
    return contextlib.nullcontext(sys.stdin) if source == "-" else Path(source).open(encoding="utf-8")


@contextlib.contextmanager
def _open_target(target: str) -> Iterator[TextIO]:
    if target == "-":
        yield sys.stdout
        return
    half = Path(f"{target}.partial")
    try:
        with half.open("w", encoding="utf-8") as out:
            yield out
        half.replace(target)
    finally:
        half.unlink(missing_ok=True)


def _cut(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of a chunk's first line, from 1, and its lines."""
    lines, first = iter(lines), 1
    while chunk := list(islice(lines, ROWS)):
        yield first, chunk
        first += len(chunk)


def _write(out: TextIO, first: int, lines: list[str], source: str) -> int:
    """Write the answers to a chunk; ValueError names source, line and value."""
    rows = [_in_line(json.loads, line, source, number) for number, line in enumerate(lines, first) if line.strip()]
    try:
        answers = predict(rows) if rows else []
    except (ValueError, TypeError):
        numbers = [number for number, line in enumerate(lines, first) if line.strip()]
        answers = [_in_line(_predict_one, row, source, number) for row, number in zip(rows, numbers, strict=True)]
    out.writelines(f"{json.dumps(answer)}\n" for answer in answers)
    return len(rows)


def _in_line(function: Callable, given: object, source: str, number: int) -> object:
    try:
        return function(given)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{source}, line {number}: {str(error).removeprefix('row 0: ')}") from error


def _predict_one(row: object) -> dict:
    return predict([row])[0]
