"""Open compressed files, and tell what kind of table a file holds: by its first bytes and its name."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ...project.errors import DataError
from .limits import check_size, write_limited

__all__ = ["find_kind", "unpack_file"]

KINDS = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt", ".data", ".dat"), "csv"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
    **dict.fromkeys((".xlsx", ".xlsm"), "excel"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "json"),
}
NOT_READ = {
    **dict.fromkeys((".xls", ".xlsb", ".ods"), ".xlsx"),
    **dict.fromkeys((".feather", ".orc", ".avro", ".sas7bdat", ".dta", ".sav", ".rds", ".pkl", ".h5"), ".parquet"),
    **dict.fromkeys((".tar", ".tgz", ".7z", ".rar", ".zst"), ".zip"),
}
PACKED = {
    ".gz": (gzip.open, b"\x1f\x8b"),
    ".bz2": (bz2.open, b"BZh"),
    ".xz": (lzma.open, b"\xfd7zXZ"),
    ".zip": (None, b"PK\x03\x04"),
}
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


def find_kind(file: Path) -> str:
    """Return csv, parquet, excel or json for a file that is not compressed."""
    start, suffix = first_bytes(file), file.suffix.lower()
    if start.startswith(b"PAR1"):
        return "parquet"
    if suffix in NOT_READ:
        raise DataError(f"files of the kind {suffix} are not read. Save it as {NOT_READ[suffix]}.")
    if suffix in KINDS:
        return KINDS[suffix]
    if is_workbook(file):
        return "excel"
    return "json" if start.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"[", b"{") else "csv"


def unpack_file(file: Path, folder: Path) -> Path:
    """Return the one file that a compressed file holds, in `folder`; return another file as it is.

    Raises
    ------
    DataError
        The file is broken, not what its name says, has a password, or holds not exactly one file.
    """
    start, suffix = first_bytes(file), file.suffix.lower()
    packing = next((name for name, (_, magic) in PACKED.items() if start.startswith(magic)), "")
    if suffix in PACKED and packing != suffix:
        raise DataError(f"its name says {suffix}, but it is none. Fetch or make it again.")
    if packing == ".zip" and (suffix in KINDS or is_workbook(file)):
        check_workbook(file)
        return file
    if not packing:
        return file
    target = folder / "unpacked" / file.stem
    target.parent.mkdir()
    try:
        return unzip(file, target.parent) if packing == ".zip" else copy_stream(PACKED[packing][0](file), target)
    except BROKEN as error:
        raise DataError(f"it cannot be unpacked ({error}). Fetch or make it again.") from error


def unzip(file: Path, folder: Path) -> Path:
    """Unpack the only file in a zip archive."""
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not is_litter(name)]
        if len(names) != 1:
            listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise DataError(f"a zip archive must hold one file, this one holds {len(names)}: {listed or 'nothing'}.")
        return copy_stream(archive.open(names[0]), folder / PurePosixPath(names[0]).name)


def copy_stream(stream, target: Path) -> Path:
    """Write all of an open stream to `target`."""
    with stream:
        return write_limited(iter(lambda: stream.read(1 << 20), b""), target, "the unpacked file")


def first_bytes(file: Path) -> bytes:
    """Return the first bytes of a file."""
    with file.open("rb") as stream:
        return stream.read(512)


def is_workbook(file: Path) -> bool:
    """Tell an Excel file, which is a zip archive too, from other files."""
    try:
        with zipfile.ZipFile(file) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except BROKEN:
        return False


def check_workbook(file: Path) -> None:
    """Raise DataError if the parts of an Excel file, which is unpacked into memory, are too large."""
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except BROKEN:  # reading it gives the error
        return
    check_size(size, "the unpacked file")


def is_litter(name: str) -> bool:
    """Tell what a desktop adds to archives on its own."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in (".DS_Store", "Thumbs.db", "desktop.ini")
