"""How much a download, an archive, a row or a cell may bring: an endless one ends with an error, not a full disk or memory."""

import sys
import time
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import IO, AnyStr

import pandas as pd

from ...project.errors import DataError, StepError
from ...project.root import find_root
from ...project.settings import DEFAULTS, read_settings

__all__ = ["ROW", "check_cells", "check_size", "most_characters", "read_limits", "take_lines", "write_limited"]

PROGRESS_SECONDS = 5  # between two lines about a long copy
MEGABYTE = 1_000_000
ROW, CELL = "row_megabytes", "cell_megabytes"
FIX = "Raise `{}` in [tool.stagebook.limits] of pyproject.toml if it is right."


def read_limits() -> dict[str, float]:
    """Return [tool.stagebook.limits] of the project around the current folder, else the defaults."""
    try:
        return read_settings(find_root())["limits"]
    except (StepError, FileNotFoundError):
        return dict(DEFAULTS["limits"])


def check_size(size: int | None, what: str, largest: float | None = None) -> None:
    """Raise DataError if `size` bytes (None if not known) are more than `largest` megabytes (None: the project's limit)."""
    largest = read_limits()["megabytes"] if largest is None else largest
    if size and size > largest * MEGABYTE:
        raise DataError(
            f"{what} has {size / MEGABYTE:,.1f} MB or more; the limit is {largest:,g}. {FIX.format('megabytes')}"
        )


def write_limited(pieces: Iterable[bytes], target: Path, what: str, total: int | None = None) -> Path:
    """Write pieces of bytes to `target`, and show how far it is on stderr if that takes long.

    Raises
    ------
    DataError
        It is more than `megabytes`, or takes more than `minutes`; `target` is removed.
    """
    limits, began, written, shown = read_limits(), time.monotonic(), 0, 0.0
    try:
        with target.open("wb") as file:
            for piece in pieces:
                written += len(piece)
                seconds = time.monotonic() - began
                check_size(written, what, limits["megabytes"])
                if seconds > limits["minutes"] * 60:
                    raise DataError(f"{what} took longer than {limits['minutes']:g} minutes. {FIX.format('minutes')}")
                file.write(piece)
                if seconds - shown > PROGRESS_SECONDS:
                    shown = seconds
                    of = f" of {total / MEGABYTE:,.0f}" if total else ""
                    # The return at the end takes it out of a report: bytes must not depend on the speed of a network.
                    print(f"{what}: {written / MEGABYTE:,.0f}{of} MB", end="\r", file=sys.stderr, flush=True)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return target


def most_characters(limit: str) -> int:
    """Return how many characters, or bytes of a binary file, ROW or CELL may have."""
    return int(read_limits()[limit] * MEGABYTE)


def take_lines(stream: IO[AnyStr]) -> Iterator[AnyStr]:
    """Yield the lines of an open file; raise DataError at one that is too long, before all of it is in memory."""
    most = most_characters(ROW)
    for number in count(1):
        line = stream.readline(most + 1)
        if len(line) > most:
            raise DataError(
                f"line {number} has more than {most / MEGABYTE:,g} MB: are line breaks missing? {FIX.format(ROW)}"
            )
        if not line:
            return
        yield line


def check_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table; raise DataError for a text or bytes of more than `cell_megabytes` million characters."""
    most = most_characters(CELL)
    for name, column in frame.items():
        if isinstance(column.dtype, pd.StringDtype):
            longest = column.str.len().max()
        elif column.dtype == object:
            longest = max((len(value) for value in column if isinstance(value, str | bytes)), default=0)
        else:
            continue
        if longest > most:  # not so if all are missing
            raise DataError(
                f"column {name!r} has a value of {longest / MEGABYTE:,.1f} MB; the limit is {most / MEGABYTE:g}. Leave the "
                f"column out of the table. {FIX.format(CELL)}"
            )
    return frame
