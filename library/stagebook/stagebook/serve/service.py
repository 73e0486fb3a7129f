"""The champion, answering: one model at a time, exchanged without losing a request."""

import asyncio
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite, nan
from pathlib import Path
from time import perf_counter

from pydantic import BaseModel

from ..features.online import connect_store
from ..predictions.control import check_share, in_control
from ..predictions.log import Prediction, PredictionLog
from ..project.errors import DataError, StagebookError
from ..request.contract import Contract
from ..request.loggable import feature_rows, mask_features, plain_rows
from ..request.online import join_online
from ..request.prepare import load_prepare, prepare_rows
from ..request.rows import RequestError, mask_rows, read_keys, to_table
from .batches import Batches
from .follow import CURRENT, STATUS
from .package import Package, open_package
from .predictor import Predictor
from .web.schema import allowed_inputs, allowed_words, make_answer, make_body, make_inputs_body

__all__ = ["Answer", "Served", "Service", "find_folder"]

logger = logging.getLogger("stagebook.serve")


@dataclass(frozen=True)
class Served:
    """A package that is open, with the checks of its requests."""

    package: Package
    predictor: Predictor
    body: type[BaseModel]
    inputs_body: type[BaseModel]
    answer: type[BaseModel]
    allowed: dict[str, str]
    allowed_inputs: dict[str, str]

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
    features: dict


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
        self.control_share = check_share(settings["control_share"])
        self.error: str | None = None
        self.reloads = 0
        self._folder = self._tried = find_folder(self.source)
        self.current = self.open(self._folder)
        self.batches = Batches(self.answer, waiting=settings["waiting_rows"])

    def open(self, folder: Path) -> Served:
        """Open the model in a folder and let it answer the contract's example; StagebookError if it cannot."""
        try:
            return self._open(folder)
        except StagebookError:
            raise
        except Exception as error:  # a broken file fails in one of onnxruntime's or skops' many ways
            raise DataError(f"{folder}: the model in it cannot be used: {type(error).__name__}: {error}") from error

    def _open(self, folder: Path) -> Served:
        package = open_package(folder, self.root, self.name)
        contract, limit = package.contract, self.settings["max_rows"]
        predictor = Predictor(package.file, package.config)
        if lacking := [name for name in predictor.inputs if name not in contract.features]:
            raise DataError(f"{folder}: the model needs {lacking[0]!r}, which its request.json does not have.")
        bodies = (
            make_body(contract, limit),
            make_inputs_body(contract, limit),
            make_answer(contract, self.control_share > 0),
        )
        served = Served(package, predictor, *bodies, allowed_words(contract), allowed_inputs(contract))
        self.answer([contract.example], served)
        return served

    async def watch(self) -> None:
        """Take the model that `current.json` names, whenever it names another."""
        while True:
            await asyncio.sleep(1)
            try:
                await self.reload()
            except Exception as error:  # the old model stays
                if (message := f"a newer version is not served: {error}") != self.error:
                    self.error = message
                    logger.exception("model not exchanged")

    async def reload(self) -> None:
        """Take the model that `current.json` names, if it is another; StagebookError if that one does not work."""
        folder = find_folder(self.source)
        if folder == self._tried:
            return
        self._tried = folder  # one try each
        if folder != self._folder:
            self.current = await asyncio.to_thread(self.open, folder)
            self._folder, self.reloads = folder, self.reloads + 1
            logger.info("model exchanged for version %s", self.current.package.version)
        self.error = None

    def answer(self, rows: Sequence[Mapping], served: Served | None = None) -> list[Answer]:
        """Return the answers for raw rows; RequestError if a row cannot be."""
        served = served or self.current
        contract = served.contract
        table = to_table(rows, contract)
        try:
            inputs = prepare_rows(table, contract, self.prepare, self.join)
        except StagebookError:
            raise
        except Exception as error:
            logger.exception("`prepare` failed")
            raise RequestError(f"cannot be prepared: {type(error).__name__}: {error}") from error
        columns = {name: inputs[name].to_numpy() for name in contract.features}
        output, nothing = self.predict(columns, served), [{}] * len(rows)
        keys = read_keys(table, contract) if self.log or self.control_share else nothing
        masked = plain_rows(mask_rows(table, contract)) if self.log else nothing
        features = feature_rows(columns, contract) if self.log else nothing
        return [Answer(served, *parts) for parts in zip(output, masked, keys, features, strict=True)]

    def answer_inputs(self, rows: Sequence[Mapping], served: Served) -> list[Answer]:
        """Return the answers for rows of inputs of the model."""
        columns = {name: [row[name] for row in rows] for name in served.contract.features}
        for name, kind in served.contract.features.items():
            if kind == "number" and None in columns[name]:
                columns[name] = [nan if value is None else value for value in columns[name]]
        output = self.predict(columns, served)
        masked = mask_features(rows, served.contract) if self.log else rows
        return [Answer(served, one, row, {}, row) for one, row in zip(output, masked, strict=True)]

    def predict(self, columns: Mapping[str, Sequence], served: Served | None = None) -> list[dict]:
        """Return the answers for inputs of the model, a dictionary for each row; RequestError if one is no number."""
        answer = (served or self.current).predictor.predict(columns)
        values = [column.tolist() for column in answer.values()]
        for column in values:
            for row, value in enumerate(column):
                if isinstance(value, float) and not isfinite(value):
                    raise RequestError("the model's answer is no number: a value is far from what it learned", row=row)
        return [dict(zip(answer, row, strict=True)) for row in zip(*values, strict=True)]

    def record(self, request_id: str, answers: Sequence[Answer], asked_at: datetime, started: float) -> list[dict]:
        """Hand the answers to the prediction log; return what the caller gets, with `control` if there is a share."""
        share = self.control_share
        control = [in_control(share, one.key, request_id, row) for row, one in enumerate(answers)]
        if self.log is not None:
            self._log(request_id, answers, control, asked_at, started)
        if not share:
            return [one.output for one in answers]
        return [one.output | {"control": held} for one, held in zip(answers, control, strict=True)]

    def _log(self, request_id: str, answers: Sequence[Answer], control: list[bool], asked_at, started: float) -> None:
        latency = (perf_counter() - started) * 1000
        package = answers[0].served.package
        common = {"asked_at": asked_at, "model": package.name, "version": package.version, "latency_ms": latency}
        common |= {"request_id": request_id, "control_share": self.control_share}
        kept = ("key", "inputs", "features", "output")
        self.log.write(
            [
                Prediction(row=row, control=held, **{name: getattr(one, name) for name in kept}, **common)
                for row, (one, held) in enumerate(zip(answers, control, strict=True))
            ]
        )

    def problems(self) -> dict[str, str]:
        """Return what is wrong although the service answers: the model, the registry, the log."""
        found = {"model": self.error, "log": self.log.error if self.log else None, "registry": self._registry_problem()}
        return {name: error for name, error in found.items() if error}

    def _registry_problem(self) -> str | None:
        """Return what the process that follows the registry wrote, or that it wrote nothing for long."""
        try:
            status = json.loads((self.source / STATUS).read_text(encoding="utf-8"))
            since = datetime.fromisoformat(status["checked_at"])
        except (OSError, ValueError, KeyError):
            return None
        if (utc_now() - since).total_seconds() > max(60, 6 * self.settings["follow_seconds"]):
            return f"the registry has not answered since {since:%Y-%m-%d %H:%M:%S} UTC"
        return status.get("error")

    def close(self) -> None:
        """Answer what waits, and write what is not yet logged."""
        self.batches.close()
        if self.log:
            self.log.close()


def find_folder(source: Path) -> Path:
    """Return the folder that `current.json` in `source` names; `source` itself if there is none."""
    pointer = source / CURRENT
    if not pointer.is_file():
        return source
    try:
        return source / json.loads(pointer.read_text(encoding="utf-8"))["folder"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{pointer} cannot be read ({error!r}); delete it and start again.") from error


def new_request_id() -> str:
    """Return an id that no other request has."""
    return os.urandom(16).hex()


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)
