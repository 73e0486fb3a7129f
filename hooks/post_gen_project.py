"""Lay the files of the chosen options over the project, drop the others, fill in where the data is. Standard library only."""

import json
import os
import shutil
from pathlib import Path

ANSWERS = json.loads(
    r"""
{{ cookiecutter | tojson }}
""".strip()
)
OPTIONS = Path("options")


def find_file(path: str) -> Path:
    """Return a path as the user typed it, relative to where the user is, not to the project."""
    return Path(os.environ.get("PWD", ".."), Path(path).expanduser())


def name_data() -> None:
    """Write path, target and time column into params.yaml and the notebooks; a URL is no file for DVC to watch."""
    typed = ANSWERS["data_path"]
    path = typed
    if "://" in typed:
        replace_in("dvc.yaml", "      - ${ingest.path} # a file; not for a URL\n", "")
    elif not Path(typed).expanduser().is_absolute():
        path = Path(os.path.relpath(find_file(typed), Path.cwd())).as_posix()
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


SUPPORTED = ["3.11", "3.12", "3.13"]


def adapt_workflows() -> None:
    """Leave out the Pythons that are too old, and the secrets of other remotes than the chosen one."""
    versions = [version for version in SUPPORTED if version >= ANSWERS["python_version"]]
    for path in Path(".github/workflows").iterdir():
        text = path.read_text(encoding="utf-8").replace(json.dumps(SUPPORTED), json.dumps(versions))
        lines = (line.partition(" # remote: ") for line in text.splitlines())
        kept = [line for line, _, remote in lines if remote in ("", ANSWERS["remote"])]
        path.write_text("\n".join([*kept, ""]), encoding="utf-8")


for question in OPTIONS.iterdir():
    for answer in question.iterdir():
        if ANSWERS[question.name] in (answer.name, "both"):
            shutil.copytree(answer, ".", dirs_exist_ok=True)
shutil.rmtree(OPTIONS)
if ANSWERS["data"] == "own":
    name_data()
if ANSWERS["ci"] != "gitlab":
    adapt_workflows()
