"""Lay the chosen options' files over the project, drop the others, fill in the data, remember the template.

Standard library only.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

ANSWERS = json.loads(
    r"""
{{ cookiecutter | tojson }}
""".strip()
)
OPTIONS = Path("options")
SUPPORTED = ["3.11", "3.12", "3.13"]
# `make update` bakes in a temporary folder, for a project that is elsewhere.
PROJECT = Path(os.environ.get("PROJECT_TO_UPDATE", Path.cwd()))


def find_file(path: str) -> Path:
    """Return a path as the user typed it, relative to where the user is, not to the project."""
    return Path(os.environ.get("PWD", ".."), Path(path).expanduser())


def data_path() -> str:
    """Return the path of the data, from the project if it was typed as a relative one."""
    typed = ANSWERS["data_path"]
    if not typed or "://" in typed or Path(typed).expanduser().is_absolute():
        return typed
    return Path(os.path.relpath(find_file(typed), PROJECT)).as_posix()


def name_data(path: str) -> None:
    """Write path, target and time column into params.yaml and the notebooks; a URL is no file for DVC to watch."""
    if "://" in path:
        replace_in("dvc.yaml", "      - ${ingest.path} # a file; not for a URL\n", "")
    for name, value in (("path", path), ("target", ANSWERS["target"]), ("time_column", ANSWERS["time_column"])):
        text = json.dumps(value, ensure_ascii=False)
        replace_in("params.yaml", f'  {name}: ""', f"  {name}: {text}")
        notebook = "notebooks/10_ingest.ipynb" if name == "path" else "notebooks/15_schema.ipynb"
        line = json.dumps(f"{name} = {text}", ensure_ascii=False)[:-1]
        replace_in(notebook, f'"{name} = \\"\\"', line)


def replace_in(file: str, old: str, new: str) -> None:
    """Replace text in a file."""
    path = Path(file)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def adapt_workflows() -> None:
    """Leave out the Pythons that are too old, and the secrets of other remotes and stores than the chosen ones."""
    oldest = ANSWERS["python_version"]
    versions = [version for version in SUPPORTED if version >= oldest]
    for path in Path(".github").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace(json.dumps(SUPPORTED), json.dumps(versions))
        text = text.replace(f'"{SUPPORTED[0]}" # oldest', json.dumps(oldest))
        lines = (re.fullmatch(r"(.*?)(?: # (remote|tracking): (\w+))?", line) for line in text.splitlines())
        kept = [line[1] for line in lines if ANSWERS.get(line[2]) == line[3]]
        path.write_text("\n".join([*kept, ""]), encoding="utf-8")


def find_template() -> Path:
    """Return the template's folder. A relative one is where cookiecutter runs its hooks from, as Linux can tell."""
    folder = Path(ANSWERS.get("_repo_dir", ""))  # cruft does not say it
    process = Path(f"/proc/{os.getppid()}/cwd")
    if not folder.is_absolute() and process.exists():
        return process.resolve()
    return Path(os.environ.get("PWD", ".."), folder).resolve()


def find_commit(template: Path) -> str | None:
    """Return the commit of the template; None if its folder is no git repository, or only a part of one."""
    command = ["git", "-C", template, "rev-parse", "--show-prefix", "HEAD"]
    try:
        prefix, commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    return None if prefix else commit


def find_address(template: Path) -> str:
    """Return where the template can be had again: an address without credentials, or a folder."""
    typed = ANSWERS["_template"]
    is_address = ":" in typed or typed.endswith(".zip")
    if Path(typed).is_absolute() or (is_address and typed != ANSWERS.get("_repo_dir")):
        return re.sub(r"^(https?://)[^/@]*@", r"\1", typed)
    return str(template)


def remember_template() -> None:
    """Write template, commit and answers as cruft does, for `make update`."""
    template = find_template()
    address = find_address(template)
    answers = {name: answer for name, answer in ANSWERS.items() if not name.startswith("_")}
    answers |= {"data_path": data_path(), "_template": address}
    state = {
        "template": address,
        "commit": find_commit(template),
        "checkout": ANSWERS.get("_checkout"),
        "context": {"cookiecutter": answers},
        "directory": None,
    }
    text = json.dumps(state, ensure_ascii=False, indent=2)
    Path(".cruft.json").write_text(text + "\n", encoding="utf-8")


for question in OPTIONS.iterdir():
    for answer in question.iterdir():  # `both` is all of them
        if ANSWERS[question.name] in (answer.name, "both"):
            shutil.copytree(answer, ".", dirs_exist_ok=True)
shutil.rmtree(OPTIONS)
if ANSWERS["data"] == "own":
    name_data(data_path())
if ANSWERS["ci"] != "gitlab":
    adapt_workflows()
remember_template()
