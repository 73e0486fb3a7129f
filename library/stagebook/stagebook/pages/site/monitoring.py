"""The page *Monitoring*: the verdict on the newest window, its alarms, and the history over windows."""

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure

from ...evaluate.metrics import PRIMARY
from ...monitor import history
from ...monitor.alarms import ASSUMPTION, describe_verdict, find_links
from ...monitor.settings import FILE, read_monitoring
from ...monitor.triggers import decide
from ...monitor.windows import as_utc, name_of
from ...project.markdown import code, prose, show_number, table
from .links import Site, link_report

__all__ = ["PAGE", "write_monitoring_page"]

PAGE = "monitoring.md"
REPORTS = {"reports/90_monitor.html": "The report of the newest window", "reports/95_replay.html": "The replay"}
HEAD = ["window", "rows", "true values", "versions", "performance", "expected", "moved features", "notes"]
ABOUT = (
    "The newest window first. In brackets: the confidence interval. *Expected* is estimated without true values. "
    + ASSUMPTION
)
NOT_YET = "No window has been measured yet: `stagebook run pipelines/monitoring/90_monitor.ipynb` measures them."
MOST_WINDOWS, MOST_NAMES, SHORT = 60, 3, 12


def write_monitoring_page(site: Site) -> bool:
    """Write monitoring.md if the project has docs/monitoring.yaml; return whether it has.

    The verdict is that at the end of the newest window, so that equal records give an equal page.
    """
    if not (site.root / FILE).is_file():
        return False
    records = history.read_history(site.root / history.FILE)[-MOST_WINDOWS:]
    links = [link_report(PAGE, file, name) for file, name in REPORTS.items() if file in site.reports]
    lines = ["# Monitoring", "", *(f"- {one}" for one in links), ""]
    lines += _history(site, records) if records else [NOT_YET]
    (site.source / PAGE).write_text("\n".join([*lines, ""]), encoding="utf-8")
    return True


def _history(site: Site, records: list[dict]) -> list[str]:
    settings = read_monitoring(site.root / FILE)
    ends = [as_utc(end) for record in records if (end := record["window"].get("until"))]
    shown = []
    if ends:
        verdict = decide(records, settings, max(ends))
        links = [link for link in find_links(site.root) if link[0] != "report"]
        links = [(text, code(target)) for text, target in links]
        shown = [describe_verdict(verdict, records, settings, max(ends), links), ""]
    metric = _deciding(records)
    if metric:
        (site.source / "monitoring.svg").write_text(draw_windows(records, metric), encoding="utf-8")
        shown += [f"![{prose(metric)} over windows](monitoring.svg)", ""]
    rows = [_row(record, metric) for record in reversed(records)]
    return [*shown, "## History over windows", "", ABOUT, "", *table(HEAD, rows, right="rows")]


def _deciding(records: Sequence[dict]) -> str:
    """Return the metric that decides, as far as a record has it; empty if none has."""
    known = {name for record in records for part in ("performance", "estimate") for name in record.get(part) or {}}
    return next((name for name, _ in PRIMARY.values() if name in known), "")


def _row(record: dict, metric: str) -> list[str]:
    versions = ", ".join(f"{prose(name)}: {count:,}" for name, count in (record.get("versions") or {}).items())
    moved = (record.get("drift") or {}).get("moved") or []
    named = ", ".join(map(code, moved[:MOST_NAMES])) + (
        f" and {len(moved) - MOST_NAMES} more" * (len(moved) > MOST_NAMES)
    )
    values = [_interval(record, part, metric) for part in ("performance", "estimate")]
    notes = "; ".join(map(prose, record.get("notes") or []))
    return [
        code(name_of(record)),
        f"{record['rows']:,}",
        f"{record.get('labelled', 0):,}",
        versions,
        *values,
        named,
        notes,
    ]


def _interval(record: dict, part: str, metric: str) -> str:
    found = (record.get(part) or {}).get(metric) or {}
    if found.get("value") is None:
        return ""
    ends = [found.get(end) for end in ("low", "high")]
    return show_number(found["value"]) + (
        "" if None in ends else f" ({show_number(ends[0])} to {show_number(ends[1])})"
    )


def draw_windows(records: Sequence[dict], metric: str) -> str:
    """Return the deciding metric over the windows, true and expected, as SVG; equal records give equal text."""
    with matplotlib.rc_context({"svg.hashsalt": metric, "font.size": 9}):
        figure = Figure(figsize=(8, 3), layout="constrained")
        axis = figure.subplots()
        for part, color, label in (
            ("performance", "tab:blue", "with true values"),
            ("estimate", "tab:gray", "expected"),
        ):
            points = [(place, one) for place, record in enumerate(records) if (one := _triple(record, part, metric))]
            places, values = [place for place, _ in points], [one[0] for _, one in points]
            spread = [[one[0] - one[1] for _, one in points], [one[2] - one[0] for _, one in points]]
            axis.errorbar(places, values, yerr=spread, marker="o", capsize=2, color=color, label=label)
        names = [name_of(record) for record in records]
        step = max(1, len(names) // SHORT)
        axis.set_xticks(range(0, len(names), step), [_plain(name) for name in names[::step]], rotation=30, ha="right")
        axis.set(ylabel=metric)
        axis.grid(alpha=0.3)
        axis.legend()
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _triple(record: dict, part: str, metric: str) -> tuple[float, float, float] | None:
    found = (record.get(part) or {}).get(metric) or {}
    value = found.get("value")
    if value is None:
        return None
    ends = (found.get(end) for end in ("low", "high"))
    low, high = (value if end is None else end for end in ends)
    return value, min(low, value), max(high, value)


def _plain(name: str) -> str:
    """Return a name that matplotlib does not take for mathematics."""
    return name[:20].replace("$", r"\$")
