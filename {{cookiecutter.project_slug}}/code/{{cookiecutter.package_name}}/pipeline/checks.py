"""Are the notebooks clean, and is the package what they export? Looks at a copy, changes nothing."""

import filecmp
import shutil
import subprocess
import tempfile
from pathlib import Path

import nbformat

from .parameters import notebook_parameters
from .project import StepError

__all__ = ["check_notebooks"]


def check_notebooks(root: Path) -> None:
    """Raise StepError with all that `make fix` would change in notebooks/ and code/, and what it cannot mend."""
    notebooks = sorted(path.relative_to(root) for path in (root / "notebooks").glob("*.ipynb"))
    problems = []
    for notebook in notebooks:
        if any(cell.get("outputs") for cell in nbformat.read(root / notebook, as_version=4).cells):
            problems.append(f"{notebook} has outputs; they belong to reports/. `make fix` removes them.")
        notebook_parameters(root / notebook)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / root.name
        modules = [path.relative_to(root) for path in (root / "code").rglob("*.py") if path.name != "_modidx.py"]
        for file in (Path("pyproject.toml"), *notebooks, *modules):
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / file, copy / file)
        for command in ("nbdev-clean", "nbdev-export"):
            subprocess.run([command], cwd=copy, check=True)
        for notebook in notebooks:
            if not filecmp.cmp(root / notebook, copy / notebook, shallow=False):
                problems.append(f"{notebook} is not clean (metadata, format). `make fix` cleans it.")
        for module in sorted(path.relative_to(copy) for path in (copy / "code").rglob("*.py")):
            if module.name != "_modidx.py" and not _same(root / module, copy / module):
                problems.append(
                    f"{module} is not what its notebook exports. `make fix` exports it; never edit it by hand."
                )
    if problems:
        raise StepError("notebooks and package differ:\n" + "\n".join(f"  {problem}" for problem in problems))


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and filecmp.cmp(one, other, shallow=False)
