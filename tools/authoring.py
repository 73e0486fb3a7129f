"""Edit the template as a project: `bake` makes one to work in, `unbake` brings the edits back. See CONTRIBUTING.md.

Each edit is merged into its source, with names turned back into variables. Then the changed template is baked again:
unless that gives the edited project to the byte, nothing is written.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from authored import ANSWERS, LIBRARY, TEMPLATE, TREE, bake, find_edits, list_files, mark_as_baked, run_git
from cookiecutter.exceptions import CookiecutterException
from jinja2 import TemplateError
from merging import find_problems, find_source, merge_edit

TABLE = "size,kind,authored_target\n" + "".join(f"{n % 89},{'abc'[n % 3]},{n * 7 % 89 > n % 50}\n" for n in range(400))
NOT_COMPARED = {".cruft.json", "vendor/stagebook.sha256"}  # written by the hook


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["bake", "unbake"])
    parser.add_argument("--data", choices=["flights", "own"], default="flights")
    parser.add_argument("--option", default="", help="where new files go, as data/flights; else to all projects")
    arguments = parser.parse_args()
    home = TEMPLATE / "build" / "authoring" / arguments.data
    own = {"data_path": str(home / "authored.csv"), "target": "authored_target"} if arguments.data == "own" else {}
    answers = ANSWERS | own | {"data": arguments.data}
    if arguments.command == "bake":
        bake_for_editing(home, answers)
    else:
        unbake(home / "authored-project", answers, arguments.option)


def refuse(*lines: str) -> None:
    """End with an error."""
    sys.exit("\n  ".join(["ERROR: nothing is changed.", *lines]))


def bake_for_editing(home: Path, answers: dict[str, str]) -> None:
    """Bake a project to work in, unless one with edits is there."""
    project = home / "authored-project"
    if project.exists() and (edits := find_edits(project)):
        refuse(f"{project} has edits: `make unbake` brings them back. Or delete it.", *edits)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / "authored.csv").write_text(TABLE, encoding="utf-8")
    bake(TEMPLATE, home, answers)
    run_git(project, "init", "--quiet", "--initial-branch=main")
    mark_as_baked(project)
    print(f"Edit in {project}, `make fix check test` there, then `make unbake` here.")


def unbake(project: Path, answers: dict[str, str], option: str) -> None:
    """Bring all edits back into the template, or none."""
    if not project.exists():
        refuse(f"there is no {project}: `make bake` first.")
    if option and not (TEMPLATE / TREE / "options" / option).is_dir():
        refuse(f"the template has no options/{option}; OPTION is like data/flights.")
    changes, problems = {}, []
    for name in find_edits(project):
        source = find_source(project, name, answers, option)
        changes[source] = merge_edit(project, name, source) if (project / name).is_file() else None
        problems += [f"{name}: {problem}" for problem in find_problems(source, changes[source])]
    with tempfile.TemporaryDirectory() as folder:
        problems = problems or prove(project, answers, changes, Path(folder))
    if problems:
        refuse(*problems)
    write_changes(TEMPLATE, changes)
    for source, content in changes.items():
        print("deleted" if content is None else "written", source)
    print(f"{len(changes)} files of the template follow the project.")
    mark_as_baked(project)


def prove(project: Path, answers: dict[str, str], changes: dict[str, bytes | None], folder: Path) -> list[str]:
    """Bake the changed template; return how the outcome differs from the edited project."""
    copy = folder / "template"
    generated = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for part in ("hooks", LIBRARY, TREE):
        shutil.copytree(TEMPLATE / part, copy / part, symlinks=True, ignore=generated)
    shutil.copy(TEMPLATE / "cookiecutter.json", copy)
    write_changes(copy, changes)
    try:
        baked = bake(copy, folder, answers)
    except (CookiecutterException, TemplateError) as error:
        return [f"the template could not be baked any more: {error!r}"]
    names = {path.relative_to(baked).as_posix() for path in baked.rglob("*") if path.is_file()} | list_files(project)
    differ = [name for name in sorted(names - NOT_COMPARED) if read(baked / name) != read(project / name)]
    return [f"{name}: the template would not give this. Has it changed since `make bake`?" for name in differ]


def read(file: Path) -> tuple[bytes, int] | None:
    """Return what a file holds, and whether it can be executed."""
    return (file.read_bytes(), file.stat().st_mode & 0o111) if file.is_file() else None


def write_changes(template: Path, changes: dict[str, bytes | None]) -> None:
    """Write, or delete, files of a template."""
    for name, content in changes.items():
        path = template / name
        if content is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


if __name__ == "__main__":
    main()
