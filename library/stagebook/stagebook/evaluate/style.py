"""One look for each model in all plots, readable in colour and in grey."""

__all__ = ["find_style"]

# The colours of Okabe and Ito, which colour-blind readers can tell apart; line styles for prints in grey.
STYLES = {
    "candidate": {"color": "#0072B2", "linestyle": "-"},
    "champion": {"color": "#009E73", "linestyle": "-."},
    "baseline": {"color": "#D55E00", "linestyle": "--"},
    "trivial": {"color": "#7F7F7F", "linestyle": ":"},
}
OTHER = {"color": "#56B4E9", "linestyle": (0, (5, 1, 1, 1, 1, 1))}


def find_style(model: str) -> dict:
    """Return colour and line style of a model, as arguments of Matplotlib."""
    return dict(STYLES.get(model.partition(" ")[0], OTHER))
