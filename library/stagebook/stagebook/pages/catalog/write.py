"""Write the catalog into docs/data, and say when it is not what it would be if it were written now."""

import hashlib
import json
from pathlib import Path

from ruamel.yaml import YAML, YAMLError

from ...project.errors import StepError
from ...project.markdown import INDEX, MARK
from ...project.settings import views_file
from .graph import REGISTRATION, SOURCE, Graph, read_graph

__all__ = ["check_catalog", "find_stale", "update_catalog"]

FOLDER = Path("docs", "data")
OPEN, CLOSE = "<!-- catalog\n", "\n-->\n"


def update_catalog(root: Path, only_if_stale: bool = False) -> str:
    """Write the pages of docs/data; return in a line what was done.

    Raises
    ------
    StepError
        A table is not there or not the one of dvc.lock, or a page would overwrite one that somebody has written.
    """
    from .meaning import read_meanings
    from .pages import write_pages

    if only_if_stale and not find_stale(root):
        return "The catalog is up to date."
    graph = read_graph(root, look_at_files=True)
    if not any(output.md5 for output in graph.outputs.values()):
        return "There is no data to write a catalog of yet: `make pipeline` makes it."
    asked = [output for path, output in graph.outputs.items() if output.is_table or path in (REGISTRATION, SOURCE)]
    if wrong := [output.path for output in asked if output.md5 and not output.here]:
        raise StepError(
            f"{', '.join(wrong)}: missing, or not what dvc.lock says. `dvc pull` or `dvc checkout` brings it, "
            "`make pipeline` makes it; then `stagebook catalog`."
        )
    pages = write_pages(root, graph, read_meanings(root, graph))
    return _write(root / FOLDER, pages, _sources(root, graph))


def _write(folder: Path, pages: dict[str, str], sources: dict[str, str]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    ours = {file.name for file in folder.glob("*.md") if file.read_bytes().startswith(MARK.encode())}
    for name in pages.keys() - ours:
        if (folder / name).exists():
            raise StepError(
                f"{FOLDER / name} is not from `stagebook catalog`, which would overwrite it. Give it another name."
            )
    stamp = {"made from": sources, "pages": {name: _digest(text) for name, text in pages.items()}}
    text = json.dumps(stamp, indent=1, ensure_ascii=False).replace(">", "\\u003e")
    for name in ours - pages.keys():
        (folder / name).unlink()
    for name, page in pages.items():
        content = page + (f"\n{OPEN}{text}{CLOSE}" if name == INDEX else "")
        (folder / name).write_text(content, encoding="utf-8")
    return f"{len(pages)} pages in {FOLDER}; begin with {FOLDER / INDEX}"


def check_catalog(root: Path) -> None:
    """Raise StepError if the pages in docs/data are stale. The data itself need not be there."""
    if stale := find_stale(root):
        raise StepError(
            f"the catalog in {FOLDER} is stale; `stagebook catalog` writes it. Since it was written:\n{stale}"
        )


def find_stale(root: Path) -> str:
    """Return what has changed since the catalog was written, a line each; nothing if the pipeline never ran to its end."""
    graph = read_graph(root)
    folder = root / FOLDER
    stamp = _read_stamp(folder)
    if not stamp:
        whole = all(output.md5 for output in graph.outputs.values())
        return f"  {FOLDER / INDEX} is missing, or has lost its last lines" if whole else ""
    was, now = stamp["made from"], _sources(root, graph)
    lines = [f"  {name} has changed" for name in sorted(was.keys() | now.keys()) if was.get(name) != now.get(name)]
    for name, digest in stamp["pages"].items():
        if not (folder / name).is_file():
            lines.append(f"  {FOLDER / name} is missing")
        elif _digest((folder / name).read_text(encoding="utf-8").partition(f"\n{OPEN}")[0]) != digest:
            lines.append(f"  {FOLDER / name} was edited by hand")
    return "\n".join(lines)


def _sources(root: Path, graph: Graph) -> dict[str, str]:
    """Return what the pages are made from: hashes of dvc.lock, of the steps, and of what data/schema.yaml says."""
    views = views_file(root)
    steps = [[step.name, step.description, step.notebook, step.reads, step.writes] for step in graph.steps]
    return {
        "dvc.yaml": _digest(json.dumps(steps)),
        "data/schema.yaml": _digest(json.dumps(_read_yaml(root / "data" / "schema.yaml"), default=str)),
        "features": _digest(views.read_text(encoding="utf-8") if views and views.is_file() else ""),
        **{
            path: output.md5
            for path, output in graph.outputs.items()
            if output.md5 and (path.startswith(("data/", "models/")) or path == REGISTRATION)
        },
    }


def _read_yaml(file: Path) -> object:
    try:
        return YAML(typ="safe").load(file.read_text(encoding="utf-8")) if file.is_file() else None
    except YAMLError as error:
        raise StepError(f"{file} is not YAML: {error}") from error


def _read_stamp(folder: Path) -> dict:
    try:
        text = (folder / INDEX).read_text(encoding="utf-8").rpartition(OPEN)[2]
        return json.loads(text.removesuffix(CLOSE))
    except (OSError, ValueError):
        return {}


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
