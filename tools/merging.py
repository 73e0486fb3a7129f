"""Where in the template an edit belongs, and how the source reads with it."""

import json
import subprocess
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from authored import ANSWERS, LIBRARY, QUESTIONS, TEMPLATE, TREE, VARIABLES, VENDORED, list_baked, run_git


def find_source(project: Path, name: str, answers: dict[str, str], option: str) -> str:
    """Return where in the template a file comes from, or is to go; an option's file wins over the common one."""
    if name.startswith(f"{VENDORED}/"):
        return LIBRARY + name.removeprefix(VENDORED)
    tree = TEMPLATE / TREE
    inside = name.replace("authored_project", "{{cookiecutter.package_name}}")
    found = [place for folder in find_options(answers) if (tree / (place := f"{folder}/{inside}")).is_file()]
    new = f"options/{option}/{inside}" if option and name not in list_baked(project) else inside
    return f"{TREE}/{[*found, new][0]}"


def find_options(answers: dict[str, str]) -> list[str]:
    """Return the folders that the hook laid over the project, the last one first: `ci+governance/github+full` is of both."""
    tree, chosen = TEMPLATE / TREE, []
    for questions in (tree / "options").iterdir():
        answer = "+".join(answers[question] for question in questions.name.split("+"))
        if (questions / answer).is_dir():
            chosen.append(f"options/{questions.name}/{answer}")
    return sorted(chosen, key=lambda folder: -folder.count("+"))


def merge_edit(project: Path, name: str, source: str) -> bytes:
    """Return the source with the edit of a file in it, conflicts marked."""
    edited, there = (project / name).read_bytes(), TEMPLATE / source
    patterns = QUESTIONS["_copy_without_render"]
    if source.startswith(f"{LIBRARY}/") or any(
        fnmatch(source.removeprefix(f"{TREE}/"), pattern) for pattern in patterns
    ):
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
