"""Pages for people: a form for one prediction at `/`, and the API with Swagger UI at `/docs`. Both ask nothing of the network."""

import json
import secrets
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup

from ..data.privacy import personal_columns
from ..gate.requirements import read_requirements
from ..project.errors import StagebookError
from ..project.markdown import read_style
from .schema import describe_field

if TYPE_CHECKING:
    from .service import Service

__all__ = ["add_pages", "render_page"]

SWAGGER = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
POLICY = "default-src 'none'; connect-src 'self'; img-src 'self' data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
DOCS = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="api"></div><script src="/docs/swagger-ui-bundle.js"></script>
<script nonce="{nonce}">SwaggerUIBundle({{url: "/openapi.json", dom_id: "#api", tryItOutEnabled: true}})</script></body></html>
"""


def add_pages(app: FastAPI, service: "Service") -> None:
    """Add both pages, and the files of Swagger UI (from the package fastapi-swagger)."""

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        nonce = secrets.token_urlsafe(16)
        return _page(render_page(service, nonce), f"script-src 'nonce-{nonce}'; style-src 'unsafe-inline'")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        nonce = secrets.token_urlsafe(16)
        scripts = f"script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'"
        return _page(DOCS.format(nonce=nonce), scripts)

    @app.get("/docs/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in SWAGGER:
            return Response(status_code=404)
        content = resources.files("fastapi_swagger.resources").joinpath(name).read_bytes()
        return Response(content, media_type=SWAGGER[name], headers={"Cache-Control": "max-age=86400"})


def _page(content: str, policy: str) -> HTMLResponse:
    return HTMLResponse(content, headers={"Content-Security-Policy": f"{POLICY}; {policy}"})


def render_page(service: "Service", nonce: str) -> str:
    """Return the form for the model that answers now. All that comes from data is escaped."""
    package, contract = service.current.package, service.current.contract
    personal = personal_columns(contract.table)
    fields = [
        {
            "name": column.name,
            "about": describe_field(column, contract.choices.get(column.name, [])),
            "choices": contract.choices.get(column.name, ["yes", "no"] if column.type == "boolean" else []),
            "required": not column.missing,
            "example": "" if column.name in personal else contract.example.get(column.name, ""),
        }
        for column in contract.table.columns.values()
        if column.role != "ignored"
    ]
    template = Environment(autoescape=True).from_string(Path(__file__).with_name("page.html.j2").read_text("utf-8"))
    # What the script reads: no text of it can end the element that holds it.
    task = {"kind": contract.task.kind, "classes": contract.task.classes, "threshold": package.config.get("threshold")}
    facts = json.dumps(task | {"costs": _read_costs(service.root)}).replace("<", "\\u003c")
    return template.render(
        style=Markup(read_style()),
        package=package,
        target=contract.task.target,
        fields=fields,
        facts=Markup(facts),
        nonce=nonce,
    )


def _read_costs(root: Path) -> dict | None:
    """Return currency, unit and matrix of docs/requirements.yaml; None if they are not filled in."""
    try:
        costs = read_requirements(root / "docs" / "requirements.yaml").costs
    except StagebookError:
        return None
    return {"currency": costs.currency, "per": costs.per, "matrix": costs.matrix} if costs.matrix else None
