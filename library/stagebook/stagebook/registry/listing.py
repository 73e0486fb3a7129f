"""The versions of the model and the history of its champions, as text for 120 columns."""

import textwrap
from contextlib import suppress
from datetime import UTC, datetime

import mlflow
from mlflow.exceptions import MlflowException

__all__ = ["show_history", "show_versions"]

WIDTH = 120


def show_versions(versions: list[dict]) -> str:
    """Return a line per version, as `list_models` returns them."""
    table = [("version", "stage", "aliases", "registered UTC", "metric", "commit", "size", "gate")]
    for version in versions:
        registered = datetime.fromtimestamp(version["registered"] / 1000, UTC)
        table.append(
            (
                str(version["version"]),
                version["stage"],
                ", ".join(version["aliases"]),
                f"{registered:%Y-%m-%d %H:%M}",
                _metric(version["decision"]),
                _commit(version["run"]),
                _size(version["bytes"]),
                _verdict(version),
            )
        )
    return _align(table)


def show_history(entries: list[dict]) -> str:
    """Return a line per entry, as `list_models` returns them."""
    table = [("entry", "when UTC", "who", "kind", "version", "why")]
    for entry in entries:
        when = entry["when"][:16].replace("T", " ")
        table.append((str(entry["number"]), when, entry["who"], entry["kind"], str(entry["version"]), entry["why"]))
    return _align(table)


def _align(table: list[tuple[str, ...]]) -> str:
    """Return the rows with their columns below each other; the last column has what is left of the width."""
    widths = [min(max(map(len, column)), 24) for column in list(zip(*table, strict=True))[:-1]]
    lines = []
    for *cells, last in table:
        cut = (
            cell if len(cell) <= width else f"{cell[: width - 1]}…" for cell, width in zip(cells, widths, strict=True)
        )
        start = "".join(f"  {cell:{width}}" for cell, width in zip(cut, widths, strict=True)) + "  "
        lines += textwrap.wrap(last, WIDTH, initial_indent=start, subsequent_indent=" " * len(start)) or [start]
    return "\n".join(line.rstrip() for line in lines)


def _metric(decision: dict) -> str:
    value = decision.get("candidate")
    return f"{value:.4g} {decision['metric']}" if isinstance(value, int | float) else "none"


def _verdict(version: dict) -> str:
    """Return the gate's verdict on a version in a few words; a refused `make promote` prints all of it."""
    decision = version["decision"]
    if version["rolled_back"]:
        return "rolled back"
    if "refused" not in decision:
        return "not checked"
    if decision["refused"]:
        gates = [point["gate"] for point in decision.get("points", []) if not point["passed"]]
        return f"refused by {', '.join(gates)}" if gates else "refused"
    against = decision.get("champion")
    return "passed" if against is None else f"passed at champion {against}"


def _commit(run: str | None) -> str:
    tags = {}
    with suppress(MlflowException):  # the run was deleted
        tags = mlflow.MlflowClient().get_run(run).data.tags if run else {}
    changed = "+" if tags.get("git.dirty") == "true" else ""
    return tags.get("mlflow.source.git.commit", "unknown")[:8] + changed


def _size(size: str | None) -> str:
    return (
        "unknown" if size is None else f"{int(size) / 1e6:.1f} MB" if int(size) >= 1e6 else f"{int(size) / 1e3:.0f} kB"
    )
