"""What the prediction log keeps of a request and of the model's inputs: plain values, personal columns masked."""

import re
from collections.abc import Mapping, Sequence
from math import isnan

import pandas as pd

from ..data.privacy import hash_text, personal_columns
from .contract import Contract

__all__ = ["feature_rows", "mask_features", "plain_rows"]

HASHED = re.compile("[0-9a-f]{16}")  # what `mask: hash` makes of a value


def feature_rows(columns: Mapping[str, Sequence], contract: Contract) -> list[dict]:
    """Return the model's inputs row by row as they may be logged; what is missing is None."""
    lists = [values.tolist() if hasattr(values, "tolist") else values for values in columns.values()]
    rows = [
        {name: None if _is_missing(value) else value for name, value in zip(columns, row, strict=True)}
        for row in zip(*lists, strict=True)
    ]
    return mask_features(rows, contract)


def mask_features(rows: list[dict], contract: Contract) -> list[dict]:
    """Return inputs of the model as they may be logged: an input that is a personal column is masked as in training.

    Training masks before it makes features, so `prepare` gives hashes already and these stay. A caller of
    /predict/inputs may send the value itself.
    """
    personal = [name for name in personal_columns(contract.table) if name in contract.features]
    masks = {name: contract.table.columns[name].mask for name in personal}
    if all(mask == "keep" for mask in masks.values()):
        return rows
    return [_mask(row, masks) for row in rows]


def _is_missing(value: object) -> bool:
    return value is pd.NA or (isinstance(value, float) and isnan(value))


def _mask(row: dict, masks: Mapping[str, str]) -> dict:
    kept = {name: value for name, value in row.items() if masks.get(name) != "drop"}
    for name, mask in masks.items():
        value = kept.get(name)
        if mask == "hash" and value not in (None, "") and not HASHED.fullmatch(str(value)):
            kept[name] = hash_text(value, name)
    return kept


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
