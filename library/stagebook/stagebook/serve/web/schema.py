"""What the service takes and returns, as pydantic models made from the contract: compiled checks, and the OpenAPI page."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    create_model,
)

from ...data.schema import Column
from ...request.contract import Contract
from ...request.rows import LARGEST, allowed_range, allowed_type
from .promise import date_pattern, number_pattern, time_pattern

__all__ = [
    "AnswerDetail",
    "ErrorAnswer",
    "Outcomes",
    "allowed_inputs",
    "allowed_words",
    "make_answer",
    "make_body",
    "make_inputs_body",
]

LONGEST = 10_000  # characters of a text
LIMIT = {"ge": -LARGEST, "le": LARGEST, "allow_inf_nan": False}
NUMBER = Annotated[StrictFloat, Field(**LIMIT)]  # takes whole numbers too
TEXT = Annotated[StrictStr, Field(max_length=LONGEST)]
# A number where a text is wanted is one: a code, a postal code.
CODE = TEXT | StrictBool | Annotated[StrictInt, Field(ge=-(2**63), le=2**63)] | NUMBER


def make_body(contract: Contract, max_rows: int) -> type[BaseModel]:
    """Return the model of a request's body: `rows`, each with the fields of the contract under their real names."""
    fields = {}
    for place, column in enumerate(contract.table.columns.values()):
        kind = field_type(column, contract.example.get(column.name))
        kind = kind | None if column.missing else kind
        about = {"description": describe_field(column, contract.choices.get(column.name, []))}
        default = {} if not column.missing else {"default": None}
        fields[f"f{place}"] = (kind, Field(alias=column.name, **default, **about))  # a name may be `self` or `a b`
    return _make_rows("Row", fields, contract.example, max_rows)


def make_inputs_body(contract: Contract, max_rows: int) -> type[BaseModel]:
    """Return the model of a body with inputs of the model, for callers that make the features themselves."""
    kinds = {"number": NUMBER | None, "text": TEXT}
    fields = {
        f"f{place}": (kinds[kind], Field(alias=name)) for place, (name, kind) in enumerate(contract.features.items())
    }
    return _make_rows("Inputs", fields, None, max_rows)


def _make_rows(name: str, fields: dict, example: dict | None, max_rows: int) -> type[BaseModel]:
    extra = {"examples": [example]} if example else {}
    config = ConfigDict(extra="forbid", json_schema_extra=extra, protected_namespaces=())
    row = create_model(name, __config__=config, **fields)
    rows = (list[row], Field(min_length=1, max_length=max_rows, description="one row for each prediction"))
    whole = {"examples": [{"rows": [example]}]} if example else {}
    return create_model(f"{name}s", __config__=ConfigDict(extra="forbid", json_schema_extra=whole), rows=rows)


def field_type(column: Column, example: object = None) -> Any:
    """Return the JSON types that a field may have."""
    if column.type in ("integer", "number"):
        limits = {key: float(value) for key, value in (("ge", column.min), ("le", column.max)) if value is not None}
        whole = {"json_schema_extra": {"type": "integer"}} if column.type == "integer" and not column.missing else {}
        return Annotated[StrictFloat, Field(**LIMIT | limits, **whole)] | _text(100, number_pattern(column), example)
    if column.type == "boolean":
        return StrictBool | _text(20, "^(yes|no|true|false)?$" if column.missing else "^(yes|no|true|false)$")
    if column.type == "date":
        return _text(100, date_pattern(column), example)
    if column.pattern:
        as_example = time_pattern(example) if column.role == "time" and isinstance(example, str) else None
        return _text(LONGEST, as_example or column.pattern, example)
    return CODE


def _text(longest: int, pattern: str, example: object = None) -> Any:
    """Return the type of a text whose pattern is only promised: `to_table` reads more, and tells what is wrong."""
    if isinstance(example, str) and not re.search(pattern, example):
        pattern = f"{pattern}|^{re.escape(example)}$"  # such as 14.05.2024, as training has it
    return Annotated[StrictStr, Field(max_length=longest, json_schema_extra={"pattern": pattern})]


def allowed_words(contract: Contract) -> dict[str, str]:
    """Return for each field of a request what it may be, in words."""
    return {name: _allowed(column) for name, column in contract.table.columns.items()}


def allowed_inputs(contract: Contract) -> dict[str, str]:
    """Return for each input of the model what it may be, in words."""
    words = {"number": f"a number between {-LARGEST:g} and {LARGEST:g}, or null", "text": "text"}
    return {name: words[kind] for name, kind in contract.features.items()}


def _allowed(column: Column) -> str:
    """Return in words what a value of this column is, and its range."""
    limited = column.min is not None or column.max is not None
    return f"{allowed_type(column)}, {allowed_range(column)}" if limited else allowed_type(column)


def describe_field(column: Column, choices: list[str]) -> str:
    """Return what a field means, what it may be, and its usual values."""
    parts = [column.description, f"unit: {column.unit}" if column.unit else "", _allowed(column)]
    if column.decimal == "," and column.type in ("integer", "number"):
        parts.append("in text with a decimal comma")
    parts += [f"such as {', '.join(choices[:10])}" if choices else "", "personal data" if column.pii else ""]
    return "; ".join(part for part in parts if part)


def make_answer(contract: Contract, control: bool = False) -> type[BaseModel]:
    """Return the model of the answer to a request; with `control`, each row tells whether it is in the control group."""
    task = contract.task
    known = Literal[tuple(task.classes)] if task.classes else float
    fields: dict[str, Any] = {"prediction": (known | None, Field(None, description=f"{task.target} as predicted"))}
    if task.kind == "binary":
        fields["probability"] = (float, Field(description=f"of {task.classes[-1]}", ge=0, le=1))
    if task.kind == "regression":
        fields |= {name: (float | None, Field(None, description="interval")) for name in ("lower", "upper")}
    if control:
        fields["control"] = (bool, Field(description="true: in the control group; do not act on the prediction"))
    open_row = ConfigDict(extra="allow")  # probability_<class>
    row = create_model("Prediction", __config__=open_row, **fields)
    return create_model(
        "Predictions",
        request_id=(str, Field(description="for GET /predictions/{request_id} and POST /outcomes")),
        model=(str, ...),
        version=(str, ...),
        predictions=(list[row], Field(description="in the order of the rows")),
    )


class AnswerDetail(BaseModel):
    """One thing that is wrong."""

    row: int | None = None
    field: str | None = None
    value: Any = None
    message: str


class ErrorAnswer(BaseModel):
    """What is wrong with a request."""

    request_id: str
    detail: list[AnswerDetail]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value  # 2.0 is an integer in JSON Schema


class Outcome(BaseModel):
    """The true value of one prediction."""

    model_config = ConfigDict(extra="forbid")
    request_id: Annotated[StrictStr, Field(min_length=1, max_length=100, pattern=r"^[\w.-]+$")]
    row: Annotated[StrictInt, Field(ge=0, le=1_000_000), BeforeValidator(_whole)] = 0
    value: TEXT | NUMBER = Field(description="a class, or a number")


class Outcomes(BaseModel):
    """True values of predictions."""

    model_config = ConfigDict(extra="forbid")
    outcomes: list[Outcome] = Field(min_length=1, max_length=10_000)
