"""Do dvc.yaml, params.yaml and the notebooks agree? A dependency that is left out gives a stale result."""

import ast
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import nbformat
from ruamel.yaml import YAML

from ..project.errors import StepError
from ..project.root import find_notebooks, find_pipelines
from ..project.settings import package_name
from ..step.parameters import check_parameters, notebook_parameters, step_name, step_parameters

__all__ = ["check_wiring", "needed_code"]

LIBRARY = Path("vendor", "stagebook", "stagebook")


def check_wiring(root: Path) -> None:
    """Raise StepError that names each difference between the notebooks and their stages, in all pipelines."""
    problems = [problem for pipeline in find_pipelines(root) for problem in _check_pipeline(root, pipeline)]
    if problems:
        raise StepError("notebooks and dvc.yaml differ:\n" + "\n".join(f"  {line}" for line in sorted(problems)))


def _check_pipeline(root: Path, pipeline: Path) -> Iterator[str]:
    """Yield the problems of one dvc.yaml."""
    file = (pipeline / "dvc.yaml").relative_to(root).as_posix()
    stages = YAML(typ="safe").load((root / file).read_text(encoding="utf-8"))["stages"]
    notebooks = {step_name(path): path for path in find_notebooks(root, pipeline) if path.name[0].isdigit()}
    yield from (f"{file}: the stage {name} has no notebook" for name in stages.keys() - notebooks.keys())
    yield from (f"{notebooks[name].name}: {file} has no stage {name}" for name in notebooks.keys() - stages.keys())
    both = [name for name in notebooks if name in stages]
    if both != [name for name in stages if name in notebooks]:
        yield f"{file}: the stages are not in the order of the notebooks: {', '.join(both)}"
    for name in both:
        stage = _from_root(stages[name], root, pipeline)
        yield from (f"{file}, {name}: {problem}" for problem in _find_problems(root, pipeline, notebooks[name], stage))


def _from_root(stage: dict, root: Path, pipeline: Path) -> dict:
    """Return the stage with paths of files as from the project's folder: a dvc.yaml has them as from its own."""
    if pipeline == root:
        return stage
    place = lambda path: path if path.startswith("$") else os.path.relpath(pipeline / path, root)
    changed = {}
    for key in {"deps", "outs", "metrics"} & stage.keys():
        changed[key] = [place(one if isinstance(one, str) else next(iter(one))) for one in stage[key]]
    return stage | changed


def _find_problems(root: Path, pipeline: Path, notebook: Path, stage: dict) -> Iterator[str]:
    path = notebook.relative_to(root).as_posix()
    outputs, deps = _outputs(stage), {dep for dep in stage.get("deps", []) if not dep.startswith("$")}
    if stage["cmd"] != (command := f"stagebook run {notebook.relative_to(pipeline).as_posix()}"):
        yield f"`cmd` is {stage['cmd']!r}; it must be {command!r}"
    for report in (f"reports/{notebook.stem}.ipynb", f"reports/{notebook.stem}.html"):
        if report not in outputs:
            yield f"`outs` lacks {report}"
    code = {dep for dep in deps if dep.startswith(("code/", "notebooks/", "pipelines/", "vendor/"))}
    yield from _compare("deps", code, {path} | needed_code(root, notebook), "imports")
    parameters = step_parameters(pipeline / "params.yaml", step_name(notebook))
    yield from _compare_contract(root, notebook, stage, parameters, deps - code, outputs)


def _compare_contract(
    root: Path, notebook: Path, stage: dict, parameters: dict, reads: set[str], outputs: set[str]
) -> Iterator[str]:
    """Compare what the second cell says with data that the stage reads and writes, and with params.yaml."""
    path, step = notebook.relative_to(root).as_posix(), step_name(notebook)
    said = _contract(notebook)
    if lacking := {"Reads", "Writes", "Parameters"} - said.keys():
        yield f"{path} has no bullet **{min(lacking)}** in its second cell"
        return
    if parameters and step not in stage.get("params", []):
        yield f"`params` lacks {step}, whose parameters the notebook has"
    yield from _compare("deps", reads, _expand({name for name in said["Reads"] if "/" in name}, reads), "reads")
    written = {out for out in outputs if not out.startswith(f"reports/{notebook.stem}.")}
    yield from _compare("outs", written, _expand(said["Writes"], written), "writes")
    yield from _compare("params", set(parameters), said["Parameters"], "describes")
    try:
        check_parameters(parameters, notebook_parameters(notebook), step, path)
    except StepError as error:
        yield str(error)


def _compare(key: str, there: set[str], needed: set[str], verb: str) -> Iterator[str]:
    yield from (f"`{key}` lacks {name}, which the notebook {verb}" for name in sorted(needed - there))
    yield from (f"`{key}` has {name}, which the notebook never {verb}" for name in sorted(there - needed))


def _outputs(stage: dict) -> set[str]:
    entries = [*stage.get("outs", []), *stage.get("metrics", [])]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def _contract(notebook: Path) -> dict[str, set[str]]:
    """Return the names in backticks behind **Reads**, **Writes** and **Parameters** in the second cell."""
    source = nbformat.read(notebook, as_version=4).cells[1].source
    bullets = re.findall(r"^- \*\*(\w+)\*\*(.*)$", source, re.MULTILINE)
    return {word: set(re.findall(r"`([^`]+)`", text)) for word, text in bullets}


def _expand(patterns: set[str], files: set[str]) -> set[str]:
    """Return the files that patterns such as data/raw/*.parquet name; a pattern that names none, as it is."""
    found = {pattern: {file for file in files if fnmatch(file, pattern)} for pattern in patterns}
    return set().union(*found.values()) | {pattern for pattern, named in found.items() if not named}


def needed_code(root: Path, notebook: Path) -> set[str]:
    """Return what a notebook imports, directly or not: modules of the project, and rooms of the vendored library.

    A project that has the library from a package index depends on no room: constraints pin its version.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    todo, seen = list(_imported(root, _without_magics(source), "")), set()
    while todo:
        name, file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += _imported(root, file.read_text(encoding="utf-8"), name)
    files = {file.relative_to(root) for file in seen if file.name != "__init__.py"}
    return {
        (LIBRARY / file.relative_to(LIBRARY).parts[0] if file.is_relative_to(LIBRARY) else file).as_posix()
        for file in files
    }


def _without_magics(source: str) -> str:
    return "\n".join("pass" if re.match(r"[%!]", line) else line for line in source.splitlines())


def _imported(root: Path, source: str, module: str) -> Iterator[tuple[str, Path]]:
    """Yield modules of project and library that `source` imports; relative imports start from `module`."""
    folders = {package_name(root): root / "code", "stagebook": root / LIBRARY.parent}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            parts = module.split(".")[: -node.level] if node.level else []
            base = ".".join(parts + ([node.module] if node.module else []))
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            folder = folders.get(name.split(".")[0])
            if folder and (file := folder / (name.replace(".", "/") + ".py")).is_file():
                yield name, file
