"""The picture of a replay: the metric of the three policies by window, with what fired and what the gate answered."""

import matplotlib.pyplot as plt

from .plan import POLICIES

__all__ = ["plot_replay"]

# Okabe and Ito's colours; line styles and markers for prints in grey.
STYLES = {
    "frozen": {"color": "#7F7F7F", "linestyle": ":", "marker": "s"},
    "loop": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "every window": {"color": "#D55E00", "linestyle": "--", "marker": "^"},
}
NAMES = {"frozen": "first model, kept for ever", "loop": "closed loop", "every window": "retrained every window"}
FIRED, PROMOTED = "#CC79A7", "#009E73"


def plot_replay(summary: dict) -> plt.Figure:
    """Return the picture of what `summarise` returned."""
    events = summary["windows"]
    places = range(len(events))
    figure, axis = plt.subplots(figsize=(10, 5), layout="constrained")
    for policy in POLICIES:
        one = summary["policies"][policy]
        values = [event["metric"].get(policy) for event in events]
        mean = "" if one["metric"] is None else f", mean {one['metric']:.4f}"
        label = f"{NAMES[policy]}: {one['retrained']} retrainings{mean}"
        axis.plot(
            places, [float("nan") if v is None else v for v in values], label=label, markersize=5, **STYLES[policy]
        )
    for place, event in enumerate(events):
        if event["gate"]:
            promoted = event["gate"] == "promoted"
            axis.axvline(
                place + 0.5, color=PROMOTED if promoted else FIRED, linewidth=1.5, linestyle="-" if promoted else "--"
            )
            text = f"{_short(event['fired'])}: {'promoted' if promoted else 'champion kept'}"
            axis.annotate(
                text, (place + 0.5, 1.01), xycoords=("data", "axes fraction"), rotation=35, fontsize=8, color="black"
            )
    axis.set_xticks(
        list(places), [event["window"] for event in events], rotation=30 if len(events[0]["window"]) > 8 else 0
    )
    axis.set(
        xlabel="window; a line after it: the trigger fired and a candidate met the gate",
        ylabel=f"{summary['metric']} ({summary['better']} is better)",
    )
    axis.set_xlim(-0.4, len(events) - 0.2)
    axis.legend(loc="best", fontsize=9)
    axis.grid(axis="y", alpha=0.3)
    return figure


def _short(fired: list[str]) -> str:
    return ", ".join(fired)[:40]
