"""Write model card and data sheet, as Markdown and as one HTML file each; tell when they are stale."""

import json
import os
import re
from pathlib import Path

from ..gate.duties import find_open_duties
from .page import to_html
from .render import find_template, render, verdict

__all__ = ["is_stale", "write_cards"]

OPEN, CLOSE = "<!-- made from ", " -->"


def write_cards(root: Path, facts: dict, folder: Path) -> None:
    """Write model_card and data_sheet, .md and .html, into `folder`. The same facts give the same bytes.

    Parameters
    ----------
    root : Path
    facts : dict
        As `collect_facts` returns them, with the verdict as `registration`; without it the card states that the model was not checked.
    folder : Path
        Below `root`: the Markdown links to the plots from there, the HTML has them inside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    links = {path: Path(os.path.relpath(root / path, folder)).as_posix() for path in facts["plots"]}
    plots = {link: root / path for path, link in links.items()}
    stamp = _stamp(facts)
    shown = {"registration": {}} | facts | {"links": links} | _derive(facts)
    for name in ("model_card", "data_sheet"):
        text = render(find_template(root, name), shown)
        (folder / f"{name}.md").write_text(f"{stamp}\n\n{text}", encoding="utf-8")
        (folder / f"{name}.html").write_text(to_html(text, stamp, plots), encoding="utf-8")


def _derive(facts: dict) -> dict:
    """Return what the templates need beside the facts themselves."""
    requirements, tables = facts["requirements"], facts["tables"].values()
    points = (facts.get("registration") or {}).get("points") or []
    return {
        "by_gate": {point["gate"]: verdict(point) for point in points},
        "duties": find_open_duties(requirements),
        "reasons": {gate.name: gate.reason for gate in requirements.gates},
        "personal": [(table, column) for table in tables for column in table.columns.values() if column.pii],
    }


def _stamp(facts: dict) -> str:
    """Return the head: the md5 of all that the cards are made from."""
    made_from = {
        "model": facts["model"].get("md5", ""),
        "requirements": facts["requirements_md5"],
        **{f"data/processed/{name}.parquet": split["md5"] for name, split in facts["splits"].items()},
    }
    return OPEN + json.dumps(made_from) + CLOSE


def is_stale(card_text: str, model_md5: str, requirements_md5: str) -> str | None:
    """Return why a card is stale; None if it is not."""
    found = re.search(re.escape(OPEN) + "({.*})" + re.escape(CLOSE), card_text)
    if not found:
        return "the card has lost its head, which says what it was made from"
    made_from = json.loads(found[1])
    if made_from.get("model") != model_md5:
        return f"the card speaks of the model {made_from.get('model') or 'without a package'}, the model is {model_md5}"
    if made_from.get("requirements") != requirements_md5:
        return "docs/requirements.yaml has changed since the card was written"
    return None
