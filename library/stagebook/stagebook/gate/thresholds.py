"""The gates of docs/requirements.yaml: which metric must reach which threshold, and who answers for it."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, WrapValidator, model_validator
from pydantic.dataclasses import dataclass

from ..model.task import KINDS
from ..project.yaml_values import CONFIG, Number, Problem, Section, TextLine

__all__ = ["Gate", "Gates", "find_missing_gates"]

Owner = Literal["product owner", "data engineer", "data scientist", "data steward", "ML engineer", "solution architect"]
# Gates that every file must have, for every task: with less, a file would let any model pass.
NEEDED = {
    **dict.fromkeys(("gain.trivial", "gain.baseline", "gain.champion"), "at_least: 0 or more"),
    "card.missing": "at_most: 0",
}
DUTIES = "risk.duties"  # needed with the section `risk`, impossible without it


@dataclasses.dataclass(frozen=True)
class Gate:
    """One gate: `metric` is a name of `gate.metrics`, `kinds` are the tasks that the gate is for."""

    name: str
    metric: str
    threshold: float
    at_most: bool
    owner: str
    reason: str
    kinds: tuple[str, ...] = KINDS


def _not_empty(text: str) -> str:
    if not text:
        raise Problem("is empty; a gate has a metric, an owner and a reason.")
    return text


@dataclass(frozen=True, config=CONFIG)
class GateEntry(Section):
    """A gate as people write it; `at_most` or `at_least` is the threshold."""

    RENAMED: ClassVar = {"figure": "metric"}

    metric: Annotated[TextLine, AfterValidator(_not_empty)] = Field(
        description="A name of vendor/stagebook/docs/quality_gates.md, or metrics.candidate.<name>"
    )
    owner: Owner = Field(description="who may change the threshold")
    reason: Annotated[TextLine, AfterValidator(_not_empty)] = Field(description="why the threshold is where it is")
    at_most: Number | None = Field(default=None, description="The metric must not be above this threshold")
    at_least: Number | None = Field(default=None, description="The metric must not be below this threshold")
    kinds: list[Literal[KINDS]] = Field(default_factory=list, alias="for", description="Kinds of task, if not all")

    @model_validator(mode="after")
    def _check_threshold(self) -> "GateEntry":
        given = [key for key in ("at_most", "at_least") if getattr(self, key) is not None]
        if len(given) != 1:
            raise Problem(f"has {' and '.join(given) or 'no threshold'}; give it either `at_most` or `at_least`.")
        return self

    def as_gate(self, name: str) -> Gate:
        """Return the gate with its threshold as one number."""
        at_most = self.at_most is not None
        threshold = self.at_most if at_most else self.at_least
        return Gate(name, self.metric, threshold, at_most, self.owner, self.reason, tuple(self.kinds) or KINDS)


class _WrittenAsMapping:
    """Lets pydantic read a list of gates from a mapping of entries by name, which is how the file has it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> dict:
        return handler.generate_schema(Annotated[dict[str, GateEntry], WrapValidator(_read_gates)])


def _read_gates(content: object, read: Callable[[object], dict[str, GateEntry]]) -> list[Gate]:
    if isinstance(content, list) and all(isinstance(gate, Gate) for gate in content):
        return content
    return [entry.as_gate(name) for name, entry in read(content).items()]


Gates = Annotated[list[Gate], _WrittenAsMapping()]


def find_missing_gates(gates: list[Gate], with_risk: bool) -> Iterator[Problem]:
    """Yield what keeps the gates from being closed by default: one that none can do without is missing, or open."""
    for metric, wanted in (NEEDED | ({DUTIES: "at_most: 0"} if with_risk else {})).items():
        closed = [
            gate.threshold == 0 if gate.at_most else gate.threshold >= 0 for gate in gates if gate.metric == metric
        ]
        whole = [gate for gate in gates if gate.metric == metric and gate.kinds == KINDS]
        right = [gate for gate in whole if gate.at_most == wanted.startswith("at_most")]
        if not right or not all(closed):
            yield Problem(
                f": one must have `metric: {metric}` with `{wanted}` and no `for`; it cannot be left out.", "gates"
            )
    for gate in gates:
        if gate.metric == DUTIES and not with_risk:
            sentence = f"has `metric: {DUTIES}`, but there is no section `risk`. Write it, or drop the gate."
            yield Problem(sentence, "gates", gate.name)
