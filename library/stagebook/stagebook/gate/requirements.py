"""docs/requirements.yaml: what the model is for, what errors cost, and what it must reach; read and checked."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, StrictBool, model_validator
from pydantic.dataclasses import dataclass

from ..evaluate.costs import Costs
from ..project.yaml_files import read_yaml
from ..project.yaml_values import CONFIG, Names, Problem, Section, TextLine, refuse_unknown, suggest
from .duties import CATEGORIES
from .metrics import find_metric
from .thresholds import Gates, find_missing_gates

__all__ = ["FILE", "THIRTEEN", "Requirement", "Requirements", "Risk", "read_requirements"]

FILE = "docs/requirements.yaml"
THIRTEEN = (
    *("auto_scaling", "completeness", "explainability", "fairness", "integrity", "privacy", "reliability"),
    *("reproducibility", "safety", "security", "traceability", "transparency", "trust"),
)


def _text(description: str) -> str:
    return Field(default="", description=description)


@dataclass(frozen=True, config=CONFIG)
class Use(Section):
    """What the model is for."""

    purpose: TextLine = _text("What is predicted, when, and what is done with the prediction")
    users: TextLine = _text("Who acts on the prediction, and who is affected")
    not_for: TextLine = _text("Uses that are ruled out")
    limits: TextLine = _text("What the model cannot do, as far as is known")


@dataclass(frozen=True, config=CONFIG)
class Data(Section):
    """Where the data comes from, for the data sheet."""

    collected: TextLine = _text("How and by whom the data is collected")
    licence: TextLine = _text("Terms under which the data may be used")
    shared_with: TextLine = _text("Who gets the data")


@dataclass(frozen=True, config=CONFIG)
class Risk(Section):
    """Duties of the EU AI Act."""

    category: Literal["", *CATEGORIES] = _text("Category of risk: minimal, limited, high or unacceptable")
    reason: TextLine = _text("Why the category is this one and no higher one")
    transparency: TextLine = _text("How people learn that a model is behind what they see (Article 50)")
    human_oversight: TextLine = _text("Who watches the model and how they overrule it (Article 14)")
    logging: StrictBool = Field(
        default=False, description="Are predictions kept, so that they can be looked up (Article 12)?"
    )


@dataclass(frozen=True, config=CONFIG)
class Requirement(Section):
    """One of the thirteen; None for each key that is not given."""

    RENAMED: ClassVar = {"bar": "threshold"}
    BLANK: ClassVar = dict.fromkeys(("threshold", "gate", "check", "not_needed_because"), "")

    threshold: TextLine | None = Field(default=None, description="What must be reached, in words")
    gate: TextLine | None = Field(default=None, description="The gate that checks it")
    check: TextLine | None = Field(default=None, description="The test, report or command that checks it")
    not_needed_because: TextLine | None = Field(default=None, description="Why this requirement is not needed")

    @model_validator(mode="after")
    def _check_keys_together(self) -> "Requirement":
        given = {key for key, text in vars(self).items() if text is not None}
        if given not in ({"threshold", "gate"}, {"threshold", "check"}, {"not_needed_because"}):
            raise Problem(": give it `threshold` with `gate` or `check`, or only `not_needed_because`.")
        return self


def _name_thirteen(schema: dict) -> None:
    """Let editors complete the names, and miss those that are not there."""
    entry = schema.pop("additionalProperties")
    schema |= {"properties": dict.fromkeys(THIRTEEN, entry), "required": [*THIRTEEN], "additionalProperties": False}


@dataclass(frozen=True, config=CONFIG)
class Requirements(Section):
    """The file; the attributes are its sections, with an empty text for each key that is left out.

    `risk` (duties of the EU AI Act) and `requirements` (the thirteen) are optional sections: None and empty if the file
    has none.
    """

    BLANK: ClassVar = {"risk": {}, "requirements": {}}

    use: Use = Field(default_factory=Use)
    data: Data = Field(default_factory=Data)
    risk: Risk | None = None
    costs: Costs = Field(default_factory=Costs)
    segments: Names = Field(default_factory=list, description="Columns in whose values no group may fare badly")
    sensitive: Names = Field(default_factory=list, description="Columns that tell groups of people apart")
    gates: Gates = Field(default_factory=list, description="What a model must reach to become champion")
    requirements: dict[str, Requirement] = Field(
        default_factory=dict,
        description="The thirteen requirements that are often overlooked",
        json_schema_extra=_name_thirteen,
    )

    @model_validator(mode="before")
    @classmethod
    def _check_thirteen(cls, content: object) -> object:
        if isinstance(content, dict) and "requirements" in content:
            thirteen = content["requirements"] or {}
            if not isinstance(thirteen, dict):
                raise Problem(f"is {thirteen!r}; write `key: value` lines below it.", "requirements")
            try:
                refuse_unknown(thirteen, THIRTEEN)
            except Problem as problem:
                raise Problem(str(problem), "requirements", *problem.keys) from None
            if lost := [name for name in THIRTEEN if name not in thirteen]:
                sentence = "is missing; give it a `threshold`, or write `not_needed_because`."
                raise Problem(sentence, "requirements", lost[0])
        return content


def read_requirements(path: str | Path) -> Requirements:
    """Read the file. Empty texts are no error: the gate names them, and stays closed.

    Raises
    ------
    DataError
        The file is missing, is not YAML, or has a key or a value that cannot be; the message names line, key and fix.
    """
    return read_yaml(path, Requirements, check=_check_gates)


def _check_gates(requirements: Requirements) -> Iterator[Problem]:
    yield from find_missing_gates(requirements.gates, with_risk=requirements.risk is not None)
    for gate in requirements.gates:
        try:
            find_metric(gate.metric)
        except ValueError as error:
            yield Problem(f": {error}", "gates", gate.name, "metric")
    names = [gate.name for gate in requirements.gates]
    for name, entry in requirements.requirements.items():
        if entry.gate is not None and entry.gate not in names:
            sentence = f"is {entry.gate!r}; it must be one of {', '.join(names)}.{suggest(entry.gate, names)}"
            yield Problem(sentence, "requirements", name, "gate")
