"""The web service of `make serve`. Routes and middleware of your own go here."""

from fastapi import FastAPI
from stagebook.serve.app import create_app
from stagebook.serve.service import Service

__all__ = ["make_app"]


def make_app(service: Service) -> FastAPI:
    """Return the service's application; `service.current` is the model that answers now."""
    return create_app(service)
