"""The bars of docs/requirements.yaml: which figure must reach what, and who answers for it."""

from dataclasses import dataclass

from ..model.task import KINDS
from ..project.errors import DataError
from ..project.yaml_values import check_one_of, read_mapping, read_names, read_number, read_text

__all__ = ["Gate", "read_gates"]

OWNERS = ("product owner", "data engineer", "data scientist", "data steward", "ML engineer", "solution architect")
# Gates that every file must have, for every task: with less, a file would let any model pass.
NEEDED = {
    **dict.fromkeys(("gain.trivial", "gain.baseline", "gain.champion"), "at_least: 0 or more"),
    "card.missing": "at_most: 0",
}
DUTIES = "risk.duties"  # needed with the section `risk`, impossible without it


@dataclass(frozen=True)
class Gate:
    """One bar: `figure` is the path of the figure, `kinds` are the tasks that it is for."""

    name: str
    figure: str
    bar: float
    at_most: bool
    owner: str
    reason: str
    kinds: tuple[str, ...] = KINDS


def read_gates(content: object, with_risk: bool) -> list[Gate]:
    """Return the gates of the file; refuse one that is not clear, and a file without those that none can do without."""
    gates = [_read_gate(name, keys) for name, keys in read_mapping("gates", content).items()]
    _check_needed(gates, NEEDED | ({DUTIES: "at_most: 0"} if with_risk else {}))
    if not with_risk and (names := [gate.name for gate in gates if gate.figure == DUTIES]):
        raise DataError(
            f"gates.{names[0]} has `figure: {DUTIES}`, but there is no section `risk`. Write it, or drop the gate."
        )
    return gates


def _read_gate(name: object, keys: object) -> Gate:
    where = f"gates.{name}"
    keys = read_mapping(where, keys, {"figure", "at_most", "at_least", "for", "owner", "reason"})
    bars = [key for key in ("at_most", "at_least") if key in keys]
    if len(bars) != 1:
        raise DataError(f"{where} has {' and '.join(bars) or 'no bar'}; give it either `at_most` or `at_least`.")
    texts = {key: read_text(f"{where}.{key}", keys.get(key)) for key in ("figure", "owner", "reason")}
    if empty := [key for key, text in texts.items() if not text]:
        raise DataError(f"{where}.{empty[0]} is empty; a gate has a figure, an owner and a reason.")
    check_one_of(f"{where}.owner", texts["owner"], OWNERS)
    kinds = tuple(read_names(f"{where}.for", keys.get("for"))) or KINDS
    for kind in kinds:
        check_one_of(f"{where}.for", kind, KINDS)
    bar = read_number(f"{where}.{bars[0]}", keys[bars[0]])
    return Gate(str(name), bar=bar, at_most=bars == ["at_most"], kinds=kinds, **texts)


def _check_needed(gates: list[Gate], needed: dict[str, str]) -> None:
    """Refuse a file that has lost one of its last bars."""
    for figure, bar in needed.items():
        closed = [gate.bar == 0 if gate.at_most else gate.bar >= 0 for gate in gates if gate.figure == figure]
        whole = [gate for gate in gates if gate.figure == figure and gate.kinds == KINDS]
        right = [gate for gate in whole if gate.at_most == bar.startswith("at_most")]
        if not right or not all(closed):
            raise DataError(
                f"gates: one must have `figure: {figure}` with `{bar}` and no `for`; it cannot be left out."
            )
