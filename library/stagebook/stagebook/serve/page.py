"""The web page of the service: a form for one prediction."""

from typing import TYPE_CHECKING

from fastapi.responses import HTMLResponse

if TYPE_CHECKING:
    from .service import Service

__all__ = ["render_page"]


def render_page(service: "Service") -> HTMLResponse:
    """Return the page for the model that is served now."""
    return HTMLResponse(f"<h1>{service.name}</h1>")
