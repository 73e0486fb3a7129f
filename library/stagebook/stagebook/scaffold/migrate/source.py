"""Python source to rewrite: its parts, the imports in it as they will be, and the edits that keep all other text."""

import ast
import re
from collections import Counter
from dataclasses import dataclass, field

from .renames import Renames, Target

__all__ = ["Module", "Note", "Part", "Source", "Statement", "mentions", "parse_part"]

LONGEST = 120


@dataclass(frozen=True)
class Note:
    """What a person must look at: in which part (cell) and line, and what to do."""

    part: int
    line: int
    text: str


@dataclass
class Part:
    """A cell or a module: its lines as bytes, since `ast` counts bytes, and the edits to make."""

    number: int
    lines: list[bytes]
    tree: ast.Module
    edits: list[tuple[tuple[int, int], tuple[int, int], str]] = field(default_factory=list)

    def replace(self, node: ast.AST, text: str) -> None:
        """Replace the text of a node."""
        self.edits.append(((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset), text))

    def text(self) -> str:
        """Return the source with all edits made, the last one first."""
        lines = list(self.lines)
        for (row, start), (last, end), text in sorted(self.edits, reverse=True):
            whole = lines[row - 1][:start] + text.encode() + lines[last - 1][end:]
            lines[row - 1 : last] = [whole]
        return b"\n".join(lines).decode()


@dataclass
class Statement:
    """An import as it will be: names by module, or the text of a plain `import`."""

    part: Part
    node: ast.Import | ast.ImportFrom
    names: dict[str, list[str]] = field(default_factory=dict)
    plain: str = ""

    def write(self) -> None:
        """Put the new text in place of the old one; comments inside it come first."""
        indent, last = " " * self.node.col_offset, self.node.end_lineno
        inside = b"\n".join(self.part.lines[self.node.lineno - 1 : last - 1]).decode()
        comments = [found[0] for line in inside.splitlines() if (found := re.search(r"#[^'\"]*$", line))]
        imports = [_statement(module, names, indent) for module, names in sorted(self.names.items()) if names]
        lines = [*comments, *imports, *filter(None, [self.plain])]
        self.part.replace(self.node, f"\n{indent}".join(lines))


@dataclass
class Module:
    """A module of the former machinery: its name, the statement that imports it, and uses that went elsewhere."""

    name: str
    statement: Statement
    text: str = ""  # in the statement
    moved: int = 0


@dataclass
class Source:
    """The parts that share their names, such as the cells of a notebook."""

    renames: Renames
    module: str  # its dotted name, from which relative imports start; of a notebook ""
    home: str  # the name that it will have
    parts: list[Part]
    notes: list[Note]
    bound: Counter = field(default_factory=Counter)  # how often a name is bound
    renamed: dict[str, str] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)  # by the name that they have here
    statements: list[Statement] = field(default_factory=list)
    added: set[Target] = field(default_factory=set)  # what names stand for that are imported anyway
    quoted: set[str] = field(default_factory=set)  # names in f-strings, whose places Python 3.11 does not tell

    def absolute(self, node: ast.ImportFrom) -> str:
        """Return the absolute name of the module that an import names."""
        if not node.level:
            return node.module or ""
        above = self.module.split(".")[: -node.level]
        return ".".join([*above, *filter(None, [node.module])])

    def count_bindings(self) -> None:
        """Count where each name gets a value: a name with two origins is not renamed."""
        for part in self.parts:
            for node in ast.walk(part.tree):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
                    self.bound[node.id] += 1
                elif isinstance(node, ast.arg):
                    self.bound[node.arg] += 1
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    self.bound[node.name] += 1
                elif isinstance(node, ast.Import | ast.ImportFrom):
                    self.bound.update({alias.asname or alias.name.split(".")[0] for alias in node.names})
                elif isinstance(node, ast.JoinedStr):
                    self.quoted |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}

    def alias(self, alias: ast.alias, name: str) -> str:
        if alias.asname or name == alias.name:
            return name + (f" as {alias.asname}" if alias.asname else "")
        if self.bound[alias.name] == 1 and not self.bound[name] and alias.name not in self.quoted:
            self.renamed[alias.name] = name
            return name
        if self.renamed.get(alias.name) == name:
            return name
        return f"{name} as {alias.name}"

    def relative(self, module: str) -> str:
        """Return a module of the library as a module of the library imports it: with dots."""
        if not self.home or not module.startswith("stagebook"):
            return module
        here, there = self.home.split(".")[:-1], module.split(".")
        same = 0
        while same < min(len(here), len(there)) and here[same] == there[same]:
            same += 1
        return "." * (len(here) - same + 1) + ".".join(there[same:])


def mentions(text: str, renames: Renames, module: str) -> bool:
    return renames.package in text or (bool(module) and re.search(r"^\s*from \.", text, re.MULTILINE) is not None)


def parse_part(number: int, text: str, source: Source) -> Part | None:
    """Return a part; None, with a note if it needs one, if it is no Python."""
    if text.lstrip().startswith("%%"):
        if source.renames.package in text:
            source.notes.append(Note(number, 1, "a cell with a magic command names the package: check it"))
        return None
    plain = re.sub(r"^(\s*)[%!].*$", r"\1pass", text, flags=re.MULTILINE)
    try:
        return Part(number, text.encode().split(b"\n"), ast.parse(plain))
    except SyntaxError as error:
        source.notes.append(Note(number, error.lineno or 1, "cannot be parsed, so its imports are as before"))
        return None


def _statement(module: str, names: list[str], indent: str) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(indent + line) <= LONGEST:
        return line
    return f"from {module} import (\n" + "".join(f"{indent}    {name},\n" for name in names) + f"{indent})"
