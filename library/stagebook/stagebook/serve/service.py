"""The champion, answering: one model at a time, exchanged without losing a request."""

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import pandas as pd
from pydantic import BaseModel

from ..features.online import connect_store
from ..project.errors import StagebookError
from ..request.contract import Contract
from ..request.online import join_online
from ..request.prepare import load_prepare, prepare_rows
from ..request.rows import RequestError, mask_rows, read_keys, to_table
from .batches import Batches
from .follow import CURRENT, STATUS
from .log import Prediction, PredictionLog
from .package import Package, open_package
from .predictor import Predictor
from .schema import make_answer, make_body, make_inputs_body

__all__ = ["Answer", "Served", "Service"]

logger = logging.getLogger("stagebook.serve")


@dataclass(frozen=True)
class Served:
    """A package that is open, with the checks of its requests."""

    package: Package
    predictor: Predictor
    body: type[BaseModel]
    inputs_body: type[BaseModel]
    answer: type[BaseModel]

    @property
    def contract(self) -> Contract:
        """What a request of this model is."""
        return self.package.contract


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one row, and what the log keeps of it."""

    served: Served
    output: dict
    inputs: dict
    key: dict[str, str]


class Service:
    """Answers requests with the model in a folder, and takes another one when the folder names it.

    Parameters
    ----------
    root : Path
        The project.
    settings : dict
        `serve` of [tool.stagebook].
    source : Path
        A model's folder, or one that `follow` keeps: it has `current.json`.
    name : str
        Of the model.
    log : PredictionLog or None

    Attributes
    ----------
    current : Served
    error : str or None
        Why a newer model is not served.
    """

    def __init__(self, root: Path, settings: Mapping, source: Path, name: str, log: PredictionLog | None = None):
        self.root, self.settings, self.source, self.name, self.log = root, settings, source, name, log
        self.prepare, self.join = load_prepare(root), join_online(connect_store(root))
        self.error: str | None = None
        self.reloads = 0
        self._folder = self._find_folder()
        self.current = self.open(self._folder)
        self.batches = Batches(self.answer, waiting=settings["waiting_rows"])

    def _find_folder(self) -> Path:
        pointer = self.source / CURRENT
        if not pointer.is_file():
            return self.source
        return self.source / json.loads(pointer.read_text(encoding="utf-8"))["folder"]

    def open(self, folder: Path) -> Served:
        """Open the model in a folder and let it answer the contract's example; StagebookError if it cannot."""
        package = open_package(folder, self.root, self.name)
        limit = self.settings["max_rows"]
        body, inputs_body = make_body(package.contract, limit), make_inputs_body(package.contract, limit)
        answer = make_answer(package.contract)
        served = Served(package, Predictor(package.file, package.config), body, inputs_body, answer)
        if lacking := [name for name in served.predictor.inputs if name not in package.contract.features]:
            raise StagebookError(f"{folder}: the model needs {lacking[0]!r}, which its request.json does not have.")
        self.answer([package.contract.example], served)
        return served

    async def watch(self) -> None:
        """Take the model that `current.json` names, whenever it names another."""
        while True:
            await asyncio.sleep(1)
            try:
                folder = self._find_folder()
                if folder != self._folder:
                    self._folder = folder  # one try each
                    self.current = await asyncio.to_thread(self.open, folder)
                    self.error, self.reloads = None, self.reloads + 1
                    logger.info("model exchanged", extra={"version": self.current.package.version})
            except Exception as error:  # the old model stays
                self.error = f"version in {self._folder.name} fails its self-test, the old one stays: {error}"
                logger.exception("model not exchanged")

    def answer(self, rows: Sequence[Mapping], served: Served | None = None) -> list[Answer]:
        """Return the answers for raw rows; RequestError if a row cannot be."""
        served = served or self.current
        contract = served.contract
        table = to_table(rows, contract)
        try:
            inputs = prepare_rows(table, contract, self.prepare, self.join)
        except (RequestError, StagebookError):
            raise
        except Exception as error:
            logger.exception("`prepare` failed")
            raise RequestError(f"cannot be prepared: {type(error).__name__}: {error}") from error
        output = self.predict({name: inputs[name].to_numpy() for name in contract.features}, served)
        if self.log is None:
            return [Answer(served, one, {}, {}) for one in output]
        masked = plain_rows(mask_rows(table, contract))
        return [Answer(served, *parts) for parts in zip(output, masked, read_keys(table, contract), strict=True)]

    def predict(self, columns: Mapping[str, Sequence], served: Served | None = None) -> list[dict]:
        """Return the answers for inputs of the model, a dictionary for each row."""
        answer = (served or self.current).predictor.predict(columns)
        values = [column.tolist() for column in answer.values()]
        return [dict(zip(answer, row, strict=True)) for row in zip(*values, strict=True)]

    def record(self, request_id: str, answers: Sequence[Answer], asked_at: datetime, started: float) -> None:
        """Hand the answers to the prediction log."""
        if self.log is None:
            return
        latency = (perf_counter() - started) * 1000
        package = answers[0].served.package
        common = {"asked_at": asked_at, "model": package.name, "version": package.version, "latency_ms": latency}
        self.log.write(
            [
                Prediction(request_id=request_id, row=row, key=one.key, inputs=one.inputs, output=one.output, **common)
                for row, one in enumerate(answers)
            ]
        )

    def problems(self) -> dict[str, str]:
        """Return what is wrong although the service answers: the model, the registry, the log."""
        found = {"model": self.error, "log": self.log.error if self.log else None}
        status = self.source / STATUS
        if status.is_file():
            found["registry"] = json.loads(status.read_text(encoding="utf-8")).get("error")
        return {name: error for name, error in found.items() if error}

    def close(self) -> None:
        """Answer what waits, and write what is not yet logged."""
        self.batches.close()
        if self.log:
            self.log.close()


def plain_rows(table: pd.DataFrame) -> list[dict]:
    """Return rows as JSON has them, without what is missing."""
    columns = {
        name: values.dt.strftime("%Y-%m-%dT%H:%M:%S") if pd.api.types.is_datetime64_any_dtype(values) else values
        for name, values in table.items()
    }
    rows = zip(
        *(column.astype(object).where(column.notna(), None).tolist() for column in columns.values()), strict=True
    )
    return [{name: value for name, value in zip(columns, row, strict=True) if value is not None} for row in rows]


def new_request_id() -> str:
    """Return an id that no other request has."""
    return uuid.uuid4().hex


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)
