"""Add a step to the pipeline: `make step NAME=outliers`."""

import json
import re
import subprocess
from pathlib import Path

import nbformat
from jinja2 import Environment, StrictUndefined
from ruamel.yaml import YAML

from ...project.errors import StepError
from ...project.settings import package_name
from .place import Place, find_place

__all__ = ["add_step", "insert_section", "read_cells"]

PATTERNS = Path(__file__).parent
CELL = re.compile(r"^# %% (\[markdown\] )?([\w-]+)(?: tags=(\w+))?$", re.MULTILINE)


def add_step(root: Path, name: str, after: str = "") -> str:
    """Write notebook, stage, parameters and test of a new step, and export its module; return what was written.

    Parameters
    ----------
    root : Path
    name, after : str
        The new step and the one before it; the last one before `train` if `after` is empty.

    Raises
    ------
    StepError
        It cannot be added. Nothing has changed then.
    """
    place = find_place(root, name, after)
    package = package_name(root)
    words = {
        "name": name,
        "stem": place.stem,
        "title": name.replace("_", " ").capitalize(),
        "package": package,
        "folder": place.folder,
        "table": place.table,
        "task": place.task,
        "reads": ", ".join(f"`{path}`" for path in (place.table, place.task) if path),
    }
    notebook, test = f"notebooks/{place.stem}.ipynb", f"tests/unit/test_{name}.py"
    module = f"code/{package}/{place.folder}/{name}.py"
    texts = {
        notebook: nbformat.writes(read_cells(_render("notebook.py", words))),
        test: _render("test.py", words),
        "dvc.yaml": _extend(root / "dvc.yaml", "stages", place, _render("stage.yaml", words)),
        "params.yaml": _extend(root / "params.yaml", "", place, _render("params.yaml", words)),
    }
    tidy = [["ruff", "format", "--quiet", notebook, test], ["nbdev-clean", "--fname", notebook], ["nbdev-export"]]
    _write_all(root, texts, tidy, module)
    return "\n".join(
        [
            f"Added the step {name} after {place.after}; it reads {place.table}.",
            f"  {notebook}  write your own here",
            f"  {module}  exported from it",
            f"  {test}, dvc.yaml, params.yaml",
            "Next: `make pipeline` runs it, `make lab` opens it; `stagebook catalog` brings docs/data up to date.",
        ]
    )


def _render(pattern: str, words: dict[str, str]) -> str:
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.filters["quoted"] = lambda path: path if re.fullmatch(r"[\w./-]+", path) else json.dumps(path)
    return environment.from_string((PATTERNS / f"{pattern}.j2").read_text(encoding="utf-8")).render(words)


def read_cells(text: str) -> nbformat.NotebookNode:
    """Return the notebook that a text in percent format describes: `# %% [markdown] id`, `# %% id tags=parameters`."""
    parts = CELL.split(text)[1:]
    cells = []
    for markdown, name, tag, source in zip(parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True):
        new = nbformat.v4.new_markdown_cell if markdown else nbformat.v4.new_code_cell
        cells.append(new(source.strip("\n"), id=name, metadata={"tags": [tag]} if tag else {}))
    kernel = {"display_name": "python3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _extend(file: Path, key: str, place: Place, section: str) -> str:
    """Return the text of `file` with the section put after that of the step before it, or of the last before that."""
    text = file.read_text(encoding="utf-8")
    stages = list(YAML(typ="safe").load((file.parent / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
    before = stages[: stages.index(place.after) + 1]
    longer = insert_section(text, key, before, section)
    was, now = (YAML(typ="safe").load(one) or {} for one in (text, longer))
    was, now = (one.get(key, {}) if key else one for one in (was, now))
    if {name: value for name, value in now.items() if name != place.name} != was or place.name not in now:
        raise StepError(f"{file.name} is laid out in a way that a step cannot be put into; write it in block style.")
    return longer


def insert_section(text: str, key: str, before: list[str], section: str) -> str:
    """Put lines of YAML after the last of the sections `before` that is there; no other byte of `text` changes.

    Parameters
    ----------
    text : str
    key : str
        The mapping whose sections are meant; that at the top of the file if empty.
    before : list of str
    section : str
    """
    top = YAML().load(text)
    mapping = top[key] if key else top
    names, lines = list(mapping or ()), text.splitlines(keepends=True)
    place = max((names.index(name) for name in before if name in names), default=len(names) - 1)
    following = [mapping.lc.key(name)[0] for name in names[place + 1 :]]
    following += [top.lc.key(name)[0] for name in top if key and top.lc.key(name)[0] > top.lc.key(key)[0]]
    end = min(following, default=len(lines))
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1  # blank lines and comments there belong to what follows
    indent = " " * (mapping.lc.key(names[0])[1] if names else 0)
    if end and not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    block = [f"{indent}{line}\n" for line in section.splitlines()]
    return "".join([*lines[:end], "\n", *block, *lines[end:]])


def _write_all(root: Path, texts: dict[str, str], tidy: list[list[str]], made: str) -> None:
    """Write the files and run the commands that finish them; put everything back if one fails."""
    before = {path: path.read_bytes() if path.is_file() else None for path in (root / name for name in [*texts, made])}
    try:
        for name, text in texts.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        for command in tidy:
            subprocess.run(command, cwd=root, check=True)
    except BaseException as error:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
        if isinstance(error, subprocess.CalledProcessError | OSError):
            raise StepError(f"The step could not be written, and nothing has changed: {error}") from error
        raise
