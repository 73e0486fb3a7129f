"""The modules of a project that its `prepare` needs, if these need no more than numpy: then a wheel can hold them."""

import ast
import sys
from pathlib import Path

from ..project.settings import read_settings

__all__ = ["find_preparation"]

FREE = {"numpy", *sys.stdlib_module_names}


def find_preparation(root: Path) -> tuple[str, list[Path]] | None:
    """Return `module:name` of the project's `prepare` and the files it needs; None if it needs more than numpy.

    The files are those that the module imports, directly or not, and the `__init__.py` of their packages.
    """
    module, _, name = read_settings(root)["request"].partition(":")
    code, files = root / "code", set()
    waiting = [_find_file(code, module)]
    while waiting:
        file = waiting.pop()
        if file is None:
            return None
        if file in files:
            continue
        files.add(file)
        waiting += [folder / "__init__.py" for folder in file.parents if (folder / "__init__.py").is_file()]
        for imported in _imports(file, code):
            if (own := _find_file(code, imported)) or imported.split(".")[0] == module.split(".")[0]:
                waiting.append(own)
            elif imported.split(".")[0] not in FREE:
                return None
    return f"{module}:{name}", sorted(files)


def _find_file(code: Path, module: str) -> Path | None:
    """Return the file of a dotted module of the project; None if it is not one."""
    place = code.joinpath(*module.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _imports(file: Path, code: Path) -> list[str]:
    """Return the modules that a file imports, relative ones in full."""
    package, found = file.relative_to(code).with_suffix("").parts[:-1], []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            module = [*base, *filter(None, [node.module])]
            names = [".".join([*module, alias.name]) for alias in node.names]
            found += [one if _find_file(code, one) else ".".join(module) for one in names]
    return found
