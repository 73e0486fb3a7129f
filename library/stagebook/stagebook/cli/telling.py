"""Tell people what a command did, if NOTIFY_URL is set; a webhook that is away does not undo it."""

import json
import os
import sys
from pathlib import Path

from ..project.errors import StepError

__all__ = ["tell", "tell_verdict"]


def tell(title: str, text: str, why: str = "", **facts: object) -> None:
    """Send a message to NOTIFY_URL, if it is set; a warning says that it was not taken."""
    if not os.environ.get("NOTIFY_URL"):
        return
    from ..automate.notify import notify

    try:
        notify(title, f"{text} Why: {why}" if why else text, **facts)
    except StepError as error:
        print(f"WARNING: nobody was told: {error}", file=sys.stderr)


def tell_verdict(root: Path, event: str = "") -> None:
    """Tell that a training finished, if there is an `event`, and that the gate refused what came out of it, if it did."""
    from ..registry.verdict import REPORT
    from ..registry.versions import find_refusals

    try:
        decision = json.loads((root / REPORT).read_text(encoding="utf-8"))
        refused = find_refusals(decision)
    except (OSError, ValueError, TypeError):
        return
    name, version = decision.get("model"), decision.get("version")
    facts = {"model": name, "version": version}
    state = "the gate refused it" if refused else f"it passed the gate and is {decision.get('alias', 'registered')}"
    if event:
        tell(f"{event}: {name} version {version}", state, event="training finished", **facts)
    if refused:
        tell(f"The gate refused {name} version {version}", "\n".join(refused), event="gate refused", **facts)
