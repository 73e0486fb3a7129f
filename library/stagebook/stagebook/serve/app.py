"""The web application: routes, limits, errors, metrics. `make_app` of the project calls `create_app` and may add to it."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from pydantic import ValidationError

from .. import __version__
from ..project.errors import DataError, StagebookError
from ..request.rows import RequestError
from .batches import Busy
from .body import ARROW, parse_rows, read_body, read_table_rows, write_table_rows
from .metrics import Metrics
from .openapi import describe_api
from .page import render_page
from .refuse import KEY_VARIABLE, Guard, Refused, describe_errors, refuse, refuse_http
from .schema import ErrorAnswer, Outcomes
from .service import Answer, Service, utc_now

__all__ = ["create_app"]

logger = logging.getLogger("stagebook.serve")
ERRORS = {code: {"model": ErrorAnswer} for code in (400, 401, 404, 408, 413, 415, 422, 503)}


def create_app(service: Service) -> FastAPI:
    """Return the application that serves `service`; see the OpenAPI page at /docs."""
    metrics = Metrics(service)
    app = FastAPI(
        title=f"{service.name}",
        version=__version__,
        description="Predictions of the champion.",
        lifespan=_lifespan(service),
        max_body_size=int(service.settings["max_megabytes"] * 1e6),
        telemetry=metrics.telemetry,
        redoc_url=None,
    )
    app.state.service = service
    app.add_exception_handler(Refused, refuse)
    app.add_exception_handler(HTTPException, refuse_http)
    app.add_middleware(Guard, key=os.environ.get(KEY_VARIABLE, ""))
    _add_predictions(app, service, metrics)
    _add_log(app, service)
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


def _add_predictions(app: FastAPI, service: Service, metrics: Metrics) -> None:
    async def answer(rows: list[dict]) -> list[Answer]:
        try:
            async with asyncio.timeout(service.settings["seconds"]):
                return await service.batches.submit(rows)
        except Busy:
            raise Refused(503, {"message": "too many rows wait; try again"}) from None
        except TimeoutError:
            raise Refused(503, {"message": f"no answer within {service.settings['seconds']:g} s"}) from None
        except RequestError as error:
            detail = {"row": error.row, "field": error.name or None, "value": error.value, "message": error.allowed}
            raise Refused(422, detail) from None
        except StagebookError as error:
            logger.error("cannot answer: %s", error)
            raise Refused(503, {"message": str(error)}) from None

    def reply(request: Request, answers: list[Answer]) -> JSONResponse:
        package = answers[0].served.package
        head = {"request_id": request.state.id, "model": package.name, "version": package.version}
        return JSONResponse({**head, "predictions": [one.output for one in answers]})

    @app.post("/predict", tags=["predictions"], responses=ERRORS)
    async def predict(request: Request) -> Response:
        """Predict for raw rows: the fields that are known when the prediction is asked for."""
        asked_at, started = utc_now(), perf_counter()
        rows = parse_rows(await read_body(request, service), service.current.body)
        answers = await answer(rows)
        service.record(request.state.id, answers, asked_at, started)
        metrics.count(answers)
        return reply(request, answers)

    @app.post("/predict/inputs", tags=["predictions"], responses=ERRORS)
    async def predict_inputs(request: Request) -> Response:
        """Predict for inputs of the model, from callers that make the features themselves."""
        asked_at, started = utc_now(), perf_counter()
        served = service.current
        rows = parse_rows(await read_body(request, service), served.inputs_body)
        columns = {
            name: [row[name] for row in rows]
            if kind == "text"
            else [float("nan") if row[name] is None else row[name] for row in rows]
            for name, kind in served.contract.features.items()
        }
        answers = [
            Answer(served, output, row, {}) for output, row in zip(service.predict(columns, served), rows, strict=True)
        ]
        service.record(request.state.id, answers, asked_at, started)
        metrics.count(answers)
        return reply(request, answers)

    @app.post("/predict/table", tags=["predictions"], responses=ERRORS)
    async def predict_table(request: Request) -> Response:
        """Predict for a table of raw rows, Arrow or Parquet; the answer is an Arrow stream."""
        asked_at, started = utc_now(), perf_counter()
        body = await read_body(request, service)
        rows = await asyncio.to_thread(read_table_rows, body, request.headers.get("content-type", ""), service)
        answers = await answer(rows)
        service.record(request.state.id, answers, asked_at, started)
        metrics.count(answers)
        return Response(write_table_rows([one.output for one in answers]), media_type=ARROW)


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
        return JSONResponse(json.loads(json.dumps(found, default=str)))

    @app.post("/outcomes", tags=["log"], responses=ERRORS)
    async def post_outcomes(request: Request) -> Response:
        """Take the true values of predictions."""
        from .outcomes import Outcome, record_outcomes

        body = await read_body(request, service)
        try:
            given = Outcomes.model_validate_json(body)
        except ValidationError as error:
            raise Refused(422, *describe_errors(error, Outcomes)) from None
        if service.log is None:
            raise Refused(404, {"message": "predictions are not logged here"})
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
    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return render_page(service)

    @app.get("/health", tags=["state"])
    async def health() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "ok"}

    @app.get("/ready", tags=["state"])
    async def ready() -> dict:
        """Tell which model answers, and what is wrong although it does."""
        package, problems = service.current.package, service.problems()
        waiting = service.log.waiting if service.log else 0
        state = {"status": "degraded" if problems else "ready", "version": package.version, "problems": problems}
        return state | {"log_waiting": waiting, "log_lost": service.log.lost if service.log else 0}

    @app.get("/example", tags=["state"])
    async def example() -> dict:
        """Return a body for POST /predict that works."""
        return {"rows": [service.current.contract.example]}

    @app.get("/model", tags=["state"])
    async def model() -> dict:
        """Return version, metrics, inputs and outputs of the model."""
        package = service.current.package
        about = {key: package.about.get(key) for key in ("who", "when", "why", "metrics")}
        contract = {"required": package.contract.required, "key": package.contract.key}
        signature = {"inputs": package.contract.features, "output": service.current.answer.model_json_schema()}
        head = {"name": package.name, "version": package.version, "config": package.config, **about}
        return head | {"request": contract, "signature": signature, "card": "/model/card" if package.card else None}

    @app.get("/model/card", tags=["state"], response_class=HTMLResponse, responses={404: {"model": ErrorAnswer}})
    async def card() -> Response:
        """Return the model card."""
        if (file := service.current.package.card) is None or not file.is_file():
            raise Refused(404, {"message": "this version has no model card here"})
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
        return FileResponse(file, media_type="text/html", headers=policy)

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        return Response(metrics.expose(), media_type="text/plain; version=0.0.4")
