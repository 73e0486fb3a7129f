"""Check a step's parameters before anything runs: params.yaml against the notebook's cell tagged `parameters`."""

import ast
import difflib
from pathlib import Path

import nbformat
from ruamel.yaml import YAML, YAMLError

from ..project.addresses import REMEDY, find_secret
from ..project.errors import StepError

__all__ = ["check_parameters", "notebook_parameters", "step_name", "step_parameters"]


def step_name(notebook: Path) -> str:
    """Return the name that stage, section of params.yaml and notebook share: `train` for 50_train.ipynb."""
    return notebook.stem.lstrip("0123456789").lstrip("_")


def notebook_parameters(notebook: Path) -> dict:
    """Return names and default values from the notebook's `parameters` cell, which holds literals only."""
    content = nbformat.read(notebook, as_version=4)
    language = content.metadata.get("kernelspec", {}).get("language") or "python"
    if language.lower() != "python":
        raise StepError(
            f"{notebook}: its kernel is for {language}; a step runs Python. Choose the kernel `python3` in Jupyter."
        )
    cells = content.cells
    sources = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    if len(sources) != 1:
        raise StepError(f"{notebook}: {len(sources)} cells have the tag `parameters`; a step has exactly one.")
    defaults = {}
    for line in ast.parse(sources[0]).body:
        try:
            [target] = line.targets
            defaults[target.id] = ast.literal_eval(line.value)
        except (AttributeError, ValueError) as error:
            raise StepError(
                f"{notebook}: `{ast.unparse(line)}` in the `parameters` cell is not `name = literal`."
            ) from error
    return defaults


def step_parameters(params_file: Path, step: str) -> dict:
    """Return the section `step` of params.yaml; a step without parameters needs none."""
    try:
        sections = YAML(typ="safe").load(params_file.read_text(encoding="utf-8"))
    except (OSError, YAMLError) as error:
        raise StepError(f"{params_file} cannot be read: {error}") from error
    section = (sections or {}).get(step) or {}
    if not isinstance(section, dict):
        raise StepError(f"{params_file}: section `{step}` is {section!r}; it must hold `name: value` lines.")
    return section


def check_parameters(given: dict, defaults: dict, step: str, notebook: str) -> None:
    """Raise StepError if `given` and the notebook's `defaults` differ in names or in types."""
    wrong = []
    for name in given.keys() - defaults.keys():
        close = difflib.get_close_matches(str(name), defaults, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"it has {', '.join(defaults) or 'none'}."
        wrong.append(f"`{step}.{name}` is not a parameter of {notebook}; {hint}")
    for name in defaults.keys() - given.keys():
        wrong.append(f"`{step}.{name}` is missing; its default in {notebook} is {defaults[name]!r}.")
    for name in given.keys() & defaults.keys():
        if problem := _type_problem(given[name], defaults[name]):
            wrong.append(f"`{step}.{name}` {problem}")
    for name, value in given.items():
        if secret := find_secret(str(value)):
            wrong.append(f"`{step}.{name}` has {secret} in an address. {REMEDY}")
    if wrong:
        raise StepError("params.yaml:\n" + "\n".join(f"  {line}" for line in sorted(wrong)))


def _type_problem(value: object, default: object) -> str | None:
    """Say how the type of `value` differs from that of `default`. An int is a float; None takes anything."""
    if default is None or type(value) is type(default):
        if isinstance(value, list) and default:
            problems = (_type_problem(element, default[0]) for element in value)
            return next((f"has an element that {problem}" for problem in problems if problem), None)
        if isinstance(value, dict) and default:
            problems = {name: _type_problem(value[name], default[name]) for name in value.keys() & default.keys()}
            return next((f"has `{name}` that {problems[name]}" for name in sorted(problems) if problems[name]), None)
        return None
    if isinstance(default, float) and type(value) is int:
        return None
    hint = " Write it in quotes." if isinstance(default, str) else ""
    return f"is {value!r} ({type(value).__name__}); it must be {type(default).__name__}, like {default!r}.{hint}"
