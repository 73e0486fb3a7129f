"""What reports/inspection.json and reports/backtest.json say, for the model card; a section is left out if the report has nothing of it."""

from ..project.markdown import prose, table
from .evidence import pictures, show_interval
from .parts import bullets, section, show, show_figure

__all__ = ["behaviour", "fairness", "importance", "over_time", "segments"]

MOST = 20  # rows of a table that people read


def segments(facts: dict, links: dict[str, str]) -> list[str]:
    """In which groups of rows the model is worse than on average."""
    groups = facts["inspection"].get("segments") or {}
    titles = {"named": "Named in docs/requirements.yaml, worst first", "found": "Found by search, worst first"}
    blocks = []
    for kind, title in titles.items():
        listed = sorted(groups.get(kind) or [], key=lambda one: -(one.get("ratio") or 0))
        rows = [
            [prose(one["segment"]), *(show_figure(one.get(key)) for key in ("rows", "loss", "ratio"))] for one in listed
        ]
        more = f" ({len(rows) - MOST} more in reports/inspection.json)" if len(rows) > MOST else ""
        head = ["segment", "rows", "loss", "ratio"]
        blocks += [[title + more], table(head, rows[:MOST], right="rows loss ratio")] if rows else []
    ratio = ["Ratio: the segment's loss by the loss of all rows; above 1 it is served worse."] if blocks else []
    return section("Segments", ratio, *blocks, pictures(links, "inspection/segment"))


def fairness(facts: dict, links: dict[str, str]) -> list[str]:
    """How different the groups of sensitive columns are served."""
    columns, named = facts["inspection"].get("fairness") or {}, facts["requirements"].sensitive
    if not columns:
        unnamed = "docs/requirements.yaml names no column that tells groups of people apart."
        return section("Fairness", [f"Not compared yet: {', '.join(map(prose, named))}." if named else unnamed])
    rows = []
    for name, entry in columns.items():
        groups = ", ".join(f"{prose(group)} {show(number)}" for group, number in (entry.get("groups") or {}).items())
        difference = [show(entry.get("difference")), show_interval(entry.get("interval"))]
        rows.append([prose(name), prose(entry.get("figure", "")), *difference, groups])
    head = ["column", "figure", "difference", "interval", "groups"]
    return section("Fairness", table(head, rows, right="difference"), pictures(links, "inspection/fairness"))


def behaviour(facts: dict) -> list[str]:
    """Which tests of what a model must do it passes."""
    said = facts["inspection"].get("behaviour") or {}
    failed = said.get("failed") or []
    tests = [test.get("name", "") if isinstance(test, dict) else test for test in said.get("tests") or []]
    listed = [f"{prose(test)}: {'refused' if test in failed else 'passed'}" for test in tests]
    counts = [f"{said.get('passed', 0)} passed, {len(failed)} failed."] if said else []
    return section("Behaviour", counts, bullets(listed or [f"{prose(name)}: refused" for name in failed]))


def importance(facts: dict, links: dict[str, str]) -> list[str]:
    """What the model looks at: how much the loss rises when a column is shuffled."""
    ranked = sorted((facts["inspection"].get("importance") or {}).items(), key=lambda item: -item[1])
    rows = [[prose(name), show_figure(rise), prose(facts["meanings"].get(name, ""))] for name, rise in ranked[:MOST]]
    block = table(["column", "importance", "meaning"], rows, right="importance") if rows else []
    what = ["Importance: how much worse the model gets when the column is shuffled."] if rows else []
    return section("What the model looks at", what, block, pictures(links, "inspection"))


def over_time(facts: dict, links: dict[str, str]) -> list[str]:
    """How it would have done in each period, learning from what was known before."""
    said = facts["backtest"]
    head = ["period", "rows", said.get("metric", ""), "loss", "loss of the trivial model"]
    keys = ("rows", "candidate", "candidate_loss", "trivial_loss")
    rows = [[prose(one["name"]), *(show_figure(one.get(key)) for key in keys)] for one in said.get("periods") or []]
    growth = [f"Learning curve: {prose(said['more_rows']['says'])}."] if said.get("more_rows") else []
    block = table(head, rows, right=" ".join(keys)) if rows else []
    return section("Period by period", block, growth, pictures(links, "backtest"))
