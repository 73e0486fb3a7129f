"""The OpenAPI description, with the fields of the model that answers now."""

import os

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from .body import ARROW, PARQUET
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


def _content(reference: dict) -> dict:
    return {"content": {"application/json": {"schema": reference}}, "required": True}


def _add_schema(schemas: dict, model: type[BaseModel], mode: str = "validation") -> dict:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode=mode)
    schemas |= schema.pop("$defs", {})
    schemas[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}
