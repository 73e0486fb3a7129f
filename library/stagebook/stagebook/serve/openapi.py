"""The OpenAPI description, with the fields of the model that answers now."""

import os

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from ..data.schema import Column
from ..model.task import Task
from ..request.rows import LARGEST
from .body import ARROW, PARQUET
from .promise import number_pattern
from .refuse import KEY_VARIABLE
from .schema import Outcomes
from .service import Service

__all__ = ["describe_api"]


def describe_api(app: FastAPI, service: Service) -> dict:
    """Return the OpenAPI description, with the fields of the model that answers now."""
    served = service.current
    described = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
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
    return described


def _true_value(task: Task) -> dict:
    """Return what the true value of a prediction may be."""
    if task.classes:
        return {"enum": task.classes, "description": f"the true {task.target}"}
    texts = {"type": "string", "pattern": number_pattern(Column(task.target, "number", missing=False))}
    number = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
    return {"anyOf": [number, texts], "description": f"the true {task.target}"}


def _content(reference: dict) -> dict:
    return {"content": {"application/json": {"schema": reference}}, "required": True}


def _add_schema(schemas: dict, model: type[BaseModel], mode: str = "validation") -> dict:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode=mode)
    schemas |= schema.pop("$defs", {})
    schemas[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}
