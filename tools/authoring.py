"""Edit the template as a project: `bake` makes one to work in, `unbake` brings the edits back. See CONTRIBUTING.md.

Each edit is merged into its source, with names turned back into variables. Then the changed template is baked again:
unless that gives the edited project to the byte, nothing is written.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from cookiecutter.exceptions import CookiecutterException
from cookiecutter.main import cookiecutter
from jinja2 import TemplateError

TEMPLATE = Path(__file__).resolve().parents[1]
TREE = "{{cookiecutter.project_slug}}"
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
# Names and texts that occur nowhere else, so that one that is left is found.
VARIABLES = {
    "authored_project": "{{ cookiecutter.package_name }}",
    "authored-project": "{{ cookiecutter.project_slug }}",
}
ANSWERS = {name: default[0] for name, default in QUESTIONS.items() if isinstance(default, list) and name[0] != "_"} | {
    "project_name": "Authored Name",
    "project_slug": "authored-project",
    "package_name": "authored_project",
    "description": "Authored description.",
    "author_name": "Authored Team",
    "author_email": "authored@example.com",
}
WRITTEN_BY_PIPELINE = {
    "flights": ("dvc.lock", "data/baseline.json", "docs/data/*"),
    "own": ("dvc.lock", "data/baseline.json", "docs/data/*", "data/schema.yaml"),
}
TABLE = "size,kind,authored_target\n" + "".join(f"{n % 89},{'abc'[n % 3]},{n * 7 % 89 > n % 50}\n" for n in range(400))


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


def bake(template: Path, folder: Path, answers: dict[str, str]) -> Path:
    """Bake without the defaults of this machine's user, and without a trace in their folders."""
    with tempfile.TemporaryDirectory() as trace:
        config = {"replay_dir": trace, "cookiecutters_dir": trace}
        options = {"no_input": True, "default_config": config, "extra_context": answers}
        return Path(cookiecutter(str(template), output_dir=str(folder), **options))


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


def run_git(project: Path, *words: str) -> bytes:
    """Run git in the project; return what it prints."""
    return subprocess.run(["git", "-C", project, *words], capture_output=True, check=True).stdout


def mark_as_baked(project: Path) -> None:
    """Commit all that is there as what the template gives."""
    run_git(project, "add", "--all")
    identity = ["-c", "user.name=authoring", "-c", "user.email=authoring@example.com", "-c", "commit.gpgsign=false"]
    run_git(project, *identity, "commit", "--quiet", "--no-verify", "--allow-empty", "--message", "As baked")
    run_git(project, "tag", "--force", "as-baked")


def find_edits(project: Path) -> list[str]:
    """Return the files that differ from what was baked."""
    changed = list_names(project, "diff", "--name-only", "--no-renames", "as-baked")
    return sorted(changed | (list_files(project) - list_baked(project)))


def list_files(project: Path) -> set[str]:
    there = list_names(project, "ls-files", "--cached", "--others", "--exclude-standard")
    return {name for name in there if (project / name).is_file()}


def list_baked(project: Path) -> set[str]:
    return list_names(project, "ls-tree", "-r", "--name-only", "as-baked")


def list_names(project: Path, *words: str) -> set[str]:
    """Return the files that git lists, but for those that the pipeline writes."""
    names = set(run_git(project, *words, "-z").decode().split("\0")) - {""}
    written = WRITTEN_BY_PIPELINE[project.parent.name]
    return {name for name in names if not any(fnmatch(name, pattern) for pattern in written)}


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


def find_source(project: Path, name: str, answers: dict[str, str], option: str) -> str:
    """Return where in the template a file comes from, or is to go; an option's file wins over the common one."""
    tree = TEMPLATE / TREE
    inside = name.replace("authored_project", "{{cookiecutter.package_name}}")
    options = [f"options/{question.name}/{answers[question.name]}" for question in (tree / "options").iterdir()]
    found = [place for folder in options if (tree / (place := f"{folder}/{inside}")).is_file()]
    new = f"options/{option}/{inside}" if option and name not in list_baked(project) else inside
    return f"{TREE}/{[*found, new][0]}"


def merge_edit(project: Path, name: str, source: str) -> bytes:
    """Return the source with the edit of a file in it, conflicts marked."""
    edited, there = (project / name).read_bytes(), TEMPLATE / source
    patterns = QUESTIONS["_copy_without_render"]
    if any(fnmatch(source.removeprefix(f"{TREE}/"), pattern) for pattern in patterns):
        return edited
    if not there.is_file() or name not in list_baked(project):
        return use_variables(edited)
    base = use_variables(run_git(project, "show", f"as-baked:{name}"))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, label) for label in ("template", "as-baked", "edited")]
        for path, content in zip(paths, (there.read_bytes(), base, use_variables(edited)), strict=True):
            path.write_bytes(content)
        return subprocess.run(["git", "merge-file", "-p", *paths], capture_output=True, check=False).stdout


def use_variables(content: bytes) -> bytes:
    for name, variable in VARIABLES.items():
        content = content.replace(name.encode(), variable.encode())
    return content


def find_problems(source: str, content: bytes | None) -> list[str]:
    """Say what cannot be in the template."""
    if content is None:
        return [] if (TEMPLATE / source).is_file() else ["has no source in the template"]
    if b"\n<<<<<<< " in b"\n" + content:
        return [f"the edit is next to what the template fills in. Edit {source} by hand"]
    if source.endswith(".ipynb") and any(cell.get("outputs") for cell in json.loads(content)["cells"]):
        return ["has outputs; `make fix` in the project removes them"]
    said = [text for text in (*ANSWERS.values(), "authored_target", "authored.csv") if text[:8].lower() == "authored"]
    left = [word for word in said if word.encode() in content or word in source]
    return [f"says {word!r}, which is another thing in other projects" for word in left]


def prove(project: Path, answers: dict[str, str], changes: dict[str, bytes | None], folder: Path) -> list[str]:
    """Bake the changed template; return how the outcome differs from the edited project."""
    copy = folder / "template"
    for part in ("hooks", TREE):
        shutil.copytree(TEMPLATE / part, copy / part)
    shutil.copy(TEMPLATE / "cookiecutter.json", copy)
    write_changes(copy, changes)
    try:
        baked = bake(copy, folder, answers)
    except (CookiecutterException, TemplateError) as error:
        return [f"the template could not be baked any more: {error!r}"]
    names = {path.relative_to(baked).as_posix() for path in baked.rglob("*") if path.is_file()} | list_files(project)
    differ = [name for name in sorted(names - {".cruft.json"}) if read(baked / name) != read(project / name)]
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
