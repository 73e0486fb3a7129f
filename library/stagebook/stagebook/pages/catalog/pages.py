"""The pages of the catalog: one per table, and an index."""

import json
import re
from pathlib import Path

from ...project.markdown import INDEX, MARK, code, link, prose, show_bytes, show_share, table
from .diagram import draw_lineage
from .graph import SOURCE, Graph, Output, Step
from .meaning import Meanings, TableMeaning, dataset_name
from .tables import TableFacts, read_facts

__all__ = ["name_pages", "write_pages"]


def write_pages(root: Path, graph: Graph, meanings: Meanings) -> dict[str, str]:
    """Return the text of each page by file name: a page per table that is there, and the index."""
    made = {path: output for path, output in graph.outputs.items() if output.is_table and output.md5}
    names = name_pages(made)
    facts = {path: read_facts(root / path) for path in made}
    origins = _read_origins(root, graph)
    pages = {
        names[path]: _page(output, facts[path], meanings, origins.get(Path(path).stem, {}))
        for path, output in made.items()
    }
    return {INDEX: _index(root, graph, meanings, facts, names)} | pages


def name_pages(paths: dict[str, Output]) -> dict[str, str]:
    """Return the file name of each dataset's page: raw-flights.md for data/raw/flights.parquet."""
    taken, names = {INDEX.casefold()}, {}
    for path in paths:
        stem = re.sub(r"[^\w.-]+", "-", path.removeprefix("data/").removesuffix(".parquet"))
        choices = (f"{stem}{number}.md" for number in ("", *(f"-{again}" for again in range(2, 10_000))))
        names[path] = next(name for name in choices if name.casefold() not in taken)
        taken.add(names[path].casefold())
    return names


def _page(output: Output, facts: TableFacts, meanings: Meanings, origin: dict) -> str:
    said, known = meanings.table(output.path), meanings.columns(output.path)
    rows = []
    for column in facts.columns:
        meaning = known.get(column.name)
        written = (
            [prose(meaning.unit), prose(meaning.description), meaning.pii and f"yes: {meaning.pii}"]
            if meaning
            else ["", "", ""]
        )
        share = show_share(column.missing, facts.rows)
        rows.append([code(column.name), code(column.type), written[0], share, written[2], written[1]])
    head = ["column", "type", "unit", "missing", "PII", "meaning"]
    lines = [MARK, "", f"# {prose(output.path)}", "", *([prose(said.description), ""] if said.description else [])]
    lines += [*_facts(output, facts, said, origin, meanings.graph), "", "## Columns", ""]
    lines += [*table(head, rows, right="missing"), ""]
    lines += [
        "Missing: no value, or empty text. PII: personal data, and what is done with it before `data/interim/`.",
        "",
    ]
    return "\n".join([*lines, link("All data", INDEX), ""])


def _facts(output: Output, facts: TableFacts, said: TableMeaning, origin: dict, graph: Graph) -> list[str]:
    lines = {
        "owner": prose(said.owner),
        "rows": f"{facts.rows:,}",
        "columns": f"{len(facts.columns):,}",
        "size": show_bytes(output.size),
        "md5": code(output.md5),
        "origin": ", ".join(
            f"{prose(name)} {prose(value)}" for name, value in origin.items() if name not in ("rows", "columns")
        ),
    }
    if said.raw:
        joins = [f"{prose(name)} by {', '.join(map(code, keys))}" for name, keys in said.raw.joins.items()]
        lines |= {"key": ", ".join(map(code, said.raw.key)), "joins": "; ".join(joins)}
        lines["kept for"] = f"{said.raw.retention_days} days" if said.raw.retention_days else ""
    lines["written by"] = _step(graph.writer(output.path))
    lines["read by"] = "<br>".join(map(_step, graph.readers(output.path)))
    return table(["", ""], [[name, value] for name, value in lines.items() if value])


def _step(step: Step, described: bool = True) -> str:
    name = link(prose(step.name), f"../../{step.notebook}") if step.notebook else prose(step.name)
    return f"{name}: {prose(step.description)}" if described and step.description else name


def _steps(steps: list[Step]) -> str:
    return ", ".join(_step(step, described=False) for step in steps)


def _read_origins(root: Path, graph: Graph) -> dict[str, dict]:
    """Return, per raw table, what data/raw/source.json says of its origin."""
    if SOURCE not in graph.outputs or not graph.outputs[SOURCE].here:
        return {}
    source = json.loads((root / SOURCE).read_text(encoding="utf-8"))
    common = {name: value for name, value in source.items() if not isinstance(value, dict | list)}
    return {name: common | entry for name, entry in source.get("tables", {}).items()}


def _index(root: Path, graph: Graph, meanings: Meanings, facts: dict[str, TableFacts], names: dict[str, str]) -> str:
    tables, others = [], []
    for path, output in graph.outputs.items():
        steps = [_steps([graph.writer(path)]), _steps(graph.readers(path))]
        if path in facts:
            said, columns = meanings.table(path), meanings.columns(path)
            personal = sum(column.name in columns and bool(columns[column.name].pii) for column in facts[path].columns)
            counts = [f"{facts[path].rows:,}", f"{len(facts[path].columns):,}", str(personal or "")]
            name = link(prose(dataset_name(path)), names[path])
            tables.append([name, prose(said.description), *counts, prose(said.owner), *steps])
        elif output.md5 and path.startswith(("data/", "models/")):
            others.append([code(path), show_bytes(output.size), code(output.md5), *steps])
    schema = link("data/schema.yaml", "../../data/schema.yaml")
    lines = [MARK, "", "# The data", "", f"What it means is said in {schema}; the rest is read from the files.", ""]
    head = ["table", "what", "rows", "columns", "PII", "owner", "written by", "read by"]
    lines += [*table(head, tables, right="rows columns PII"), "", "PII: how many columns hold personal data.", ""]
    if others:
        head = ["file", "size", "md5", "written by", "read by"]
        lines += ["## Models and other files", "", *table(head, others, right="size"), ""]
    lines += ["## Lineage", "", "From the raw tables to the registered model. What is round is a step.", ""]
    return "\n".join([*lines, "```mermaid", *draw_lineage(root, graph), "```", ""])
