"""Where a new step goes: its number, its module, and what it can read there. Whatever stands against it is said."""

import keyword
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from ruamel.yaml import YAML

from ...project.errors import StepError
from ...step.parameters import step_name

__all__ = ["Place", "find_place"]

TASK = "data/interim/task.json"
TRAINING = "data/processed/train.parquet"


@dataclass(frozen=True)
class Place:
    """A step that can be added: after which one, under which number, in which folder of the package, what it reads."""

    name: str
    after: str
    number: int
    folder: str
    table: str
    task: str

    @property
    def stem(self) -> str:
        """Name of the notebook without its suffix."""
        return f"{self.number:02}_{self.name}"


def find_place(root: Path, name: str, after: str) -> Place:
    """Return where the step goes, after the one before `train` if none is named; raise StepError if it cannot be added."""
    stages = YAML(typ="safe").load((root / "dvc.yaml").read_text(encoding="utf-8")).get("stages") or {}
    _check_name(root, name, stages)
    steps = list(stages)
    after = after or (steps[: steps.index("train")] if "train" in steps else steps)[-1]
    if after not in stages:
        raise StepError(f"AFTER={after}: there is no such step; there are {', '.join(steps)}.")
    before = steps[: steps.index(after) + 1]
    written = [path for step in before for path in _outputs(stages[step])]
    return Place(
        name,
        after,
        _find_number(root, after),
        _find_folder(root, after),
        _find_table(before, stages),
        TASK if TASK in written else "",
    )


def _check_name(root: Path, name: str, stages: dict) -> None:
    if not re.fullmatch(r"[a-z]([a-z0-9_]{0,28}[a-z0-9])?", name):
        raise StepError(
            f"NAME={name!r}: take lower-case letters, digits and underscores, from a letter on, 30 at most."
        )
    if keyword.iskeyword(name):
        raise StepError(f"NAME={name}: that is a keyword of Python, so no module can be called so.")
    if name in stages:
        raise StepError(f"NAME={name}: there is such a step already; there are {', '.join(stages)}.")
    taken = [path for path in sorted((root / "code").rglob("*")) if path.name in (name, f"{name}.py")]
    taken += (root / "tests").rglob(f"test_{name}.py")
    if taken:
        raise StepError(f"NAME={name}: there is {taken[0].relative_to(root)} already.")
    sections = YAML(typ="safe").load((root / "params.yaml").read_text(encoding="utf-8")) or {}
    if name in sections:
        raise StepError(f"NAME={name}: params.yaml has such a section already.")
    for step, stage in stages.items():
        if f"reports/{name}.json" in _outputs(stage):
            raise StepError(f"NAME={name}: the step {step} writes reports/{name}.json already.")


def _notebooks(root: Path) -> dict[str, Path]:
    """Return the notebooks by step, in the order of their numbers."""
    return {step_name(path): path for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))}


def _find_number(root: Path, after: str) -> int:
    """Return a number in the middle between the notebook of `after` and the next one."""
    notebooks = _notebooks(root)
    if after not in notebooks:
        raise StepError(f"AFTER={after}: it has no notebook called notebooks/<two digits>_{after}.ipynb.")
    numbers = [int(path.name[:2]) for path in notebooks.values()]
    low = int(notebooks[after].name[:2])
    high = min((number for number in numbers if number > low), default=min(low + 20, 100))
    if high - low < 2:
        raise StepError(
            f"AFTER={after}: no number is free between {low} and {high}. Rename a notebook, in dvc.yaml too, or add it "
            "after another step."
        )
    return (low + high) // 2


def _find_folder(root: Path, after: str) -> str:
    """Return the folder of the package that the notebook of `after` exports to."""
    for cell in nbformat.read(_notebooks(root)[after], as_version=4).cells:
        if exported := re.match(r"#\|\s*default_exp\s+(\w+)\.", cell.source):
            return exported[1]
    return "datasets"


def _find_table(before: list[str], stages: dict) -> str:
    """Return a table of the last step that writes one: the training data, else the first that dvc.yaml names."""
    for step in reversed(before):
        tables = [path for path in _outputs(stages[step]) if path.endswith(".parquet") and "$" not in path]
        if tables:
            return TRAINING if TRAINING in tables else tables[0]
    raise StepError(f"AFTER={before[-1]}: no table (data/....parquet) is written up to there. Name a later step.")


def _outputs(stage: dict) -> list[str]:
    entries = [*stage.get("outs", []), *stage.get("metrics", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
