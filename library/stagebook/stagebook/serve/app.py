"""The web application: routes, limits, errors, metrics. `make_app` of the project calls `create_app` and may add to it."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from time import perf_counter
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from .. import __version__
from ..project.errors import DataError, StagebookError
from ..request.rows import RequestError
from .batches import Busy
from .service import Answer, Served, Service, utc_now
from .web.body import ARROW, JSON, PARQUET, content_type, parse_rows, read_body, read_table_rows, write_table_rows
from .web.metrics import Metrics
from .web.openapi import describe_api
from .web.page import add_pages, read_costs
from .web.precomputed import add_precomputed
from .web.refuse import KEY_VARIABLE, Guard, Refused, describe_errors, refuse, refuse_crash, refuse_http, show_value
from .web.schema import ErrorAnswer, Outcomes

__all__ = ["ARTEFACT_VARIABLE", "create_app"]

logger = logging.getLogger("stagebook.serve")
ERRORS = {code: {"model": ErrorAnswer} for code in (400, 401, 404, 405, 408, 413, 415, 421, 422, 500, 503)}
ARTEFACT_VARIABLE = "STAGEBOOK_ARTEFACT"  # the hash of what is deployed, as `stagebook deploy` and images set it
LARGE = 20_000  # bytes of a body that is read, and answered, beside the loop that takes requests


def create_app(service: Service) -> FastAPI:
    """Return the application that serves `service`; see the OpenAPI page at /docs."""
    metrics = Metrics(service)
    app = FastAPI(
        title=f"{service.name}",
        version=__version__,
        description="Predictions of the champion.",
        lifespan=_lifespan(service),
        telemetry=metrics.telemetry,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    app.add_exception_handler(Refused, refuse)
    app.add_exception_handler(HTTPException, refuse_http)
    app.add_exception_handler(Exception, refuse_crash)
    limits = {"hosts": service.settings["hosts"], "megabytes": service.settings["max_megabytes"]}
    app.add_middleware(Guard, key=os.environ.get(KEY_VARIABLE, ""), **limits, metrics=metrics)
    add_pages(app, service)
    _add_predictions(app, service, metrics)
    _add_log(app, service)
    add_precomputed(app, service, ERRORS)
    _add_state(app, service, metrics)
    app.openapi = lambda: describe_api(app, service)
    return app


def _lifespan(service: Service) -> Callable:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(service.watch())
        yield
        watching.cancel()
        await asyncio.to_thread(service.close)

    return lifespan


async def _call(large: bool, work: Callable, *arguments: object) -> Any:
    """Call `work`, in a thread if the body is large: others are answered meanwhile."""
    return await asyncio.to_thread(work, *arguments) if large else work(*arguments)


def _add_predictions(app: FastAPI, service: Service, metrics: Metrics) -> None:
    async def answer(rows: list[dict], served: Served) -> list[Answer]:
        try:
            async with asyncio.timeout(service.settings["seconds"]):
                return await service.batches.submit(rows, served)
        except Busy:
            raise Refused(503, {"message": "too many rows wait; try again"}) from None
        except TimeoutError:
            raise Refused(503, {"message": f"no answer within {service.settings['seconds']:g} s"}) from None
        except RequestError as error:
            raise _refused(error) from None
        except StagebookError as error:
            logger.error("cannot answer: %s", error)
            raise Refused(503, {"message": str(error)}) from None

    def finish(request: Request, answers: list[Answer], asked_at: datetime, started: float) -> list[dict]:
        metrics.count(answers)
        return service.record(request.state.id, answers, asked_at, started)

    def reply(request: Request, answers: list[Answer], asked_at: datetime, started: float) -> Response:
        package = answers[0].served.package
        head = {"request_id": request.state.id, "model": package.name, "version": package.version}
        rows = finish(request, answers, asked_at, started)
        return Response(to_json({**head, "predictions": rows}), media_type=JSON)

    @app.post("/predict", tags=["predictions"], responses=ERRORS)
    async def predict(request: Request) -> Response:
        """Predict for raw rows: the fields that are known when the prediction is asked for."""
        asked_at, started = utc_now(), perf_counter()
        body, served = await read_body(request, service, JSON), service.current
        rows = await _call(len(body) > LARGE, parse_rows, body, served.body, served.allowed, served.contract.table)
        answers = await answer(rows, served)
        return reply(request, answers, asked_at, started)

    @app.post("/predict/inputs", tags=["predictions"], responses=ERRORS)
    async def predict_inputs(request: Request) -> Response:
        """Predict for inputs of the model, from callers that make the features themselves."""
        asked_at, started = utc_now(), perf_counter()
        body, served = await read_body(request, service, JSON), service.current
        large = len(body) > LARGE
        table = served.contract.table
        rows = await _call(large, parse_rows, body, served.inputs_body, served.allowed_inputs, table)
        try:
            answers = await _call(large, service.answer_inputs, rows, served)
        except RequestError as error:
            raise _refused(error) from None
        return reply(request, answers, asked_at, started)

    @app.post("/predict/table", tags=["predictions"], responses=ERRORS)
    async def predict_table(request: Request) -> Response:
        """Predict for a table of raw rows, Arrow or Parquet; the answer is an Arrow stream."""
        asked_at, started = utc_now(), perf_counter()
        body, served = await read_body(request, service, ARROW, PARQUET), service.current
        contract, settings = served.contract, service.settings
        rows = await asyncio.to_thread(read_table_rows, body, content_type(request), contract, settings)
        answers = await answer(rows, served)
        rows = finish(request, answers, asked_at, started)
        table = await asyncio.to_thread(write_table_rows, rows)
        return Response(table, media_type=ARROW)


def _refused(error: RequestError) -> Refused:
    detail = {"row": error.row, "field": error.name or None, "value": show_value(error.value), "message": error.allowed}
    return Refused(422, {key: value for key, value in detail.items() if key != "value" or error.name})


def _add_log(app: FastAPI, service: Service) -> None:
    @app.get("/predictions/{request_id}", tags=["log"], responses=ERRORS)
    async def get_prediction(request_id: str) -> Response:
        """Return what was asked and answered, and the true values that are known by now."""
        if service.log is None:
            raise Refused(404, {"message": "predictions are not logged here"})
        try:
            found = await asyncio.to_thread(service.log.find, request_id)
        except StagebookError as error:
            raise Refused(503, {"message": str(error)}) from None
        if not found:
            raise Refused(404, {"message": f"there is no prediction {request_id!r}"})
        return Response(to_json(found, fallback=str), media_type=JSON)

    @app.post("/outcomes", tags=["log"], responses=ERRORS)
    async def post_outcomes(request: Request) -> Response:
        """Take the true values of predictions."""
        body = await read_body(request, service, JSON)
        try:
            given = Outcomes.model_validate_json(body)
        except ValidationError as error:
            raise Refused(422, *describe_errors(error, {})) from None
        if service.log is None:
            raise Refused(404, {"message": "predictions are not logged here"})
        from ..predictions.outcomes import Outcome, record_outcomes

        outcomes = [Outcome(**one.model_dump()) for one in given.outcomes]
        classes, source = service.current.contract.task.classes, "POST /outcomes"
        try:
            summary = await asyncio.to_thread(
                record_outcomes, service.log.url, outcomes, classes=classes, source=source
            )
        except DataError as error:
            raise Refused(422, {"message": str(error)}) from None
        except StagebookError as error:
            raise Refused(503, {"message": str(error)}) from None
        return JSONResponse(
            {"counts": summary.counts, "examples": summary.examples, "predictions": summary.predictions}
        )


def _add_state(app: FastAPI, service: Service, metrics: Metrics) -> None:
    artefact = os.environ.get(ARTEFACT_VARIABLE)

    @app.get("/health", tags=["state"], responses={405: ERRORS[405]})
    async def health() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "ok"}

    @app.get("/ready", tags=["state"], responses={405: ERRORS[405]})
    async def ready() -> dict:
        """Tell which model answers, and what is wrong although it does."""
        package, problems = service.current.package, service.problems()
        waiting = service.log.waiting if service.log else 0
        state = {"status": "degraded" if problems else "ready", "version": package.version, "problems": problems}
        state |= {"artefact": artefact} if artefact else {}
        return state | {"log_waiting": waiting, "log_lost": service.log.lost if service.log else 0}

    @app.get("/example", tags=["state"], responses={code: ERRORS[code] for code in (401, 405)})
    async def example() -> dict:
        """Return a body for POST /predict that works."""
        return {"rows": [service.current.contract.example]}

    @app.get("/model", tags=["state"], responses={code: ERRORS[code] for code in (401, 405)})
    def model() -> dict:
        """Return version, metrics, costs of decisions, inputs and outputs of the model."""
        served = service.current
        package, task = served.package, served.contract.task
        about = {key: package.about.get(key) for key in ("who", "when", "why", "metrics")}
        contract = {"required": package.contract.required, "key": package.contract.key}
        signature = {"inputs": package.contract.features, "output": served.answer.model_json_schema()}
        head = {"name": package.name, "version": package.version, "config": package.config, **about}
        head |= {
            "classes": task.classes,
            "threshold": served.predictor.threshold,
            "costs": read_costs(service.root, task),
        }
        return head | {"request": contract, "signature": signature, "card": "/model/card" if package.card else None}

    html = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}
    errors = {code: ERRORS[code] for code in (401, 404, 405, 500)}

    @app.get("/model/card", tags=["state"], response_class=Response, responses=html | errors)
    async def card() -> Response:
        """Return the model card."""
        if (file := service.current.package.card) is None or not file.is_file():
            raise Refused(404, {"message": "this version has no model card here"})
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
        return FileResponse(file, media_type="text/html", headers=policy)

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        return Response(metrics.expose(), media_type="text/plain; version=0.0.4")
