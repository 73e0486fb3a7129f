"""Pages for people: a form for one prediction at `/`, the API with Swagger UI at `/docs`. Both ask nothing of the network."""

import json
import secrets
from importlib.resources import files
from pathlib import Path

import fastapi_swagger
from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, Template
from markupsafe import Markup

from ...data.plain_text import as_text
from ...data.privacy import personal_columns
from ...data.schema import Column
from ...evaluate.costs import Costs, check_costs, cost_matrix
from ...gate.requirements import FILE as REQUIREMENTS
from ...gate.requirements import read_requirements
from ...model.task import Task
from ...project.errors import DataError
from ...project.markdown import read_style
from ...request.contract import Contract
from ...request.rows import allowed_range
from ..service import Service

__all__ = ["add_pages", "describe_fields", "read_costs"]

SWAGGER = ("swagger-ui.css", "swagger-ui-bundle.js")


def add_pages(app: FastAPI, service: Service) -> None:
    """Add both pages, and the files of Swagger UI (from the package fastapi-swagger: a firewall may hide other hosts)."""

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return render_page(service)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        nonce = secrets.token_urlsafe(16)
        sources = f"script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src data:"
        return HTMLResponse(_template("docs.html.j2").render(nonce=nonce), headers=_protect(sources))

    @app.get("/docs/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in SWAGGER:
            return Response(status_code=404)
        return FileResponse(str(files(fastapi_swagger) / "resources" / name))


def _template(name: str) -> Template:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return Environment(autoescape=True).from_string(text)


def render_page(service: Service) -> HTMLResponse:
    """Return the page for the model that is served now. It tells only what is open without a key: the fields."""
    served, nonce = service.current, secrets.token_urlsafe(16)
    about = {"name": served.package.name, "version": served.package.version, "target": served.contract.task.target}
    text = _template("page.html.j2").render(
        about, fields=describe_fields(served.contract), nonce=nonce, style=Markup(read_style()), to_json=json.dumps
    )
    return HTMLResponse(text, headers=_protect(f"script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"))


def _protect(sources: str) -> dict[str, str]:
    """Return the headers of a page that loads nothing but `sources`, and asks nobody but this service."""
    policy = "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return {
        "Content-Security-Policy": f"{policy}; {sources}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def describe_fields(contract: Contract) -> list[dict]:
    """Return what the form shows of each field; ignored columns are left out, unless a request must have them."""
    personal = personal_columns(contract.table)
    return [
        _describe_field(column, contract, column.name in personal)
        for column in contract.table.columns.values()
        if column.role != "ignored" or not column.missing
    ]


def _describe_field(column: Column, contract: Contract, personal: bool) -> dict:
    example = None if personal else contract.example.get(column.name)
    text = "" if example is None else as_text(example)
    choices = [] if personal else contract.choices.get(column.name, [])
    if column.type == "boolean":
        choices = ["yes", "no"] if text in ("", "yes", "no") else ["true", "false"]
        choices += [text] if text and text not in choices else []
    return {
        "name": column.name,
        "kind": column.type,
        "comma": column.decimal == ",",
        "required": not column.missing,
        "hint": "; ".join(part for part in _hints(column, text, personal, bool(choices)) if part),
        "example": example,
        "text": text,
        "choices": choices,
    }


def _hints(column: Column, text: str, personal: bool, choices: bool) -> list[str]:
    return [
        column.description,
        f"unit: {column.unit}" if column.unit else "",
        allowed_range(column) if column.min is not None or column.max is not None else "",
        f"pattern: {column.pattern}" if column.pattern and not choices else "",
        f"a date as in {text or '2024-01-31'}" if column.type == "date" else "",
        "personal data" if personal else "",
    ]


def read_costs(root: Path, task: Task) -> dict | None:
    """Return what decisions cost, from docs/requirements.yaml; None if nothing is known.

    Returns
    -------
    dict
        `currency` and `per`; `matrix`, a list of costs by decision for each actual class in the order of `task.classes`;
        for regression `too_high` and `too_low`, per unit of the target. Only `error` if the file cannot be read.
    """
    file = root / REQUIREMENTS
    if not file.is_file():
        return None
    try:
        costs: Costs = read_requirements(file).costs
        check_costs(costs.matrix, task)
        if not costs.matrix:
            return None
        about = {"currency": costs.currency, "per": costs.per or "row"}
        if task.kind == "regression":
            return about | {key: float(costs.matrix.get(key, 1.0)) for key in ("too_high", "too_low")}
        return about | {"matrix": cost_matrix(costs.matrix, task).tolist()}
    except DataError as error:
        return {"error": str(error).replace(f"{root}/", "")}
