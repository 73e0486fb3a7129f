"""What people still owe docs/requirements.yaml: empty texts, and what the EU AI Act requires of the category of risk."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .requirements import Requirements

__all__ = ["CATEGORIES", "FAIRNESS", "find_empty_texts", "find_open_duties"]

CATEGORIES = ("minimal", "limited", "high", "unacceptable")  # of the EU AI Act
FAIRNESS = "inspection.fairness_difference"
PLEASE = {
    "category": f"is empty; choose one of {', '.join(CATEGORIES)}",
    "reason": "is empty; explain why the category is this one and no higher one",
    "transparency": "is empty; explain how people learn that a model is behind what they see (EU AI Act, Article 50)",
    "human_oversight": "is empty; name who watches the model and how they overrule it (EU AI Act, Article 14)",
    "logging": "is false; predictions must be kept so that they can be looked up (EU AI Act, Article 12)",
}
REQUIRED = {
    "": ("category",),
    "minimal": ("reason",),
    "limited": ("reason", "transparency"),
    "high": ("reason", "transparency", "human_oversight", "logging"),
    "unacceptable": (),
}


def find_open_duties(requirements: "Requirements") -> list[str]:
    """Return a sentence for each thing that the category of risk requires and that is not there.

    A file without the section `risk` has no duties: that section is an option of the project.
    """
    risk = requirements.risk
    if risk is None:
        return []
    open_duties = [f"risk.{key} {PLEASE[key]}" for key in REQUIRED[risk.category] if not getattr(risk, key)]
    if risk.category == "unacceptable":
        open_duties.append("risk.category is unacceptable; such a use is forbidden (EU AI Act, Article 5)")
    if risk.category == "high":
        if not requirements.sensitive:
            open_duties.append("sensitive is empty; name the columns that tell groups of people apart (Article 10)")
        if FAIRNESS not in {gate.metric for gate in requirements.gates}:
            open_duties.append(
                f"gates: none has `metric: {FAIRNESS}`; high risk needs a threshold for fairness (Article 10)"
            )
    return open_duties


def find_empty_texts(requirements: "Requirements") -> list[str]:
    """Return the key of each text that a person must write and has not; those of `risk` are duties."""
    sections = {"use": requirements.use, "data": requirements.data}
    empty = [f"{name}.{key}" for name, section in sections.items() for key, text in vars(section).items() if not text]
    costs = requirements.costs
    empty += [f"costs.{key}" for key, value in vars(costs).items() if not value]
    empty += [f"costs.reasons.{key}" for key, text in costs.reasons.items() if not text]
    for name, entry in requirements.requirements.items():
        empty += [f"requirements.{name}.{key}" for key, text in vars(entry).items() if text == ""]
    return empty
