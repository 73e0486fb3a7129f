"""One chunk of new rows: checked, prepared by the code of training, scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring_ascii as quote

import numpy as np
import pandas as pd
import pyarrow as pa

from ...data.privacy import personal_columns
from ...data.schema import Table
from ...model.task import Task
from ...project.errors import DataError, StagebookError
from ...request.contract import Contract
from ...request.prepare import Join, Prepare, prepare_rows
from ...request.rows import RequestError
from ...request.typed import key_texts, type_rows
from ..predictor import Predictor

__all__ = ["Scored", "Scorer", "key_names"]


@dataclass(frozen=True)
class Scored:
    """A chunk with its predictions; lists and arrays have a value for each row."""

    table: pd.DataFrame  # typed raw rows
    inputs: dict[str, np.ndarray]
    key: dict[str, list[str]]
    answer: dict[str, np.ndarray]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.table)

    def key_jsons(self) -> list[str]:
        """Return the key of each row as the prediction log writes it."""
        names = sorted(self.key)
        heads = [("{" if place == 0 else ",") + quote(name) + ":" for place, name in enumerate(names)]
        columns = [[head + quote(text) for text in self.key[name]] for head, name in zip(heads, names, strict=True)]
        return ["".join(parts) + "}" for parts in zip(*columns, strict=True)]

    def output_jsons(self) -> list[str]:
        """Return the answer of each row as POST /predict would give it."""
        heads = [("{" if place == 0 else ",") + quote(name) + ":" for place, name in enumerate(self.answer)]
        columns = [
            [head + (quote(value) if isinstance(value, str) else repr(value)) for value in values.tolist()]
            for head, values in zip(heads, self.answer.values(), strict=True)
        ]
        return ["".join(parts) + "}" for parts in zip(*columns, strict=True)]

    def to_arrow(self, first: int, version: str, predicted_at: datetime) -> pa.Table:
        """Return number of the row (from 1), key, answer, version and time as a table."""
        rows = len(self)
        columns = {"row": pa.array(np.arange(first + 1, first + rows + 1))}
        columns |= {name: pa.array(texts, pa.string()) for name, texts in self.key.items()}
        columns |= {name: pa.array(values) for name, values in self.answer.items()}
        same = {"version": pa.scalar(version), "predicted_at": pa.scalar(predicted_at, pa.timestamp("us", "UTC"))}
        return pa.table(columns | {name: pa.repeat(value, rows) for name, value in same.items()})


class Scorer:
    """Scores chunks of one source with one model.

    Parameters
    ----------
    origin : str
        The source, for errors.
    contract : Contract
    predictor : Predictor
    key : sequence of str
        Columns that name a row; may be empty.
    prepare, join : callable or None
        None: the rows are inputs of the model already.
    known : Table or None
        The table of data/schema.yaml: its columns are allowed although requests do not have them.
    """

    def __init__(
        self,
        origin: str,
        contract: Contract,
        predictor: Predictor,
        key: Sequence[str] = (),
        prepare: Prepare | None = None,
        join: Join | None = None,
        known: Table | None = None,
    ):
        self.origin, self.contract, self.predictor, self.key = origin, contract, predictor, list(key)
        self.prepare, self.join, self.known = prepare, join, known

    def check_columns(self, names: Sequence[str]) -> None:
        """Raise DataError for a column that is missing, or that is known nowhere."""
        wanted = [*(self.contract.table.columns if self.prepare else self.contract.features), *self.key]
        if missing := [name for name in wanted if name not in names]:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise DataError(f"{self.origin}: column {missing[0]!r} is missing{more}. It has {', '.join(names)}.")
        allowed = {
            *wanted,
            self.contract.task.target,
            *self.contract.task.keys,
            *(self.known.columns if self.known else ()),
        }
        if self.prepare and (extra := [name for name in names if name not in allowed]):
            raise DataError(
                f"{self.origin}: column {extra[0]!r} is neither a field of a request nor a column of data/schema.yaml. "
                f"Leave it out; a row has {', '.join(self.contract.table.columns)}."
            )

    def score(self, frame: pd.DataFrame, first: int) -> Scored:
        """Return the predictions for a chunk whose first row is number `first`, from 0, of its source.

        Raises
        ------
        DataError
            A value cannot be: names source, row (from 1), column and value.
        """
        try:
            return self._score(frame)
        except RequestError as error:
            where = f"row {first + error.row + 1}" + (
                f", column {error.name!r}: {error.value!r}" if error.name else ":"
            )
            raise DataError(f"{self.origin}, {where} {error.allowed}.") from None

    def _score(self, frame: pd.DataFrame) -> Scored:
        if self.prepare is None:
            table, inputs = frame, {name: self._input(frame[name], kind) for name, kind in self._features()}
            typed = self._key_columns(frame)
        else:
            table = typed = type_rows(frame, self.contract)
            made = self._prepare(table)
            inputs = {name: made[name].to_numpy() for name in self.contract.features}
            if extra := [name for name in self.key if name not in table]:
                typed = pd.concat([table, frame[extra].reset_index(drop=True)], axis=1)
        key = dict(zip(self.key, key_texts(typed, self.key), strict=True))
        answer = self.predictor.predict(inputs)
        for values in answer.values():
            if values.dtype.kind == "f" and not (finite := np.isfinite(values)).all():
                raise RequestError("the model's answer is no number", row=int(finite.argmin()))
        return Scored(table, inputs, key, answer)

    def _prepare(self, table: pd.DataFrame) -> pd.DataFrame:
        try:
            return prepare_rows(table, self.contract, self.prepare, self.join)
        except StagebookError:
            raise
        except Exception as error:
            raise RequestError(f"(or a later one): `prepare` fails with {type(error).__name__}: {error}") from error

    def _features(self) -> Mapping[str, str]:
        return self.contract.features.items()

    def _input(self, values: pd.Series, kind: str) -> np.ndarray:
        """Return an input of the model from a file that has the inputs; missing ones are NaN, or empty text."""
        if kind == "text":
            return values.astype(object).where(values.notna(), "").map(str).to_numpy(object)
        numbers = pd.to_numeric(values, errors="coerce")
        if (wrong := numbers.isna() & values.notna()).any():
            row = int(wrong.to_numpy().argmax())
            raise RequestError("must be a number", values.iloc[row], row, str(values.name))
        return numbers.to_numpy("float32", na_value=np.nan)

    def _key_columns(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the key columns with the types of the schema, as requests have them."""
        columns = {name: self.contract.table.columns[name] for name in self.key if name in self.contract.table.columns}
        return pd.concat([type_columns(frame, columns), frame[[n for n in self.key if n not in columns]]], axis=1)


def type_columns(frame: pd.DataFrame, columns: Mapping) -> pd.DataFrame:
    """Return some columns with the types of the schema."""
    return type_rows(frame, Contract(Table("", dict(columns)), Task("regression", ""), {}, {}))


def key_names(key: Sequence[str], contract: Contract) -> list[str]:
    """Return the columns by which predictions are looked up: those that are given, else the key of the contract."""
    if personal := [name for name in key if name in personal_columns(contract.table)]:
        raise DataError(f"`key` has {personal[0]!r}, which is personal data: it may not be stored. Name other columns.")
    return list(key) or contract.key
