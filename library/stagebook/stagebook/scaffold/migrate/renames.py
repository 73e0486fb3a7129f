"""Where the machinery of release 0.2.0 is in the library: the list in renamed.toml, and how a name is looked up in it."""

import ast
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Renames", "Target", "is_there", "read_renames"]


@dataclass(frozen=True)
class Target:
    """Where a name is now: `module.name`, with `name` empty if the module itself is meant. The module is absolute."""

    module: str
    name: str


@dataclass(frozen=True)
class Renames:
    """The content of renamed.toml, whose comments describe it, for one package."""

    package: str
    modules: dict[str, str]
    names: dict[str, str]
    gone: dict[str, str]
    changed: dict[str, str]
    kept: dict[str, list[str]]
    keys: dict[str, dict[str, str]]
    answers: dict[str, str]
    state: dict[str, str]

    def below(self, module: str) -> str | None:
        """Return the path of a module below the package; None if it belongs to another package."""
        if module == self.package:
            return ""
        return module.removeprefix(f"{self.package}.") if module.startswith(f"{self.package}.") else None

    def find_module(self, module: str) -> str | None:
        """Return the library's module that took the place of a module of the package; None if it stays."""
        new = self.modules.get(self.below(module) or "")
        return new and f"stagebook.{new}"

    def find(self, module: str, name: str) -> Target | None:
        """Return where `from module import name` finds its object now; None if the import stays as it is."""
        old = f"{self.below(module)}.{name}".removeprefix(".")
        if old in self.kept["names"] or old in self.kept["modules"] or old in self.gone:
            return None
        if old in self.names:
            new, _, last = self.names[old].rpartition(".")
            return Target(f"stagebook.{new}", last)
        if new := self.find_module(f"{self.package}.{old}"):
            room, _, last = new.rpartition(".")
            return Target(room, last)
        new = self.find_module(module)
        return Target(new, name) if new else None

    def advice(self, module: str, name: str) -> str | None:
        """Return what a user must know who imports this name: it is gone, or takes other arguments."""
        old = f"{self.below(module)}.{name}".removeprefix(".")
        if gone := self.gone.get(old) or self.gone.get(self.below(module) or ""):
            return f"`{name}` is not in the library: {gone}"
        if old in self.changed:
            return f"`{name}` {self.changed[old]}"
        target = self.find(module, name)
        if target and name != "*" and not is_there(target):
            return f"`{target.name}` is not in `{target.module}` any more: look there for what took its place"
        return None


@cache
def is_there(target: Target) -> bool:
    """Does the library have this name? Its modules are read, not imported."""
    file = Path(__file__).parents[2].joinpath(*target.module.split(".")[1:])
    if (file / target.name).is_dir() or (file / f"{target.name}.py").is_file():
        return True
    source = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    if not source.is_file():
        return False
    tree = ast.parse(source.read_text(encoding="utf-8"))
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return target.name in stored | {node.name for node in tree.body if hasattr(node, "name")}


@cache
def read_renames(package: str) -> Renames:
    """Return the renames for a project with this package."""
    text = Path(__file__).with_name("renamed.toml").read_text(encoding="utf-8")
    return Renames(package, **tomllib.loads(text))
