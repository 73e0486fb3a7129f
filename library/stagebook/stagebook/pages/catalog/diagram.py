"""The lineage as a diagram in Mermaid, which GitHub draws."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from .graph import REGISTRATION, Graph, Output
from .meaning import dataset_name

__all__ = ["draw_lineage"]

STYLES = {
    "step": "fill:#ffffff,stroke:#57606a,color:#24292f",
    "data": "fill:#ddf4ff,stroke:#0969da,color:#24292f",
    "model": "fill:#fff8c5,stroke:#9a6700,color:#24292f",
    "report": "fill:#f6f8fa,stroke:#afb8c1,color:#57606a",
}


def draw_lineage(root: Path, graph: Graph) -> list[str]:
    """Return the lines of a flowchart: files, the steps between them, and the version of the model at the end."""
    shown = [path for path, output in graph.outputs.items() if _is_shown(graph, output)]
    ids = {path: f"f{number}" for number, path in enumerate(shown)}
    lines = ["flowchart TB"]
    for path in shown:
        name = dataset_name(path) if graph.outputs[path].is_table else path
        lines.append(f'  {ids[path]}["{_label(name)}"]:::{_kind(path)}')
    for number, step in enumerate(graph.steps):
        lines.append(f'  s{number}(["{_label(step.name)}"]):::step')
        lines += [f"  {ids[path]} --> s{number}" for path in step.reads if path in ids]
        lines += [f"  s{number} --> {ids[path]}" for path in step.writes if path in ids]
        if REGISTRATION in step.writes:
            lines += _draw_version(root, graph, f"s{number}")
    return [*lines, *(f"  classDef {name} {style}" for name, style in STYLES.items())]


def _is_shown(graph: Graph, output: Output) -> bool:
    """A file that no step reads is shown if it is a table or a model."""
    return output.is_table or output.path.startswith("models/") or bool(graph.readers(output.path))


def _kind(path: str) -> str:
    return {"data": "data", "models": "model"}.get(path.split("/")[0], "report")


def _label(text: str) -> str:
    return re.sub(r"[^\w /.,:-]", lambda found: f"#{ord(found[0])};", text)


def _draw_version(root: Path, graph: Graph, step: str) -> Iterator[str]:
    if graph.outputs[REGISTRATION].here:
        decision = json.loads((root / REGISTRATION).read_text(encoding="utf-8"))
        name = _label(f"{decision.get('model', 'model')} version {decision.get('version', '')}")
        yield f'  {step} --> version[["{name}<br>{_label(decision.get("alias", ""))}"]]:::model'
