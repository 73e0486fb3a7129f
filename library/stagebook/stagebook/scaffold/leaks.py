"""Find what looks like a secret in a file, with the detectors of detect-secrets and some forms that they do not know."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.core.scan import scan_file
from detect_secrets.filters.heuristic import is_non_text_file
from detect_secrets.settings import transient_settings

from ..project.addresses import PARAMETER, SECRET_NAME, TOKEN, find_secret
from .leak_lines import read_lines

__all__ = ["detectors", "find_leaks"]

# Detectors that take any long random text for a secret (hashes in dvc.lock, ids of cells), or any address for one.
NOISY = {"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"}
DETECTORS = [{"name": kind.__name__} for kind in get_mapping_from_secret_type_to_class().values()]
SETTINGS = {"plugins_used": [detector for detector in DETECTORS if detector["name"] not in NOISY]}
UNKNOWN_TO_THEM = re.compile(
    r"\b(PII_KEY|account_?key|sas_token)\b['\"\])]*\s*[=:]\s*['\"]?[^\s'\"$({]{16,}", re.IGNORECASE
)
RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w%+/=.~-]{16,}")  # the value of a signature; no word, no placeholder
# Files with the address of the data: what a step would refuse there is a secret, however short.
WITH_ADDRESSES = {"params.yaml", "dvc.yaml", "dvc.lock", ".cruft.json", ".dvc/config", "environments/tracking.toml"}
# Detectors that go by the word before the value, as in `password = ...`. Tests are full of passwords of nobody.
BY_WORD = {"Basic Auth Credentials", "Secret Keyword"}
# A word that says where a password would stand, the name of a variable, a sentence.
NO_PASSWORD = re.compile(
    r"\.{3}|x{3,}|\*+|change.?me|pass|passwd|password|pw|secret|hidden|redacted|string|none|null|true|false|"
    r"(?-i:[A-Z]+(_[A-Z]+)+)|.*\s.*|"
    r"[^\d\s]*(passwor[dt]|passwd|secret|token|dummy|example|your|fake|[_-]key|key[_-])[^\d\s]*",
    re.IGNORECASE,
)
# What stands before the value, if the value only belongs to a password: its column, its name, where it is.
ABOUT_IT = re.compile(
    r"[_-](column|col|name|field|header|label|file|path|url|uri|env|var|type|length|len|ref|id|prompt|placeholder|pattern|"
    r"regex|policy|hint|format|prefix|suffix|count|age|ttl|timeout)s?['\"\]]*\s*(:[^=]*)?[=:]+\s*$",
    re.IGNORECASE,
)
# A line that no detector can match is left out, for each of them would read it: it has no such word, and no long one.
SUSPECT = re.compile(
    r"[^\s,;()]{16}|key|passw|pwd|pass\b|pass_|_pass|secret|token|auth|contrase|BEGIN|://|pragma", re.IGNORECASE
)
EXPRESSION = re.compile(r"[A-Za-z_][\w.]*[(\[]")  # os.environ["X"], a call: not in quotes


@contextmanager
def detectors() -> Iterator[None]:
    """Load the detectors once for all files of a block: that takes longer than most files."""
    with transient_settings(SETTINGS):
        yield


def find_leaks(name: str, content: bytes) -> list[str]:
    """Return, for each line with something like a secret, where it is and what it looks like; never the secret itself.

    Call it within `detectors()`.
    """
    lines = [(where, line) for where, line in read_lines(name, content) if SUSPECT.search(line)]
    if not lines:
        return []
    suffix = {".ipynb": ".py", "": ".ini"}.get(PurePosixPath(name).suffix, PurePosixPath(name).suffix)
    suffix = ".txt" if is_non_text_file(f"file{suffix}") else suffix  # they skip images, SVG too
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"file{suffix}"
        copy.write_text("\n".join(line for _, line in lines), encoding="ascii", errors="backslashreplace")
        found = [leak for leak in scan_file(str(copy)) if not _is_harmless(leak, name, lines[leak.line_number - 1][1])]
    kinds = {leak.line_number: leak.type for leak in found}
    for number, (_, line) in enumerate(lines, start=1):
        if (kind := _find_form(line, strict=name in WITH_ADDRESSES)) and "pragma: allowlist secret" not in line:
            kinds.setdefault(number, kind)
    return list(dict.fromkeys(f"{lines[number - 1][0]} ({kind})" for number, kind in sorted(kinds.items())))


def _find_form(line: str, strict: bool) -> str | None:
    """Return what kind of secret the line has, of those that detect-secrets does not know."""
    if found := UNKNOWN_TO_THEM.search(line):
        return found[1]
    if "=" in line and any(
        SECRET_NAME.search(one[2]) and RANDOM.fullmatch(one[3])
        for one in PARAMETER.finditer(line.replace("&amp;", "&"))
    ):
        return "Signed Address"
    if strict and find_secret(line):
        return "Secret in an Address"
    return "Access Token" if TOKEN.search(line) else None


def _is_harmless(leak: PotentialSecret, name: str, line: str) -> bool:
    if leak.type not in BY_WORD:
        return False
    value = leak.secret_value or ""
    if name.startswith("tests/") or NO_PASSWORD.fullmatch(value):
        return True
    before = line[: line.find(value)]
    return leak.type == "Secret Keyword" and bool(ABOUT_IT.search(before.rstrip("'\"")) or EXPRESSION.match(value))
