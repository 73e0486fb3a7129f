"""Rewrite imports of the former machinery, and uses of renamed names, in Python source: text and comments stay."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

from .renames import Renames, Target
from .source import Module, Note, Part, Source, Statement, mentions, parse_part

__all__ = ["rewrite"]


def rewrite(texts: list[str], renames: Renames, module: str = "", home: str = "") -> tuple[list[str], list[Note]]:
    """Return the sources with names as the library has them, and what could not be rewritten.

    Parameters
    ----------
    texts : list of str
        Cells of a notebook, or one module.
    renames : Renames
    module : str
        Dotted name of the module, for its relative imports; empty for a notebook.
    home : str
        Its name from now on, if it moves into the library, whose modules import each other by relative names.
    """
    if not any(mentions(text, renames, module) for text in texts):
        return texts, []
    source = Source(renames, module, home, [], [])
    for number, text in enumerate(texts):
        if part := parse_part(number, text, source):
            source.parts.append(part)
    source.count_bindings()
    for part in source.parts:
        for node in ast.walk(part.tree):
            if isinstance(node, ast.ImportFrom):
                _rewrite_from(source, part, node)
            elif isinstance(node, ast.Import):
                _rewrite_import(source, part, node)
    for part in source.parts:
        _rewrite_uses(source, part)
        _note_f_strings(source, part)
    _drop_unused(source)
    for statement in source.statements:
        statement.write()
    new = list(texts)
    for part in source.parts:
        new[part.number] = part.text()
    return new, source.notes


def _rewrite_from(source: Source, part: Part, node: ast.ImportFrom) -> None:
    module, renames = source.absolute(node), source.renames
    if renames.below(module) is None:
        return
    targets = {alias: renames.find(module, alias.name) for alias in node.names}
    statement = Statement(part, node)
    for alias, target in targets.items():
        if advice := renames.advice(module, alias.name):
            source.notes.append(Note(part.number, node.lineno, advice))
        if alias.name == "*" and target:
            source.notes.append(Note(part.number, node.lineno, f"`import *`: names that left {module} are missing"))
        new, name = (target.module, target.name) if target else ("." * node.level + (node.module or ""), alias.name)
        new, text = source.relative(new), source.alias(alias, name)
        statement.names.setdefault(new, []).append(text)
        if f"{renames.below(module)}.{alias.name}".removeprefix(".") in renames.modules:
            source.modules[alias.asname or alias.name] = Module(f"{module}.{alias.name}", statement, text)
        elif target and not node.col_offset and text == name:
            source.added.add(target)
    if any(targets.values()):
        source.statements.append(statement)


def _rewrite_import(source: Source, part: Part, node: ast.Import) -> None:
    """Rewrite `import package.room.module`, with `as` or without."""
    statement, texts = Statement(part, node), []
    for alias in node.names:
        new = source.renames.find_module(alias.name) if source.renames.below(alias.name) else None
        if new:
            source.modules[alias.asname or alias.name] = Module(alias.name, statement)
        texts.append((new or alias.name) + (f" as {alias.asname}" if alias.asname else ""))
        if advice := source.renames.gone.get(source.renames.below(alias.name) or ""):
            source.notes.append(Note(part.number, node.lineno, f"`{alias.name}` is not in the library: {advice}"))
    statement.plain = f"import {', '.join(texts)}"
    if any(module.statement is statement for module in source.modules.values()):
        source.statements.append(statement)


def _drop_unused(source: Source) -> None:
    """Leave out the import of a module whose names have all gone elsewhere."""
    used = Counter(node.id for part in source.parts for node in ast.walk(part.tree) if isinstance(node, ast.Name))
    for name, module in source.modules.items():
        if module.moved and module.moved == used[name] and module.text:
            next(names for names in module.statement.names.values() if module.text in names).remove(module.text)


def _rewrite_uses(source: Source, part: Part) -> None:
    """Rename names, and follow attributes of modules whose names are elsewhere now."""
    for node in _outside_f_strings(part.tree):
        if isinstance(node, ast.Name) and node.id in source.renamed:
            part.replace(node, source.renamed[node.id])
        elif isinstance(node, ast.Attribute):
            _rewrite_attribute(source, part, node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            _rewrite_text(source, part, node)


def _outside_f_strings(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.JoinedStr):
            yield from _outside_f_strings(child)


def _note_f_strings(source: Source, part: Part) -> None:
    """Tell which f-strings use a module whose names are elsewhere now."""
    quoted = [each for node in ast.walk(part.tree) if isinstance(node, ast.JoinedStr) for each in ast.walk(node)]
    for used in (each for each in quoted if isinstance(each, ast.Attribute)):
        module = source.modules.get(ast.unparse(used.value))
        target = module and source.renames.find(module.name, used.attr)
        if target and target != Target(source.renames.find_module(module.name) or "", used.attr):
            text = f"an f-string uses `{ast.unparse(used)}`, which is `{target.module}.{target.name}` now"
            source.notes.append(Note(part.number, used.lineno, text))


def _rewrite_attribute(source: Source, part: Part, node: ast.Attribute) -> None:
    dotted = ast.unparse(node.value) if isinstance(node.value, ast.Attribute | ast.Name) else ""
    if dotted not in source.modules:
        return
    module = source.modules[dotted]
    if advice := source.renames.advice(module.name, node.attr):
        source.notes.append(Note(part.number, node.lineno, advice))
    new = source.renames.find_module(module.name)
    target = source.renames.find(module.name, node.attr) or Target(module.name, node.attr)
    if target.module == new:
        here = new if "." in dotted else dotted
        if (here, target.name) != (dotted, node.attr):
            part.replace(node, f"{here}.{target.name}")
    elif target not in source.added and source.bound[target.name]:
        text = (
            f"`{dotted}.{node.attr}` is `{target.module}.{target.name}` now; `{target.name}` has another meaning here"
        )
        source.notes.append(Note(part.number, node.lineno, text))
    else:
        part.replace(node, target.name)
        module.moved += 1
        if target not in source.added:
            source.added.add(target)
            source.bound[target.name] += 1
            module.statement.names.setdefault(source.relative(target.module), []).append(target.name)


def _rewrite_text(source: Source, part: Part, node: ast.Constant) -> None:
    """Rewrite a text that is a dotted name, as `monkeypatch.setattr` and entry points take it."""
    if source.renames.below(node.value) is None or not re.fullmatch(r"[\w.]+(:\w+)?", node.value):
        return
    module, joint, name = re.fullmatch(r"(.*?)(?:([.:])(\w+))?", node.value).groups("")
    target = source.renames.find(module, name)
    found = source.renames.find_module(node.value) or (target and f"{target.module}{joint}{target.name}")
    segment = b"\n".join(part.lines[node.lineno - 1 : node.end_lineno]).decode()
    if found and node.lineno == node.end_lineno and node.value in segment:
        raw = part.lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()
        part.replace(node, raw.replace(node.value, found))
