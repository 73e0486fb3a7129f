"""Files that are no Python: dvc.yaml, pyproject.toml, docs/requirements.yaml, and calls of the former command lines."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

from .renames import Renames

__all__ = ["CANDIDATES", "LIBRARY", "carry_arrays", "find_commands", "rename_in_texts"]

CANDIDATES = "models.candidates"  # the one module that was machinery and is the user's as well
LIBRARY = Path("vendor", "stagebook", "stagebook")
ARRAYS = ("dependencies", "dev", "docs")
SUFFIXES = {".md", ".yaml", ".yml", ".toml", ".mk", ".sh", ".cfg", ".json", ""}


def rename_in_texts(base: Path, ours: Path, theirs: Path, renames: Renames) -> None:
    """Bring dvc.yaml, pyproject.toml and docs/requirements.yaml of both trees to the names of today."""
    for file, change in _files(theirs, renames).items():
        for tree in (base, ours):
            if (tree / file).is_file():
                text = (tree / file).read_text(encoding="utf-8")
                (tree / file).write_text(change(text), encoding="utf-8")
    _take_comments(base, ours, theirs)


def _take_comments(base: Path, ours: Path, theirs: Path) -> None:
    """Take the newer template's comments behind unchanged values: git would see a conflict with the user's next line."""
    file = Path("docs", "requirements.yaml")
    if not all((tree / file).is_file() for tree in (base, ours, theirs)):
        return
    texts = {tree: (tree / file).read_text(encoding="utf-8").splitlines() for tree in (base, ours, theirs)}
    newer = {_content(line): line for line in texts[theirs]}
    once = {line for line in texts[base] if _content(line) and texts[base].count(line) == 1}
    for tree in (base, ours):
        lines = [newer.get(_content(line), line) if line in once else line for line in texts[tree]]
        (tree / file).write_text("\n".join([*lines, ""]), encoding="utf-8")


def _content(line: str) -> str:
    return re.sub(r"(^|\s+)#.*$", "", line).rstrip()


def _files(theirs: Path, renames: Renames) -> dict[str, Callable[[str], str]]:
    """Return how the text of each file that is no Python is brought to the names of today."""

    def rename_keys(text: str) -> str:
        newer = (theirs / "docs" / "requirements.yaml").read_text(encoding="utf-8")
        for old, new in renames.keys["docs/requirements.yaml"].items():
            if not _key(old).search(newer):
                text = _key(old).sub(rf"\g<1>{new}", text)
        return text

    def rename_tables(text: str) -> str:
        for old, new in renames.keys["pyproject.toml"].items():
            text = text.replace(f"[{old}]", f"[{new}]")
        return text

    def rename_modules(text: str) -> str:
        return _rewrite_stages(text, renames)

    return {"docs/requirements.yaml": rename_keys, "pyproject.toml": rename_tables, "dvc.yaml": rename_modules}


def _key(name: str) -> re.Pattern:
    return re.compile(rf"(^ *|[{{,] *){name}(?=: )", re.MULTILINE)


def _rewrite_stages(text: str, renames: Renames) -> str:
    """Return dvc.yaml with the runner's new command, and rooms of the library in place of its files."""
    text = text.replace(f"python -m {renames.package}.pipeline run ", "stagebook run ")
    lines, rooms = [], set()
    for line in text.splitlines(keepends=True):
        found = re.match(rf"( +- )code/{renames.package}/(\S+)\.py\s", line)
        old = found and found[2].replace("/", ".")
        if not found or old not in renames.modules or old == CANDIDATES:
            lines.append(line)
            rooms = rooms if re.match(r" +- ", line) else set()
            continue
        room = renames.modules[old].split(".")[0]
        if room not in rooms:
            lines.append(f"{found[1]}{(LIBRARY / room).as_posix()}\n")
        rooms.add(room)
    return "".join(lines)


def carry_arrays(base: Path, ours: Path, theirs: Path) -> None:
    """Let the requirements in pyproject.toml differ from the newer template's only by what the user added."""
    texts = {tree: (tree / "pyproject.toml").read_text(encoding="utf-8") for tree in (base, ours, theirs)}
    for key in ARRAYS:
        pattern = re.compile(rf"^{key} = (\[.*?\])( *(?:#[^\n]*)?)$", re.MULTILINE | re.DOTALL)
        found = {tree: pattern.search(text) for tree, text in texts.items()}
        if not all(found.values()):
            continue
        old, mine = ([*tomllib.loads(found[tree][0])[key]] for tree in (base, ours))
        array, comment = found[theirs].groups()
        added = [f'"{item}"' for item in mine if item not in old]
        own = "".join(f"    {item},\n" if array.endswith("\n]") else f", {item}" for item in added)
        texts[base] = texts[base].replace(found[base][0], found[theirs][0])
        texts[ours] = texts[ours].replace(found[ours][0], f"{key} = {array[:-1]}{own}]{comment}")
    for tree in (base, ours):
        (tree / "pyproject.toml").write_text(texts[tree], encoding="utf-8")


def find_commands(base: Path, ours: Path, renames: Renames) -> list[str]:
    """Return where the user's own texts call the former command lines."""
    called = re.compile(rf"-m {renames.package}\.(pipeline|models|features|automation)\b")
    notes = []
    for path in sorted(ours.rglob("*")):
        file = path.relative_to(ours)
        if path.suffix not in SUFFIXES or not path.is_file() or file.parts[0] in (".git", "vendor", "environments"):
            continue
        known = (base / file).read_text(encoding="utf-8", errors="replace") if (base / file).is_file() else ""
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if called.search(line) and line not in known:
                notes.append(f"{file.as_posix()}:{number}: `{called.search(line)[0]}` is `stagebook` now (`--help`)")
    return notes
