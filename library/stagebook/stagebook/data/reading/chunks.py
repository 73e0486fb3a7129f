"""Read a table piece by piece, in bounded memory: the readers of `sources`, for new rows that are scored."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from ...project.addresses import mask_addresses
from ...project.errors import DataError
from ..origin import describe_file
from ..parsing.texts import MISSING
from .columns import tidy_columns, tidy_names
from .delimited import Reading, read_head
from .layout import Hints
from .limits import check_cells, take_lines
from .locations import fetch_file, is_database
from .rows import clean_lines, is_odd, take_rows
from .sources import load_source
from .text_encoding import check_encoding, find_encoding
from .unpack import find_kind, unpack_file

__all__ = ["Chunks", "open_chunks"]

LARGE = 32  # megabytes of a text file that is no longer read at once
BLOCK = 8 << 20  # bytes of a text file; a row must fit in
BATCH = 50_000  # rows of a Parquet file


@dataclass(frozen=True)
class Chunks:
    """A source that is open.

    Attributes
    ----------
    origin : str
        The path or address, without secrets.
    sha256 : str
        Of the file, or of the rows that a database gave.
    frames : iterator of DataFrame
        Its rows in their order; all but the last have the number of rows that was asked for.
    """

    origin: str
    sha256: str
    frames: Iterator[pd.DataFrame]


@contextmanager
def open_chunks(
    path: str, rows: int, *, base: str | Path = ".", query: str = "", large: float = LARGE, **how: object
) -> Iterator[Chunks]:
    """Yield a source, to be read in chunks of `rows` rows.

    Parquet, and text files of more than `large` megabytes, are never in memory as a whole. Smaller text files, Excel, JSON
    and databases are read by `load_source`, of which the other parameters and the errors are.
    """
    if not path.strip():
        raise DataError("`path` is empty. Name the file, address or database of the new rows.")
    origin = mask_addresses(path)
    with tempfile.TemporaryDirectory(prefix="rows-") as folder:
        try:
            sha256, frames = _open(path, Path(base), Path(folder), large, query, how)
        except DataError as error:
            raise _named(error, origin) from error.__cause__
        yield Chunks(origin, sha256, _regroup(frames, rows, origin))


def _open(path: str, base: Path, folder: Path, large: float, query: str, how: dict) -> tuple[str, Iterable]:
    """Return the hash of a source, and its rows in frames of any size."""
    if is_database(path):
        frame, _ = load_source(path, query=query, base=base, **how)
        return _digest(frame), [frame]
    file = fetch_file(path, base, folder)
    inner = unpack_file(file, folder)
    kind, sha256 = find_kind(inner), describe_file(file)["sha256"]
    if kind == "parquet":
        return sha256, _read_parquet(inner)
    if kind == "csv" and inner.stat().st_size > large * 1_000_000:
        return sha256, _read_text(inner, Hints(**how))
    return sha256, [load_source(path, base=base, **how)[0]]


def _named(error: DataError, origin: str) -> DataError:
    return error if str(error).startswith(origin) else DataError(f"{origin}: {error}")


def _digest(frame: pd.DataFrame) -> str:
    return hashlib.sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()


def _regroup(frames: Iterable[pd.DataFrame], rows: int, origin: str) -> Iterator[pd.DataFrame]:
    """Yield the rows of frames in frames of `rows` rows; DataError if there are none, naming the source."""
    kept, count = [], 0
    try:
        for frame in frames:
            check_cells(frame)
            start = 0
            while start < len(frame):
                piece = frame.iloc[start : start + rows - count]
                start, count = start + len(piece), count + len(piece)
                kept.append(piece)
                if count == rows:
                    yield pd.concat(kept, ignore_index=True) if len(kept) > 1 else kept[0].reset_index(drop=True)
                    kept, count = [], 0
        if kept:
            yield pd.concat(kept, ignore_index=True)
    except (DataError, UnicodeError) as error:
        error = DataError(f"it cannot be decoded ({error}).") if isinstance(error, UnicodeError) else error
        raise _named(error, origin) from error.__cause__


def _read_parquet(file: Path) -> Iterator[pd.DataFrame]:
    wide = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}  # else a missing value makes them floats
    try:
        with parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20) as table:
            if not table.metadata.num_rows:
                raise DataError("it has columns, but no rows.")
            for batch in table.iter_batches(BATCH):
                frame = pa.Table.from_batches([batch]).to_pandas(types_mapper=wide.get, date_as_object=False)
                if any(name is not None for name in frame.index.names):
                    frame = frame.reset_index(allow_duplicates=True)
                yield tidy_columns(frame)
    except (OSError, pa.ArrowException, NotImplementedError) as error:
        raise DataError(f"it cannot be read as Parquet ({error}). Fetch or make it again.") from error


def _read_text(file: Path, hints: Hints) -> Iterator[pd.DataFrame]:
    """Yield a text file block by block with Arrow; row by row from where Arrow cannot read it."""
    encoding = check_encoding(hints.encoding) if hints.encoding else find_encoding(file)
    head, reading, _ = read_head(file, hints, encoding)
    names, done = tidy_names(reading.layout.names), 0
    if not is_odd(hints, reading.style, head):
        try:
            for frame in _stream(file, encoding, reading, names):
                yield frame
                done += len(frame)
            return
        except pa.ArrowInvalid as error:
            if "UTF8" in str(error):
                raise DataError("a letter in it is none of UTF-8. Set `encoding`, such as cp1252.") from error
    yield from _read_slowly(file, hints, encoding, reading, names, done)


def _stream(file: Path, encoding: str, reading: Reading, names: list[str]) -> Iterator[pd.DataFrame]:
    style, first = reading.style, reading.layout.start(reading.numbers)
    parse = arrow_csv.ParseOptions(
        delimiter=style.separator,
        quote_char=style.quote,
        escape_char=style.escape or False,
        double_quote=style.escape is None,
        newlines_in_values=True,
    )
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.large_string()), null_values=MISSING, strings_can_be_null=True
    )
    read = arrow_csv.ReadOptions(
        skip_rows=first - 1, column_names=names, encoding=encoding, block_size=BLOCK, use_threads=False
    )
    with arrow_csv.open_csv(file, read, parse, convert) as stream:
        for batch in stream:
            yield batch.to_pandas()


def _read_slowly(
    file: Path, hints: Hints, encoding: str, reading: Reading, names: list[str], done: int
) -> Iterator[pd.DataFrame]:
    """Yield the rows after the first `done`, by Python's own reader, which says which line is wrong."""
    first = reading.layout.start(reading.numbers)
    with file.open(encoding=encoding, newline="") as stream:
        reader = reading.style.rows(clean_lines(take_lines(stream), hints, reading.style))
        rows = islice(take_rows(reader, len(names), first, reading.style.separator, []), done, None)
        while piece := list(islice(rows, BATCH)):
            frame = pd.DataFrame(piece, columns=names, dtype="str")
            yield frame.mask(frame.isin(MISSING))
