"""The figures of reports/metrics.json for the model card; a section is left out if the report has nothing of it."""

from ..project.markdown import prose, table
from .parts import facts_table, section, show, show_figure

__all__ = ["calibration", "figures", "pictures", "show_interval", "value"]

MODELS = ("trivial", "baseline", "candidate")


def figures(facts: dict, links: dict[str, str]) -> list[str]:
    """How good the models are on rows that none of them has seen."""
    metrics, chosen = facts["metrics"], facts["training"].get("chosen")
    said = {name: metrics[name] for name in MODELS if metrics.get(name)}
    said |= {name: values for name, values in (metrics.get("tried") or {}).items() if values and name != chosen}
    if "candidate" not in said:
        return []
    intervals = (metrics.get("intervals") or {}).get("candidate") or {}
    rows = [
        [
            prose(figure),
            *(show_figure(values.get(figure)) for values in said.values()),
            show_interval(intervals.get(figure)),
        ]
        for figure in said["candidate"]
    ]
    head = ["figure", *map(prose, said), "interval of the candidate"]
    return section(
        "Figures on the hold-out", table(head, rows, right=" ".join(head[1:-1])), pictures(links, "evaluation")
    )


def show_interval(ends: list | None) -> str:
    """Return the two ends in words; nothing if there are none."""
    return f"{show_figure(ends[0])} to {show_figure(ends[1])}" if ends else ""


def value(facts: dict) -> list[str]:
    """What the decisions cost, with and without the model."""
    costs, worth = facts["requirements"].costs, facts["metrics"].get("value") or {}
    cost = worth.get("cost") or {}
    if not cost:
        return []
    unit = [f"What the decisions cost on the hold-out, {_unit(facts)}, and what the candidate saves."]
    own = cost.get("candidate")
    saved = {
        name: "" if own is None or name == "candidate" else show(round(spent - own, 4)) for name, spent in cost.items()
    }
    rows = [[prose(name), show(spent), saved[name]] for name, spent in cost.items()]
    used = []
    if worth.get("threshold") is not None and facts["task"].get("classes"):
        used = [f"Called {prose(facts['task']['classes'][1])} from a probability of {show(worth['threshold'])} on."]
    why = facts_table({name: prose(text) for name, text in costs.reasons.items()})
    decided = table(["decided with", "cost", "saved"], rows, right="cost saved")
    return section("Value", unit, decided, used, why)


def _unit(facts: dict) -> str:
    costs = facts["requirements"].costs
    if costs.matrix:
        return f"in {prose(costs.currency)} per {prose(costs.per)}"
    return f"if every {'unit of ' if facts['task'].get('task') == 'regression' else ''}error costs 1"


def calibration(facts: dict, links: dict[str, str]) -> list[str]:
    """Whether probabilities are what is observed, and intervals hold what they promise."""
    candidate, training = facts["metrics"].get("candidate") or {}, facts["training"]
    said = {
        "calibration error": show(candidate.get("ece")),
        "share of rows inside their interval": show(candidate.get("coverage")),
        "half the width of the interval": show_figure(training.get("interval_half_width")),
    }
    if said["calibration error"]:
        said["calibration error"] += " (how far probabilities and observed shares are apart, on average)"
    return section("Calibration", facts_table(said), pictures(links, "evaluation/calibration"))


PLACES = ("evaluation/calibration", "inspection/segment", "inspection/fairness", "evaluation", "inspection")


def pictures(links: dict[str, str], place: str) -> list[str]:
    """Return the pictures that belong here: each goes to the first of `PLACES` that its path begins with."""
    lines = []
    for path, target in links.items():
        name = path.removeprefix("reports/").removesuffix(".png")
        if place == next((one for one in PLACES if name.startswith(one)), ""):
            lines.append(f"![{prose(name.rpartition('/')[2])}](<{target}>)")
    return lines
