"""What a file is by its content and not by its name: a pickle, an archive, a database, a table of text."""

import csv
import pickletools
import re
from io import BytesIO, StringIO
from pathlib import PurePosixPath

__all__ = ["find_kind", "is_pickle", "is_table"]

MAGIC = {
    b"PAR1": "Parquet",
    b"SQLite format 3\0": "an SQLite database",
    b"\x89HDF\r\n": "HDF5",
    b"ARROW1": "Arrow",
    b"ORC": "ORC",
    b"\x93NUMPY": "a NumPy array",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ\0": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"PK\x03\x04": "a zip archive",
    b"Obj\x01": "Avro",
}
OFFICE = {".docx", ".pptx", ".odt", ".odp", ".odg", ".vsdx", ".epub"}  # zip archives that are documents
# Opcodes that words and numbers of a text do not have: an object is made or remembered.
MAKES_OBJECTS = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "REDUCE", "BUILD", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
TEXT_SUFFIXES = {"", ".txt", ".text", ".dat", ".data", ".asc", ".tab", ".psv", ".log", ".out", ".lst", ".prn", ".bak"}
NUMBER = re.compile(r"[-+]?[\d.,:/ TZ-]*\d[\d.,:/ TZ%-]*")
ROWS = 5  # a shorter text with separators is a list


def find_kind(name: str, content: bytes) -> str | None:
    """Return in words which kind of data the file is by its first bytes or its rows; None if it is none."""
    suffix = PurePosixPath(name.lower()).suffix
    if kind := next((kind for magic, kind in MAGIC.items() if content.startswith(magic)), None):
        return None if kind == "a zip archive" and suffix in OFFICE else kind
    if suffix in TEXT_SUFFIXES and is_table(content):
        return "a table of text"
    return None


def is_pickle(content: bytes) -> bool:
    """Tell whether `pickle.load` would read the content as an object, in any of its protocols. Nothing is loaded."""
    if content[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05") and content.endswith(b"."):
        return True
    try:
        names = {opcode.name for opcode, _, _ in pickletools.genops(BytesIO(content))}
        if names & MAKES_OBJECTS:
            pickletools.dis(content, out=StringIO())  # checks the stack, which a list of words gets wrong
    except Exception:  # noqa: BLE001  its readers raise errors of many kinds for what is no pickle
        return False
    return "PROTO" in names or bool(names & MAKES_OBJECTS)


def is_table(content: bytes) -> bool:
    """Tell whether a text is a table: in all of its first lines equally many separators.

    With one separator only, a column must also hold numbers or dates: `name; condition` is a list of requirements.
    """
    if b"\0" in content[:8192]:
        return False
    head = content[:65536].decode("utf-8-sig", errors="replace").splitlines()
    lines = [line for line in (head[:-1] if len(content) > 65536 else head)[:50] if line.strip()]
    if len(lines) < ROWS:
        return False
    for separator in ",;\t|":
        rows = list(csv.reader(lines, delimiter=separator))
        widths = {len(row) for row in rows}
        if len(widths) == 1 and min(widths) > 1:
            columns = list(zip(*rows[1:], strict=True))
            return len(columns) > 2 or any(all(NUMBER.fullmatch(cell.strip()) for cell in one) for one in columns)
    return False
