"""What a colleague must know of an alarm: what moved, since when, what it costs, what to do next, where to look."""

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ruamel.yaml import YAML

from ..project.addresses import mask_addresses
from ..project.markdown import code, prose, show_number, table
from .settings import DISTRIBUTION, PERFORMANCE, Monitoring
from .triggers import Alarm, Verdict
from .windows import metric_of, name_of, past_windows, same_version

__all__ = ["ASSUMPTION", "describe_alarm", "describe_verdict", "find_links", "title_of"]

REPORT = "reports/90_monitor.html"
DATA = ("data/processed/train.parquet", "data/processed/holdout.parquet")
MOST_NAMES, MOST_WINDOWS = 5, 12
SENTENCES = {
    "performance_drop": "The metric that decides is {value} worse than on the reference (relative change)",
    "estimate_drop": "The metric that decides is expected to be {value} worse than on the reference (relative change)",
    "drift.share": "{value} of the features are distributed differently than in every reference",
    "drift.missing_rise": "Values are missing in {value} more of the rows of a feature than in every reference",
    "drift.new_category_share": "{value} of the rows have a category that the model has never seen",
    "value.saved": "Acting on the predictions saves {value} per row against acting without a model",
    "system.latency_p99_ms": "One answer in a hundred takes {value} ms or longer",
}
SHARES = ("performance_drop", "estimate_drop", "drift.share", "drift.missing_rise", "drift.new_category_share")
ASSUMPTION = (
    "It assumes that the same features still mean the same label (no concept drift). If that changed, the estimate stays "
    "high while the true metric falls."
)
RETRAIN = "A training is due: the workflow Monitor starts it, `stagebook retrain` does by hand. The gate decides on the model."


def title_of(alarm: Alarm) -> str:
    """Return an alarm in a line without its numbers, so that it stays the same while the alarm lasts."""
    return f"Monitoring: {alarm.name} ({alarm.metric} {'above' if alarm.at_most else 'below'} {alarm.threshold:g})"


def describe_alarm(
    alarm: Alarm,
    history: Sequence[dict],
    settings: Monitoring,
    verdict: Verdict,
    now: datetime,
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """Return what must be known of an alarm, as Markdown; names of features and windows are escaped.

    Parameters
    ----------
    history : list of dict
        Window records, as `decide` got them.
    links : list of (text, target)
        As `find_links` returns them.
    """
    records = same_version(past_windows(history, now)[0])
    limit = f"{'at most' if alarm.at_most else 'at least'} {alarm.threshold:g}"
    reason = prose(settings.thresholds[alarm.name].reason)
    lines = [
        f"**What moved.** {_what(alarm, records)}. Threshold: {limit}. Why it is there: {reason}",
        f"**Since when.** {_since(alarm, records)}",
        f"**What it costs.** {_cost(alarm, records)}",
        f"**What to do next.** {_next(alarm, verdict, settings)} Owner of the threshold: {alarm.owner}.",
        "**Where to look.** " + "; ".join(f"{prose(text)}: {target}" for text, target in links),
    ]
    shown = [(name_of(one), metric_of(one, alarm.metric, alarm.at_most)) for one in records[-MOST_WINDOWS:]]
    rows = [[code(name), "not known" if value is None else show_number(value)] for name, value in shown]
    return "\n\n".join([*(lines if links else lines[:-1]), "\n".join(table(["window", prose(alarm.metric)], rows))])


def describe_verdict(
    verdict: Verdict,
    history: Sequence[dict],
    settings: Monitoring,
    now: datetime,
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the verdict in words, and each alarm."""
    about = {"ok": "fine", "act": "act", "cannot tell": "cannot tell"}[verdict.state]
    lines = [
        f"## Monitoring of window {prose(verdict.window)}: {about}" if verdict.window else "## Monitoring: " + about
    ]
    why = f" ({'; '.join(map(prose, verdict.reasons))})" if verdict.reasons else ""
    fired = f"Triggers that fire: {', '.join(map(prose, verdict.fired))}{why}. " if verdict.fired else ""
    held = f"No training is started: {'; '.join(verdict.suppressed_by)}." if verdict.suppressed_by else ""
    lines += [fired + (RETRAIN if verdict.retrain else held)] if fired or held else []
    lines += [f"- {prose(note)}" for note in verdict.notes]
    for alarm in verdict.alarms:
        lines += [f"### {prose(title_of(alarm))}", describe_alarm(alarm, history, settings, verdict, now, links)]
    return "\n\n".join(lines) + "\n"


def find_links(root: Path, run: str = "") -> list[tuple[str, str]]:
    """Return where to look: the report, the run of CI (its address), the model's run in MLflow, the hashes of its data."""
    links = [("run of CI", run)] if run else []
    links += [("report", REPORT)] if (root / REPORT).is_file() else []
    about = root / "reports" / "registration.json"
    if about.is_file():
        found = json.loads(about.read_text(encoding="utf-8"))
        if found.get("run"):
            server = mask_addresses(os.environ.get("MLFLOW_TRACKING_URI", ""))
            links.append(("MLflow run", f"{server} {found['run']}".strip()))
        if found.get("version"):
            links.append(("model", f"{found['model']} version {found['version']}"))
    return links + [(f"md5 of {name}", digest) for name, digest in _hashes(root).items()]


def _hashes(root: Path) -> dict[str, str]:
    """Return the hashes of the data that the model learned from, by dvc.lock."""
    lock = root / "dvc.lock"
    content = YAML(typ="safe").load(lock.read_text(encoding="utf-8")) if lock.is_file() else {}
    stages = ((content or {}).get("stages") or {}).values()
    outs = {out["path"]: out.get("md5", "") for stage in stages for out in stage.get("outs", [])}
    return {name: outs[name] for name in DATA if outs.get(name)}


def _what(alarm: Alarm, records: Sequence[dict]) -> str:
    newest = next(one for one in reversed(records) if metric_of(one, alarm.metric, alarm.at_most) is not None)
    show = (lambda value: f"{value:.1%}") if alarm.metric in SHARES else show_number
    sentence = SENTENCES.get(alarm.metric, f"{code(alarm.metric)} is {{value}}").format(value=show(alarm.value))
    sentence += f" in window {code(name_of(newest))}"
    found = _at(newest, alarm.metric)
    if isinstance(found, dict) and {"value", "low", "high"} <= found.keys() and None not in found.values():
        sentence += (
            f" (interval {show(found['low'])} to {show(found['high'])}, the end nearest to the threshold counts)"
        )
    sentence += f" (estimated without true values. {ASSUMPTION})" if alarm.metric.startswith("estimate") else ""
    return sentence + (_features(newest) if alarm.metric.startswith("drift") else "")


def _at(record: dict, metric: str) -> object:
    found = record
    for key in metric.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _features(record: dict) -> str:
    """Return the features that moved, the largest effect first."""
    moved = record["drift"].get("moved") or []
    effect = {}
    for row in record["drift"].get("features") or []:
        effect[row["feature"]] = min(row.get("psi") or 0.0, effect.get(row["feature"], float("inf")))
    order = sorted(moved, key=lambda name: (-effect.get(name, 0.0), name))
    named = [code(name) + (f" (PSI {effect[name]:.2f})" if name in effect else "") for name in order[:MOST_NAMES]]
    more = f" and {len(order) - MOST_NAMES} more" if len(order) > MOST_NAMES else ""
    return f": {', '.join(named)}{more}" if named else ""


def _since(alarm: Alarm, records: Sequence[dict]) -> str:
    first = next((one for one in records if name_of(one) == alarm.since), None)
    day = f", which began on {str(first['window']['since'])[:10]}" if first and first["window"].get("since") else ""
    count = len(alarm.windows)
    return f"Window {code(alarm.since)}{day}. {count} of the last windows {'is' if count == 1 else 'are'} beyond the threshold."


def _cost(alarm: Alarm, records: Sequence[dict]) -> str:
    """Return what the decisions cost more than before the alarm, by the cost matrix and the rows of the windows since."""
    names = [name_of(one) for one in records]
    start = names.index(alarm.since) if alarm.since in names else 0
    since, before = ([one for one in part if _paid(one) is not None] for part in (records[start:], records[:start]))
    if not since:
        return "Not known yet: no true values of these windows have arrived, so the cost matrix cannot be applied."
    about, rows = since[-1]["value"], sum(one["rows"] for one in since)
    now = sum(_paid(one) * one["rows"] for one in since) / rows
    unit, row = prose(about.get("currency") or "errors"), prose(about.get("per") or "row")
    if not before:
        none = about.get("no_model")
        without = "" if none is None else f"; without a model they would cost {show_number(none)}"
        return (
            f"Decisions cost {show_number(now)} {unit} per {row}{without}. No earlier window tells what it was before."
        )
    old = sum(_paid(one) * one["rows"] for one in before) / sum(one["rows"] for one in before)
    total = (now - old) * rows
    return (
        f"{total:,.0f} {unit} more than before, for {rows:,} predictions: {show_number(now)} instead of "
        f"{show_number(old)} {unit} per {row}, by the costs in docs/requirements.yaml."
    )


def _paid(record: dict) -> float | None:
    cost = (record.get("value") or {}).get("cost")
    value = cost.get("value") if isinstance(cost, dict) else cost
    return value if isinstance(value, int | float) and record.get("rows") else None


def _next(alarm: Alarm, verdict: Verdict, settings: Monitoring) -> str:
    room = settings.thresholds[alarm.name].room
    if "missing" in alarm.metric or "new_category" in alarm.metric:
        return "Look at the source of the feature first. Do not train again before it is repaired: the model would learn the fault."
    if room in (*PERFORMANCE, *DISTRIBUTION) and verdict.retrain:
        return RETRAIN
    if room in (*PERFORMANCE, *DISTRIBUTION) and verdict.suppressed_by:
        reasons = "; ".join(verdict.suppressed_by)
        return f"Wait, or train now with `stagebook retrain`. No training is started: {reasons}."
    if room in PERFORMANCE:
        return "Look at the report: which segments are worse? Then train again with `stagebook retrain`, or go back with `make rollback`."
    if room in DISTRIBUTION:
        return "Look at the features in the report: a change in the world, or a fault of a source? Train again only for the first."
    return "Look at the service: the Grafana dashboard of `stagebook dashboards`, /ready and /metrics."
