"""The vendored copy of the library: a list of its files with their hashes, as the template gave them.

Standard library only: the template's hook uses it to write the list.
"""

import hashlib
from pathlib import Path

__all__ = ["LIST", "find_edits", "write_list"]

FOLDER = Path("vendor", "stagebook")
LIST = Path("vendor", "stagebook.sha256")
GENERATED = {"__pycache__", "stagebook.egg-info", "build"}


def _hash_files(root: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of the copy, by its path below `root`."""
    files = [path for path in sorted((root / FOLDER).rglob("*")) if path.is_file()]
    kept = [path for path in files if not GENERATED & set(path.relative_to(root / FOLDER).parts)]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def write_list(root: Path) -> None:
    """Write vendor/stagebook.sha256, in the format of `sha256sum`."""
    lines = [f"{digest}  {name}\n" for name, digest in _hash_files(root).items()]
    (root / LIST).write_text("".join(lines), encoding="utf-8")


def find_edits(root: Path) -> list[str]:
    """Return the files of the copy that were changed, added or removed since the template gave them.

    None if there is no copy: the project then has the library from a package index.
    """
    if not (root / LIST).is_file() or not (root / FOLDER).is_dir():
        return []
    lines = (root / LIST).read_text(encoding="utf-8").splitlines()
    given = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    found = _hash_files(root)
    return [name for name in sorted(given.keys() | found.keys()) if given.get(name) != found.get(name)]
