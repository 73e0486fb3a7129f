"""The verdict of the gate on the terminal, for `stagebook gate` and CI."""

import hashlib
import json
from pathlib import Path

from ruamel.yaml import YAML

from ..card.facts import find_model, hash_file
from ..card.write import is_stale
from ..gate.requirements import FILE
from .versions import find_refusals

__all__ = ["CARD", "REPORT", "print_verdict"]

REPORT = "reports/registration.json"
CARD = "reports/card/model_card.md"


def print_verdict(root: Path) -> int:
    """Print each point of the last verdict; return 0 if the model passed all and its card is up to date, else 1."""
    try:
        decision = json.loads((root / REPORT).read_text(encoding="utf-8"))
        points, left = decision["points"], list(decision["refused"])
    except (OSError, ValueError, KeyError, TypeError):
        print(f"REFUSED: {REPORT} is missing or says no points; no verdict, no promotion. `make pipeline` writes it.")
        return 1
    width = max((len(point["gate"]) for point in points), default=0)
    for point in points:
        print(f"{'passed ' if point['passed'] else 'REFUSED'}  {point['gate']:{width}}  {point['message']}")
    left += [reason for reason in find_refusals(decision) if reason not in left]
    left += _find_edits(root)
    left += [f"{CARD}: {stale}; `dvc repro register` writes it again" for stale in _find_stale(root)]
    for sentence in left:
        if sentence not in [point["message"] for point in points]:
            print(f"REFUSED  {sentence}")
    print(f"{decision.get('model')} version {decision.get('version')}: {'refused' if left else 'passed the gate'}")
    if base := decision.get("base"):
        print(f"A preview by the thresholds of {base}: nothing was registered or promoted.")
    return 1 if left else 0


def _find_edits(root: Path) -> list[str]:
    """Return whether the report is not the one that the pipeline wrote, by its hash in dvc.lock."""
    lock = root / "dvc.lock"
    stages = (YAML(typ="safe").load(lock.read_text(encoding="utf-8")) or {}).get("stages", {}) if lock.is_file() else {}
    hashes = {out["path"]: out.get("md5") for stage in stages.values() for out in stage.get("outs", [])}
    if hashes.get(REPORT) == hashlib.md5((root / REPORT).read_bytes()).hexdigest():
        return []
    return [
        f"{REPORT} is not what the pipeline wrote: dvc.lock has another hash. `dvc repro --force register` writes it again"
    ]


def _find_stale(root: Path) -> list[str]:
    card, model = root / CARD, find_model(root)
    if not card.is_file() or model is None:
        return ["card or model is missing"]
    stale = is_stale(card.read_text(encoding="utf-8"), hash_file(model), hash_file(root / FILE))
    return [stale] if stale else []
