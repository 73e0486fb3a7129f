"""What a replay shows: does the loop hold, what happened in each window, and what the models were worth."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..evaluate.metrics import PRIMARY
from ..gate.requirements import Requirements
from ..model.task import Task
from ..project.markdown import show_number
from .plan import POLICIES

__all__ = ["event_table", "find_margin", "metric_table", "policy_table", "say_claim", "summarise", "training_minutes"]

OTHER = "every window"
LIMITS = (
    "One past only: what held in these windows need not hold in the next ones.",
    (
        "The rows are those of data/processed: their features were made once, from all raw data, as they were known when each "
        "prediction was asked for."
    ),
    "The kind of model and its settings were chosen by 50_train, which has seen the first windows of the replay.",
    "Delays and losses of true values are simulated, by `outcome_days` and `missing_outcomes`.",
    "Thresholds and triggers that were chosen by a replay look better in it than they are.",
    "Nobody acts on the predictions, so the loop has no effect on its own labels.",
)


def summarise(months: Sequence[dict], task: Task, requirements: Requirements, not_measured: Sequence[str]) -> dict:
    """Return what reports/monitoring/replay.json holds: the claim, the policies and the events, without times measured."""
    metric, sign = PRIMARY[task.kind]
    scored = [month for month in months if all(metric in month["metrics"].get(policy, {}) for policy in POLICIES)]
    policies = {policy: _sum_up(months, scored, policy, metric) for policy in POLICIES}
    margin = find_margin(requirements)
    summary = {
        "metric": metric,
        "better": "higher" if sign > 0 else "lower",
        "policies": policies,
        "margin": margin,
        "differences": {policy: _difference(scored, policy, metric, sign) for policy in POLICIES if policy != "loop"},
        "unit": f"{requirements.costs.currency or 'errors'} per {requirements.costs.per or 'row'}",
        "gates_not_measured": list(not_measured),
        "windows": [_describe(month, metric) for month in months],
    }
    return summary | {"holds": _holds(summary), "claim": say_claim(summary), "limits": list(LIMITS)}


def training_minutes(months: Sequence[dict]) -> dict[str, float]:
    """Return the minutes that the candidate of each window took to train, on this machine."""
    return {month["window"]: month["candidate"]["seconds"] / 60 for month in months if month["candidate"]}


def find_margin(requirements: Requirements) -> float:
    """Return by how much two models may differ by chance: what the gate asks of a gain over the champion."""
    gates = [gate.threshold for gate in requirements.gates if gate.metric == "gain.champion"]
    return max(gates, default=0.0)


def _sum_up(months: Sequence[dict], scored: Sequence[dict], policy: str, metric: str) -> dict:
    """Return a policy's means over windows, weighted by rows, and how often it retrained and promoted."""
    rows = [month["rows"] for month in scored]
    mean = lambda values: float(f"{np.average(values, weights=rows):.5g}") if rows else None
    retrained = sum(bool(month["gate"] if policy == "loop" else month["candidate"]) for month in months)
    return {
        "metric": mean([month["metrics"][policy][metric] for month in scored]),
        "cost": mean([month["cost"][policy] for month in scored]),
        "retrained": 0 if policy == "frozen" else retrained,
        "promoted": sum(month["next"][policy] != month["versions"][policy] for month in months),
    }


def _difference(scored: Sequence[dict], policy: str, metric: str, sign: int) -> dict | None:
    """Return by how much the loop is better, on average over windows, with its 90 % interval by resampled days."""
    if not scored:
        return None
    rows = np.array([month["rows"] for month in scored])
    value = [sign * (month["metrics"]["loop"][metric] - month["metrics"][policy][metric]) for month in scored]
    draws = np.array([month["differences"][policy] for month in scored], dtype=float) * sign
    low, high = np.nanquantile(np.average(np.nan_to_num(draws), axis=0, weights=rows), [0.05, 0.95])
    return {
        name: round(float(one), 5)
        for name, one in {"value": np.average(value, weights=rows), "low": low, "high": high}.items()
    }


def _holds(summary: dict) -> bool | None:
    difference, policies = summary["differences"][OTHER], summary["policies"]
    if difference is None:
        return None
    fewer = policies["loop"]["retrained"] < policies[OTHER]["retrained"]
    return bool(difference["value"] >= -summary["margin"] and fewer)


def say_claim(summary: dict) -> str:
    """Return whether the loop was at least as good as retraining every window with fewer retrainings, in a sentence."""
    loop, every = summary["policies"]["loop"], summary["policies"][OTHER]
    difference, frozen = summary["differences"][OTHER], summary["differences"]["frozen"]
    if difference is None:
        return "Cannot tell whether the loop holds: in no window could the deciding metric be computed."
    word = {True: "The loop holds", False: "The loop does not hold"}[_holds(summary)]
    show = lambda one: f"{one['value']:+.4f} ({one['low']:+.4f} to {one['high']:+.4f})"
    return (
        f"{word}: with {loop['retrained']} retrainings instead of {every['retrained']}, its mean {summary['metric']} is "
        f"{loop['metric']:.4f}; retraining every window reaches {every['metric']:.4f}. The gain of the loop is {show(difference)}; "
        f"a loss of up to {show_number(summary['margin'])} counts as equal. Its gain over the first model, kept for ever, is "
        f"{show(frozen)}. In brackets: 90 % intervals."
    )


def _describe(month: dict, metric: str) -> dict:
    """Return an event: what fired, why, and what the gate answered."""
    gate, verdict = month["gate"], month["verdict"]
    answer = "" if gate is None else "promoted" if gate["promoted"] else "kept the champion"
    if gate is None and verdict["retrain"]:
        fired = [*verdict["fired"], "the replay ends before a training"]
    else:
        fired = verdict["fired"]
    return {
        "window": month["window"],
        "rows": month["rows"],
        "versions": month["versions"],
        "metric": {policy: one.get(metric) for policy, one in month["metrics"].items()},
        "cost": month["cost"],
        "state": verdict["state"],
        "fired": fired,
        "reasons": verdict["reasons"],
        "suppressed_by": verdict["suppressed_by"],
        "alarms": verdict["alarms"],
        "gate": answer,
        "refused": gate["refused"] if gate else [],
        "gain": None if not gate or gate.get("champion") is None else round(gate["candidate"] - gate["champion"], 4),
    }


def event_table(summary: dict, minutes: dict[str, float]) -> pd.DataFrame:
    """Return a row per window: what fired, why, what the gate answered, and the minutes that a retraining took.

    Parameters
    ----------
    minutes : dict of float
        By window, of this machine.
    """
    rows = []
    for event in summary["windows"]:
        why = "; ".join([*map(_words, event["alarms"]), *event["reasons"]])
        answer = event["gate"] + (f" ({event['refused'][0]})" if event["refused"] else "")
        rows.append(
            {
                "window": event["window"],
                "verdict": event["state"],
                "fired": ", ".join(event["fired"]),
                "why": why + (f" (held back: {'; '.join(event['suppressed_by'])})" if event["suppressed_by"] else ""),
                "gate": answer,
                "minutes": f"{minutes[event['window']]:.1f}" if event["gate"] and event["window"] in minutes else "",
            }
        )
    return pd.DataFrame(rows).set_index("window")


def _words(alarm: dict) -> str:
    """Return an alarm in a line."""
    beyond = "above" if alarm["at_most"] else "below"
    numbers = f"{show_number(alarm['value'])}, {beyond} {show_number(alarm['threshold'])}"
    return f"{alarm['name']}: {alarm['metric']} {numbers} since {alarm['since']}"


def metric_table(summary: dict) -> pd.DataFrame:
    """Return the deciding metric of each policy by window, with the model that the loop served."""
    rows = {
        event["window"]: {policy: event["metric"].get(policy) for policy in POLICIES}
        | {"loop's model": event["versions"]["loop"]}
        for event in summary["windows"]
    }
    return pd.DataFrame(rows).T.rename_axis(f"{summary['metric']} by window")


def policy_table(summary: dict, minutes: dict[str, float]) -> pd.DataFrame:
    """Return a row per policy: mean metric, mean cost, retrainings, promotions and the minutes of training."""
    trained = {
        "frozen": 0.0,
        "loop": sum(minutes.get(event["window"], 0) for event in summary["windows"] if event["gate"]),
        OTHER: sum(minutes.values()),
    }
    rows = {
        policy: {
            f"mean {summary['metric']}": f"{one['metric']:.4f}" if one["metric"] is not None else "",
            f"mean cost, {summary['unit']}": show_number(one["cost"]) if one["cost"] is not None else "",
            "retrainings": one["retrained"],
            "promoted": one["promoted"],
            "minutes of training": f"{trained[policy]:.1f}",
        }
        for policy, one in summary["policies"].items()
    }
    return pd.DataFrame(rows).T.rename_axis("policy")
