"""Models/candidates.py of release 0.2.0 held the library's kinds of model too: keep what a project added to it."""

import ast
from dataclasses import dataclass

__all__ = ["find_own_names", "keep_own_kinds"]


@dataclass(frozen=True)
class Module:
    """A module's text, its imports, and what it defines at the top level."""

    text: str
    imports: list[ast.ImportFrom | ast.Import]
    defined: dict[str, ast.stmt]

    def entries(self) -> dict[str, ast.expr]:
        """Return the kinds of model in `MODELS`."""
        kinds = getattr(self.defined.get("MODELS"), "value", None)
        if not isinstance(kinds, ast.Dict) or not all(isinstance(key, ast.Constant) for key in kinds.keys):
            raise ValueError("MODELS is no plain dictionary")
        return {key.value: value for key, value in zip(kinds.keys, kinds.values, strict=True)}

    def segment(self, node: ast.AST) -> str:
        """Return the text of a node, with its decorators and the comments above it."""
        lines = self.text.splitlines()
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        while first > 1 and lines[first - 2].startswith("#"):
            first -= 1
        return "\n".join(lines[first - 1 : node.end_lineno])


def keep_own_kinds(base: str, ours: str, theirs: str) -> str:
    """Return the newer file with the definitions and entries of `MODELS` that `ours` adds to `base` or has otherwise.

    Imports are in the names of release 0.2.0, what the library now defines among them. Raises ValueError or SyntaxError
    if `ours` is laid out in another way than the release.
    """
    old, mine, new = (_read(text) for text in (base, ours, theirs))
    own = _find_own(old, mine)
    kinds, library = {}, new.entries()
    for name, value in mine.entries().items():
        same = name in library and name in old.entries() and ast.dump(value) == ast.dump(old.entries()[name])
        kinds[name] = library[name] if same and not _used(value) & own else value
    parts = [mine.segment(mine.defined[name]) for name in mine.defined if name in own]
    texts = {name: ast.get_source_segment(_origin(value, new, mine), value) for name, value in kinds.items()}
    used = set().union(*map(_used, kinds.values()), *(_used(mine.defined[name]) for name in own)) - own
    lent = sorted((used & old.defined.keys()) - {"MODELS"} | {"Model"})
    imports = [*_imports(mine, used), *_imports(new, used), f"from .candidates import {', '.join(lent)}"]
    head = new.text[: new.text.index("\nfrom ") + 1]
    entries = "".join(f'    "{name}": {text},\n' for name, text in texts.items())
    models = f"MODELS: dict[str, Model] = {{\n{entries}}}\n"
    return "\n\n".join(["\n".join([head, *imports]), new.segment(new.defined["__all__"]), *parts, models])


def find_own_names(base: str, ours: str) -> set[str]:
    """Return what `ours` defines and `base` does not, or otherwise."""
    return _find_own(_read(base), _read(ours))


def _read(text: str) -> Module:
    tree = ast.parse(text)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    defined = {name: node for node in tree.body if (name := _name(node))}
    return Module(text, imports, defined)


def _name(node: ast.stmt) -> str | None:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    return target.id if isinstance(target, ast.Name) else None


def _find_own(old: Module, mine: Module) -> set[str]:
    """Return what is new or changed, and what uses something that is changed."""
    shared = old.defined.keys() & mine.defined.keys()
    same = {name for name in shared if ast.dump(mine.defined[name]) == ast.dump(old.defined[name])}
    own = mine.defined.keys() - same
    own -= {"MODELS", "__all__"}
    while more := {name for name in shared - own - {"MODELS"} if _used(mine.defined[name]) & own}:
        own |= more
    return own


def _used(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _origin(value: ast.expr, new: Module, mine: Module) -> str:
    return new.text if any(value is each for each in new.entries().values()) else mine.text


def _imports(module: Module, used: set[str]) -> list[str]:
    """Return the imports of a module, without the names that are not used."""
    lines = []
    for node in module.imports:
        names = [alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) in used]
        if names:
            node.names = names
            lines.append(ast.unparse(node))
    return lines
