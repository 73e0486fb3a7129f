"""Make the function reference of the library, with its pages around it: build/api/index.html."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
LIBRARY = REPO / "library" / "stagebook"
WORK = REPO / "build" / "api"


def main() -> int:
    """Write what Sphinx reads, run Sphinx; return its exit code. Each warning is an error."""
    source = WORK / "source"
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(LIBRARY / "docs", source / "docs")
    readme = (LIBRARY / "README.md").read_text(encoding="utf-8")
    rooms = list_rooms()
    (source / "index.md").write_text(readme + write_contents(rooms), encoding="utf-8")
    (source / "reference").mkdir()
    for room in rooms:
        (source / "reference" / f"{room}.rst").write_text(write_room(room), encoding="utf-8")
    options = ["-b", "html", "-q", "-E", "-W", "--keep-going", "-c", REPO / "library", "-d", WORK / "doctrees"]
    command = [sys.executable, "-m", "sphinx", *options, source, WORK]
    return subprocess.run(command, check=False).returncode


def list_rooms() -> list[str]:
    """Return the rooms, ground floor first, as rooms.md lists them."""
    page = (LIBRARY / "docs" / "rooms.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `stagebook/(\w+)` \|", page, re.MULTILINE)


def write_contents(rooms: list[str]) -> str:
    """Return the tables of contents below the README: pages in the order of their index, rooms in theirs."""
    index = (LIBRARY / "docs" / "README.md").read_text(encoding="utf-8")
    pages = re.findall(r"^\| \[[^]]+\]\(([\w/]+)\.md\)", index, re.MULTILINE)
    return contents("Pages", [f"docs/{page}" for page in ("README", *pages)]) + contents(
        "Reference", [f"reference/{room}" for room in rooms]
    )


def contents(caption: str, pages: list[str]) -> str:
    """Return a table of contents that only the side bar shows."""
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def write_room(room: str) -> str:
    """Return the page of a room: its docstring, then each module with what its `__all__` names."""
    folder = LIBRARY / "stagebook" / room
    files = [file for file in sorted(folder.rglob("*.py")) if "\n__all__ = " in file.read_text(encoding="utf-8")]
    modules = [".".join(file.relative_to(LIBRARY).with_suffix("").parts) for file in files]
    lines = [heading(f"stagebook.{room}", "="), f".. automodule:: stagebook.{room}", "   :no-members:", ""]
    for module in modules:
        lines += [heading(module.removeprefix(f"stagebook.{room}."), "-"), f".. automodule:: {module}", ""]
    return "\n".join(lines)


def heading(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


if __name__ == "__main__":
    sys.exit(main())
