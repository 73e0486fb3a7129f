"""Find what looks like a secret in a text or a notebook, with the detectors of detect-secrets."""

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

__all__ = ["find_leaks"]

# Detectors that take any long random text for a secret (hashes in dvc.lock, ids of cells), or any address for one.
NOISY = {"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"}
DETECTORS = [{"name": kind.__name__} for kind in get_mapping_from_secret_type_to_class().values()]
SETTINGS = {"plugins_used": [detector for detector in DETECTORS if detector["name"] not in NOISY]}
UNKNOWN_TO_THEM = re.compile(r"\b(PII_KEY|account_key|sas_token)\b['\"\])]*\s*[=:]\s*['\"]?[^\s'\"$({]{16,}")
# Detectors that go by the word before the value, as in `password = ...`. Tests are full of passwords of nobody.
BY_WORD = {"Basic Auth Credentials", "Secret Keyword"}
# A word that says where a password would stand, the name of a variable, a sentence.
NO_PASSWORD = re.compile(
    r"\.{3}|x{3,}|change.?me|pass|passwd|password|pw|secret|(?-i:[A-Z]+(_[A-Z]+)+)|.*\s.*", re.IGNORECASE
)
LONGEST = 10_000  # characters of a line that are looked at


def find_leaks(name: str, content: bytes) -> list[str]:
    """Return, for each line with something like a secret, where it is and what it looks like; never the secret itself."""
    lines = [(where, line[:LONGEST]) for where, line in read_lines(name, content)]
    suffix = {".ipynb": ".py", "": ".ini"}.get(PurePosixPath(name).suffix, PurePosixPath(name).suffix)
    with tempfile.TemporaryDirectory() as folder, transient_settings(SETTINGS):
        copy = Path(folder) / f"file{suffix}"
        copy.write_text("\n".join(line for _, line in lines), encoding="ascii", errors="backslashreplace")
        kinds = {leak.line_number: leak.type for leak in scan_file(str(copy)) if not _is_harmless(leak, name)}
    for number, (_, line) in enumerate(lines, start=1):
        if (found := UNKNOWN_TO_THEM.search(line)) and "pragma: allowlist secret" not in line:
            kinds[number] = found[1]
    return [f"{lines[number - 1][0]} ({kind})" for number, kind in sorted(kinds.items())]


def _is_harmless(leak: PotentialSecret, name: str) -> bool:
    return leak.type in BY_WORD and (name.startswith("tests/") or bool(NO_PASSWORD.fullmatch(leak.secret_value)))


def read_lines(name: str, content: bytes) -> Iterator[tuple[str, str]]:
    """Yield where each line is, and the line; nothing for a file that is no text."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = content.decode(encoding, errors="replace")
    if "\0" in text:
        return
    if name.endswith(".ipynb"):
        try:
            yield from _notebook_lines(json.loads(text))
            return
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # not a notebook after all
    for number, line in enumerate(text.split("\n"), start=1):
        yield f"line {number}", line.rstrip("\r")


def _notebook_lines(notebook: dict) -> Iterator[tuple[str, str]]:
    """Yield the lines of each cell and of what it printed."""
    for number, cell in enumerate(notebook["cells"], start=1):
        where = f"cell {number} ({cell['id']})" if "id" in cell else f"cell {number}"
        printed = [out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell.get("outputs", [])]
        for text in (cell["source"], *printed):
            for line in "".join(text).split("\n"):
                yield where, line.replace("\r", "")
