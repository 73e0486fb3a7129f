"""What the gate says of a figure, in a plain sentence, good or bad."""

from .thresholds import Gate

__all__ = ["name_figure", "say", "say_bar", "say_list", "say_number"]

MOST_NAMED = 12
NAMES = {
    "gain.trivial": "gain over the trivial model",
    "gain.baseline": "gain over the baseline",
    "gain.champion": "gain over the champion",
    "inspection.worst_segment_ratio": "loss of the worst named segment by the loss of all rows",
    "segments_rise.champion": "largest rise of a segment's loss against the champion",
    "metrics.candidate.ece": "calibration error",
    "metrics.candidate.coverage": "share of rows inside their interval",
    "saving.no model": "saving against deciding without a model",
    "saving.baseline": "saving against the baseline",
    "inspection.fairness_difference": "largest difference between groups",
    "inspection.behaviour_failed": "number of behavioural tests that fail",
    "metrics.parity.candidate": "difference between package and trained model",
    "timings.one_row_ms": "time for one row",
    "timings.thousand_rows_ms": "time for a thousand rows",
    "size_mb": "size of the package",
}
LISTS = {
    "inspection.behaviour.failed": ("no behavioural test fails", "behavioural tests that fail"),
    "risk.duties": ("all that the category of risk requires is there", "open duties of the category of risk"),
    "card.missing": ("model card and data sheet are complete", "model card and data sheet are half-filled"),
}


def name_figure(figure: str) -> str:
    """Return what people call a figure; its path if it is none of ours."""
    return NAMES.get(figure, figure)


def say(gate: Gate, passed: bool, value: str, figures: dict) -> str:
    """Return the sentence for a number."""
    bar = say_number(gate.metric, gate.threshold)
    words = {
        (True, True): f"is within {bar}",
        (True, False): f"is above {bar}, the most allowed",
        (False, True): f"is at least {bar}",
        (False, False): f"is below {bar}, the least allowed",
    }
    return f"{name_figure(gate.metric)} {value}{_where(gate.metric, figures)} {words[gate.at_most, passed]}"


def _where(figure: str, figures: dict) -> str:
    """Name the worst segment or the unfairest column, so that nobody must look for it."""
    inspection = figures.get("inspection") or {}
    if figure == "inspection.worst_segment_ratio":
        named = (inspection.get("segments") or {}).get("named") or []
        ratios = {segment["segment"]: segment.get("ratio") for segment in named if segment.get("ratio") is not None}
    elif figure == "inspection.fairness_difference":
        columns = inspection.get("fairness") or {}
        ratios = {name: column.get("difference") for name, column in columns.items() if column.get("difference")}
    else:
        return ""
    return f" ({max(ratios, key=ratios.get)})" if ratios else ""


def say_list(gate: Gate, found: list) -> str:
    """Return the sentence for a list of what is wrong."""
    good, bad = LISTS.get(gate.metric, (f"{gate.metric} is empty", gate.metric))
    if not found:
        return good
    more = f"; and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"{bad}: {'; '.join(map(str, found[:MOST_NAMED]))}{more}"


def say_bar(gate: Gate) -> str:
    """Return the bar in words: at most 0.05."""
    return f"{'at most' if gate.at_most else 'at least'} {say_number(gate.metric, gate.threshold)}"


def say_number(figure: str, value: float) -> str:
    """Return a number as people write it, with the unit that the figure's name ends in."""
    text = f"{value:,.4f}".rstrip("0").rstrip(".") if value == 0 or abs(value) >= 0.0001 else f"{value:.1e}"
    unit = next((unit for ending, unit in (("_ms", " ms"), ("_mb", " MB")) if figure.endswith(ending)), "")
    return text + unit
