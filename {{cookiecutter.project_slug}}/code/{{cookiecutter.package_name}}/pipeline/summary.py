"""What the last execution of the pipeline came to, in a few lines."""

import json
from pathlib import Path

__all__ = ["summarise"]


def summarise(root: Path) -> str:
    """Return the hold-out figures, what has moved, the decision of the gate, and where to look next."""
    metrics = _read(root / "reports" / "metrics.json")
    decision = _read(root / "reports" / "registration.json")
    columns = list(metrics["candidate"])
    widths = [max(len(column), 9) + 3 for column in columns]
    lines = [
        f"Hold-out: {_describe(metrics['holdout'], _read(root / 'data' / 'interim' / 'task.json'))}",
        f"  {'':10}" + "".join(f"{column:>{width}}" for column, width in zip(columns, widths, strict=True)),
    ]
    for model in ("trivial", "baseline", "candidate"):
        values = (_number(metrics[model][column]) for column in columns)
        lines.append(
            f"  {model:10}" + "".join(f"{value:>{width}}" for value, width in zip(values, widths, strict=True))
        )
    verdict = f"{decision['model']} version {decision['version']} is {decision['alias']}"
    if decision["refused"]:
        verdict += ": " + "; ".join(decision["refused"])
    if findings := _read(root / "reports" / "validation.json")["findings"]:
        lines.append(f"Value skew: {len(findings)} moves since data/baseline.json; first, {findings[0]['message']}")
    lines += [
        f"Registered: {verdict}",
        "Look at:",
        *(f"  {page.relative_to(root)}" for page in sorted((root / "reports").glob("[0-9]*.html"))),
        "  `make ui` for the runs in MLflow, `make lab` for the notebooks",
    ]
    return "\n".join(lines)


def _describe(holdout: dict, task: dict) -> str:
    """Say how many rows there are, and how the target is distributed in them; of many classes, the five largest."""
    rows = f"{holdout['rows']:,} rows; "
    if "share" not in holdout:
        return (
            rows
            + f"{task['target']} {_number(holdout['mean'])} on average, standard deviation {_number(holdout['sd'])}"
        )
    shares = dict(zip(task["classes"], holdout["share"].values(), strict=True))
    if len(shares) == 2:
        shares.pop(task["classes"][0])
    most = sorted(shares, key=shares.get, reverse=True)[:5]
    return rows + ", ".join(f"{name} {shares[name]:.1%}" for name in most) + (", ..." if len(shares) > 5 else "")


def _number(value: float) -> str:
    """Return four decimals where they say something, else four digits."""
    return f"{value:,.4f}" if value == 0 or 0.0001 <= abs(value) < 1e6 else f"{value:.3e}"


def _read(file: Path) -> dict:
    return json.loads(file.read_text(encoding="utf-8"))
