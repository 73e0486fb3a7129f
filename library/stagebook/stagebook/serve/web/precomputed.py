"""The address that reads predictions which a scoring run wrote in advance."""

import asyncio
from typing import Annotated

from fastapi import FastAPI, Query, Response
from pydantic_core import to_json

from ...project.errors import DataError, StagebookError
from ..batch.table import connect_table, find_prediction, open_table
from ..service import Service
from .refuse import Refused

__all__ = ["add_precomputed"]


def add_precomputed(app: FastAPI, service: Service, errors: dict) -> None:
    """Add GET /predictions?key=... to the application."""
    engine = open_table(connect_table(service.root))

    @app.get("/predictions", tags=["predictions"], responses=errors)
    async def get_precomputed(key: Annotated[list[str] | None, Query()] = None) -> Response:
        """Return the prediction that was made for a key in advance, with the version of the model and the time."""
        try:
            if not key:
                raise DataError("the query has no `key`: /predictions?key=VALUE, or key=NAME=VALUE for each column")
            found = await asyncio.to_thread(find_prediction, engine, key, service.current.contract)
        except DataError as error:
            raise Refused(422, {"field": "key", "message": str(error)}) from None
        except StagebookError as error:
            raise Refused(503, {"message": str(error)}) from None
        if found is None:
            raise Refused(404, {"message": f"there is no precomputed prediction of {' '.join(key)!r}"})
        return Response(to_json(found), media_type="application/json")
