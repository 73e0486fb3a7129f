"""Find out how the letters of a text file are coded, without reading all of it."""

import codecs
import re
from pathlib import Path

from charset_normalizer import from_bytes

from ...project.errors import DataError
from .limits import take_lines

__all__ = ["SAMPLE", "check_encoding", "find_encoding", "find_old_encoding"]

SAMPLE = 1 << 20  # bytes that are looked at
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
NOT_LATIN = ["cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp874", "cp932", "euc_jp", "gb18030", "big5", "cp949"]
CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1f]")


def check_encoding(encoding: str) -> str:
    """Return `encoding` if Python knows it."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise DataError(
            f"`ingest.encoding` is {encoding!r}, which Python does not know. Say utf-8, cp1252, utf-16, or leave it empty."
        ) from None
    return encoding


def find_encoding(file: Path) -> str:
    """Return the encoding of a file: what its byte-order mark says, or UTF-8 if the first megabyte fits, or a guess.

    Raises
    ------
    DataError
        The file is not text.
    """
    with file.open("rb") as stream:
        start = stream.read(SAMPLE)
    if mark := next((mark for mark in MARKS if start.startswith(mark)), None):
        return MARKS[mark]
    if b"\0" in start:
        return find_wide_encoding(start)
    if len(CONTROL.findall(start)) > len(start) / 100:
        raise DataError("it holds binary data, not text. Is it of another kind than its name says?")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)  # does not mind a letter cut at the end
    except UnicodeDecodeError:
        return find_old_encoding(file)
    return "utf-8"


def find_wide_encoding(start: bytes) -> str:
    """Return UTF-16 as one byte order or the other for text without a mark: every second byte is zero in most of it."""
    even, odd = start[0::2].count(0) / len(start) * 2, start[1::2].count(0) / len(start) * 2
    if max(even, odd) < 0.5 or min(even, odd) > 0.05:
        raise DataError("it holds binary data, not text. Is it of another kind than its name says?")
    return "utf-16-le" if odd > even else "utf-16-be"


def find_old_encoding(file: Path) -> str:
    """Return a guess for a file that is not all UTF-8, from its lines that are not ASCII.

    In Latin scripts a letter outside ASCII stands alone, and cp1252 (Western Europe) is by far the most frequent.
    Where such letters stand together, charset-normalizer tells in which other alphabet they make sense.

    Raises
    ------
    DataError
        Most of these lines are UTF-8: then the others are broken, and a guess would spoil the rest.
    """
    sample, good, bad = b"", 0, []
    with file.open("rb") as stream:
        for number, line in enumerate(take_lines(stream), 1):
            if line.isascii():
                continue
            sample += line if len(sample) < SAMPLE // 4 else b""
            good, bad = (good + 1, bad) if is_utf8(line) else (good, [*bad[:1], number])
            if bad and len(sample) >= SAMPLE // 4:
                break
    if good and good >= len(bad):
        raise DataError(
            f"line {bad[0]} is not in UTF-8, other lines are. Mend that line, or set `ingest.encoding` in params.yaml."
        )
    rare = len(re.findall(rb"[\x80-\xff]", sample)) > 2 * sum(map(len, re.findall(rb"[\x80-\xff]{3,}", sample)))
    if not rare:
        guess = from_bytes(sample, cp_isolation=NOT_LATIN).best()
        if guess is not None:
            return guess.encoding
    return "latin-1" if re.search(rb"[\x81\x8d\x8f\x90\x9d]", sample) else "cp1252"


def is_utf8(line: bytes) -> bool:
    """Tell whether a line can be read as UTF-8."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
