"""What the last execution of the pipeline came to, in a few lines."""

import json
from pathlib import Path

__all__ = ["summarise"]


def summarise(root: Path) -> str:
    """Return the hold-out figures, the decision of the gate, and where to look next."""
    metrics = _read(root / "reports" / "metrics.json")
    decision = _read(root / "reports" / "registration.json")
    columns = list(metrics["candidate"])
    lines = [
        f"Hold-out: {metrics['holdout']['rows']:,} flights, {metrics['holdout']['late_share']:.1%} late",
        f"  {'':10}" + "".join(f"{column:>20}" for column in columns),
    ]
    for model in ("trivial", "baseline", "candidate"):
        lines.append(f"  {model:10}" + "".join(f"{metrics[model][column]:20.4f}" for column in columns))
    verdict = f"{decision['model']} version {decision['version']} is {decision['alias']}"
    if decision["refused"]:
        verdict += ": " + "; ".join(decision["refused"])
    lines += [
        f"Registered: {verdict}",
        "Look at:",
        *(f"  {page.relative_to(root)}" for page in sorted((root / "reports").glob("[0-9]*.html"))),
        "  `make ui` for the runs in MLflow, `make lab` for the notebooks",
    ]
    return "\n".join(lines)


def _read(file: Path) -> dict:
    return json.loads(file.read_text(encoding="utf-8"))
