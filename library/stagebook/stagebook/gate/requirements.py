"""docs/requirements.yaml: what the model is for, what errors cost, and what it must reach; read and checked."""

from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML, YAMLError

from ..evaluate.costs import read_matrix
from ..project.errors import DataError
from ..project.yaml_values import check_one_of, read_mapping, read_names, read_text
from .bars import Gate, read_gates

__all__ = ["CATEGORIES", "FILE", "THIRTEEN", "Requirements", "read_requirements"]

FILE = "docs/requirements.yaml"
CATEGORIES = ("minimal", "limited", "high", "unacceptable")  # of the EU AI Act
THIRTEEN = (
    *("auto_scaling", "completeness", "explainability", "fairness", "integrity", "privacy", "reliability"),
    *("reproducibility", "safety", "security", "traceability", "transparency", "trust"),
)
TEXTS = {
    "use": ("purpose", "users", "not_for", "limits"),
    "data": ("collected", "licence", "shared_with"),
    "risk": ("category", "reason", "transparency", "human_oversight"),
    "costs": ("currency", "per"),
}


@dataclass(frozen=True)
class Requirements:
    """The file; the attributes are its sections, with an empty text for each key that is left out.

    `risk` (duties of the EU AI Act) and `requirements` (the thirteen) are optional sections: empty if the file has none.
    """

    use: dict[str, str]
    data: dict[str, str]
    risk: dict[str, str | bool]
    costs: dict[str, str | dict]
    segments: list[str]
    sensitive: list[str]
    gates: list[Gate]
    requirements: dict[str, dict[str, str]]


def read_requirements(path: str | Path) -> Requirements:
    """Read the file. Empty texts are no error: the gate names them, and stays closed.

    Raises
    ------
    DataError
        The file is missing, is not YAML, or has a key or a value that cannot be; the message names it and the fix.
    """
    path = Path(path)
    try:
        return _read(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"{path} is missing. Git has it: `git checkout -- {FILE}`.") from error
    except (YAMLError, UnicodeError, RecursionError) as error:
        raise DataError(f"{path} is not YAML: {error}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _read(content: object) -> Requirements:
    content = read_mapping("the file", content, {*TEXTS, "segments", "sensitive", "gates", "requirements"})
    said = {section: _section(section, content.get(section)) for section in TEXTS}
    if "risk" in content:
        check_one_of("risk.category", said["risk"]["category"], ("", *CATEGORIES))
    else:
        said["risk"] = {}
    columns = {key: read_names(key, content.get(key)) for key in ("segments", "sensitive")}
    gates = read_gates(content.get("gates"), with_risk="risk" in content)
    names = tuple(gate.name for gate in gates)
    thirteen = _thirteen(content["requirements"], names) if "requirements" in content else {}
    return Requirements(**said, **columns, gates=gates, requirements=thirteen)


def _section(name: str, content: object) -> dict:
    more = {"risk": {"logging"}, "costs": {"matrix", "reasons"}}.get(name, set())
    content = read_mapping(name, content, {*TEXTS[name], *more})
    said = {key: read_text(f"{name}.{key}", content.get(key)) for key in TEXTS[name]}
    if name == "risk":
        said["logging"] = content.get("logging", False)
        if not isinstance(said["logging"], bool):
            raise DataError(f"risk.logging is {said['logging']!r}; it must be true or false.")
    if name == "costs":
        said["matrix"] = read_matrix(read_mapping("costs.matrix", content.get("matrix")))
        reasons = read_mapping("costs.reasons", content.get("reasons"))
        said["reasons"] = {str(key): read_text(f"costs.reasons.{key}", value) for key, value in reasons.items()}
    return said


def _thirteen(content: object, gates: tuple[str, ...]) -> dict[str, dict[str, str]]:
    content = read_mapping("requirements", content, set(THIRTEEN))
    if lost := [name for name in THIRTEEN if name not in content]:
        raise DataError(f"requirements.{lost[0]} is missing; give it a `bar`, or say `not_needed_because`.")
    return {name: _requirement(f"requirements.{name}", content[name], gates) for name in THIRTEEN}


def _requirement(where: str, content: object, gates: tuple[str, ...]) -> dict[str, str]:
    content = read_mapping(where, content, {"bar", "gate", "check", "not_needed_because"})
    said = {key: read_text(f"{where}.{key}", value) for key, value in content.items()}
    if set(said) not in ({"bar", "gate"}, {"bar", "check"}, {"not_needed_because"}):
        raise DataError(f"{where}: give it `bar` with `gate` or `check`, or only `not_needed_because`.")
    if "gate" in said:
        check_one_of(f"{where}.gate", said["gate"], gates)
    return said
