"""The OpenAPI description, with the fields of the model that answers now."""

import os

import pandas as pd
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from ...data.schema import Column
from ...model.task import Task
from ...request.prepare import prepare_rows
from ...request.rows import LARGEST, allowed_type, to_table
from ..service import Served, Service
from .body import ARROW, PARQUET
from .promise import number_pattern
from .refuse import KEY_VARIABLE
from .schema import Outcomes

__all__ = ["describe_api"]

REQUEST_ID = "4f9c2f3de8b94b60a1d2b6c0f4a7e915"  # of the examples
TAGS = {
    "predictions": "Ask the model.",
    "log": "What was asked and answered, and what was true.",
    "state": "The process, the model, and what is wrong.",
}
SUMMARIES = {
    "/predict": "Predict for raw rows (JSON)",
    "/predict/inputs": "Predict for inputs of the model (JSON)",
    "/predict/table": "Predict for many raw rows (Arrow or Parquet)",
    "/predictions": "Find a prediction that was made in advance, by its key",
    "/predictions/{request_id}": "Find a prediction again",
    "/outcomes": "Tell what was true",
    "/health": "Does the process answer?",
    "/ready": "Which model answers, and what is wrong?",
    "/example": "A body for POST /predict that works",
    "/model": "The model: version, metrics, costs, inputs, outputs",
    "/model/card": "The model card (HTML)",
}
ANSWERS = {
    "/predict": "An answer for each row, in their order",
    "/predict/inputs": "An answer for each row, in their order",
    "/predict/table": "An Arrow stream with an answer for each row, in their order",
    "/predictions": "Key, answer, version of the model and time",
    "/predictions/{request_id}": "The rows of the request, with their answers",
    "/outcomes": "How many true values were new, repeated, or belong to no prediction",
}
REFUSED = {
    "400": "The body cannot be read",
    "401": "The API key is missing or wrong",
    "404": "There is no such thing here",
    "405": "The method is not allowed here",
    "408": "The body did not arrive in time",
    "413": "The body is too large",
    "415": "The Content-Type is none that is read",
    "421": "The request was sent to a name that is none of this machine",
    "422": "A value is wrong: `detail` names row, field, value and what is allowed",
    "500": "The service failed; its log tells why, under this request id",
    "503": "Too many rows wait, or something is away; try again after `Retry-After` seconds",
}


def describe_api(app: FastAPI, service: Service) -> dict:
    """Return the OpenAPI description, with the fields of the model that answers now."""
    served = service.current
    if app.openapi_schema and getattr(app.state, "described", None) is served:
        return app.openapi_schema
    tags = [{"name": name, "description": text} for name, text in TAGS.items()]
    about = {"title": app.title, "version": app.version, "description": app.description, "tags": tags}
    described = get_openapi(**about, routes=app.routes)
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    bodies = {"/predict": served.body, "/predict/inputs": served.inputs_body, "/outcomes": Outcomes}
    for path, body in bodies.items():
        reference = _add_schema(schemas, body)
        described["paths"][path]["post"]["requestBody"] = _content(reference)
    schemas["Outcome"]["properties"]["value"] = _true_value(served.contract.task)
    reply = _content(_add_schema(schemas, served.answer, "serialization"))["content"]
    for path in ("/predict", "/predict/inputs"):
        described["paths"][path]["post"]["responses"]["200"]["content"] = reply
    binary = {"schema": {"type": "string", "format": "binary"}}
    described["paths"]["/predict/table"]["post"]["requestBody"] = {
        "content": {ARROW: binary, PARQUET: binary},
        "required": True,
    }
    described["paths"]["/predict/table"]["post"]["responses"]["200"]["content"] = {ARROW: binary}
    if os.environ.get(KEY_VARIABLE):
        described["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"key": []}]
    _describe_answers(described["paths"], served)
    _add_examples(described["paths"], served, service)
    app.openapi_schema, app.state.described = described, served
    return described


def _true_value(task: Task) -> dict:
    """Return what the true value of a prediction may be."""
    if task.classes:
        return {"enum": task.classes, "description": f"the true {task.target}"}
    texts = {"type": "string", "pattern": number_pattern(Column(task.target, "number", missing=False))}
    number = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
    return {"anyOf": [number, texts], "description": f"the true {task.target}"}


def _describe_answers(paths: dict, served: Served) -> None:
    """Add in words what each address does, and what each error means."""
    column = next(iter(served.contract.table.columns.values()))
    wrong = {"row": 0, "field": column.name, "value": None, "message": f"must be {allowed_type(column)}"}
    for path, summary in SUMMARIES.items():
        for operation in paths[path].values():
            operation["summary"] = summary
            responses = operation["responses"]
            responses["200"]["description"] = ANSWERS.get(path, summary)
            for code in responses.keys() & REFUSED.keys():
                responses[code]["description"] = REFUSED[code]
                detail = wrong if code == "422" else {"message": REFUSED[code]}
                example = {"request_id": REQUEST_ID, "detail": [detail]}
                _set_example(responses[code], example)
    [request_id] = paths["/predictions/{request_id}"]["get"]["parameters"]
    [key] = paths["/predictions"]["get"]["parameters"]
    key |= {"description": "the key; `name=value` for each column if it has several", "example": ["17"]}
    key |= {"required": True, "schema": {"type": "array", "items": {"type": "string"}, "minItems": 1}}
    request_id |= {"description": "as /predict returned it, or its header X-Request-ID", "example": REQUEST_ID}


def _add_examples(paths: dict, served: Served, service: Service) -> None:
    """Add bodies that work, and what the model answers to them."""
    known = {"request_id": REQUEST_ID, "row": 0, "value": (served.contract.task.classes or [1.0])[-1]}
    examples = {"/predict": {"rows": [served.contract.example]}, "/outcomes": {"outcomes": [known]}}
    examples["/predict/inputs"], answer = _ask_example(served, service)
    for path, example in examples.items():
        _set_example(paths[path]["post"]["requestBody"], example)
    for path in ("/predict", "/predict/inputs"):
        _set_example(paths[path]["post"]["responses"]["200"], answer)


def _set_example(described: dict, example: dict | None) -> None:
    if example is not None:
        described["content"]["application/json"]["example"] = example


def _ask_example(served: Served, service: Service) -> tuple[dict | None, dict | None]:
    """Return the model's inputs for the contract's example, and the answer; None if there is none just now."""
    contract = served.contract
    try:
        table = prepare_rows(to_table([contract.example], contract), contract, service.prepare, service.join)
        columns = {name: table[name].tolist() for name in contract.features}
        control = {"control": False} if service.control_share else {}
        predictions = [one | control for one in service.predict(columns, served)]
    except Exception:  # noqa: BLE001 such as a feature store that is away: a page without this example still helps
        return None, None
    head = {"request_id": REQUEST_ID, "model": served.package.name, "version": served.package.version}
    inputs = {name: None if pd.isna(value) else value for name, [value] in columns.items()}
    return {"rows": [inputs]}, {**head, "predictions": predictions}


def _content(reference: dict) -> dict:
    return {"content": {"application/json": {"schema": reference}}, "required": True}


def _add_schema(schemas: dict, model: type[BaseModel], mode: str = "validation") -> dict:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode=mode)
    schemas |= schema.pop("$defs", {})
    schemas[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}
