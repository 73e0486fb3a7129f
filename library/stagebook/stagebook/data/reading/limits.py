"""How much a download or an archive may bring: an endless address or a zip bomb ends with an error, not a full disk."""

import sys
import time
from collections.abc import Iterable
from pathlib import Path

from ...project.errors import DataError, StepError
from ...project.root import find_root
from ...project.settings import DEFAULTS, read_settings

__all__ = ["check_size", "read_limits", "write_limited"]

PROGRESS_SECONDS = 5  # between two lines about a long copy
MEGABYTE = 1_000_000
FIX = "Raise `{}` in [tool.stagebook.limits] of pyproject.toml if it is right."


def read_limits() -> dict[str, float]:
    """Return `megabytes`, `minutes` and `silent_seconds` of the project around the current folder, else the defaults."""
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
