"""From raw requests to the model's inputs, by the project's own function `prepare`, which calls the code of training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..data.privacy import personal_columns
from ..data.tables import set_columns
from ..features.store import FeatureView, join_point_in_time
from ..project.errors import DataError, StepError
from ..project.settings import load_object
from .contract import Contract, as_json
from .rows import RequestError, to_table

__all__ = ["Join", "Prepare", "check_replay", "join_offline", "load_prepare", "prepare_rows"]

# Adds the features of views to rows: join(rows, time_column, views).
Join = Callable[[pd.DataFrame, str, Sequence[FeatureView]], pd.DataFrame]
# The project's function: prepare(rows, contract, join) returns the inputs of the model, a row for each row.
Prepare = Callable[[pd.DataFrame, Contract, Join], pd.DataFrame]


def load_prepare(root: Path) -> Prepare:
    """Import the function that `request` of [tool.stagebook] in pyproject.toml names as `module:name`."""
    if (prepare := load_object(root, "request")) is None:
        raise StepError('pyproject.toml, [tool.stagebook]: `request` is empty; name it as "package.module:prepare".')
    return prepare


def join_offline(tables: Mapping[str, pd.DataFrame]) -> Join:
    """Return the join of training: the features as they were known at the time of each row. `tables` are the sources."""
    return partial(_join_tables, tables, {})


def _join_tables(tables: Mapping, histories: dict, rows: pd.DataFrame, time_column: str, views) -> pd.DataFrame:
    return join_point_in_time(rows, time_column, views, tables, histories)


def prepare_rows(rows: pd.DataFrame, contract: Contract, prepare: Prepare, join: Join) -> pd.DataFrame:
    """Return the inputs of the model for typed rows, checked against the contract.

    Returns
    -------
    DataFrame of shape (n_rows, n_features)
        In the order of the contract: float32, or text.

    Raises
    ------
    RequestError
        `prepare` leaves a row out.
    DataError
        It does not make a feature.
    """
    inputs = prepare(rows, contract, join)
    if not isinstance(inputs, pd.DataFrame):  # a `prepare` that needs only numpy returns columns, as in a wheel
        inputs = pd.DataFrame(inputs)
    if len(inputs) != len(rows):
        raise RequestError(f"left out of {len(rows)} rows: {len(rows) - len(inputs)} rows are no requests (`prepare`).")
    if missing := [name for name in contract.features if name not in inputs]:
        raise DataError(f"`prepare` makes no {missing[0]!r}, which the model needs; it makes {', '.join(inputs)}.")
    wrong = {
        name: values
        for name, kind in contract.features.items()
        if (kind == "number") != pd.api.types.is_numeric_dtype(values := inputs[name])
    }
    if wrong:
        name = min(wrong)
        raise DataError(
            f"`prepare` makes {name!r} as {wrong[name].dtype}; the model needs a {contract.features[name]}."
        )
    return inputs[list(contract.features)]


def check_replay(
    raw: pd.DataFrame, expected: pd.DataFrame, contract: Contract, prepare: Prepare, join: Join, share: float = 1.0
) -> tuple[Contract, dict[str, int]]:
    """Send raw rows through `prepare` as requests; the expected rows of model inputs must come out, to the last bit.

    Parameters
    ----------
    raw : DataFrame of shape (n_rows, n_columns)
        Rows of the raw table that `expected` was made of, and perhaps more.
    expected : DataFrame of shape (n_expected, n_columns)
        Rows of data/processed, which the steps of training made.
    share : float
        If `raw` is a random sample, its share of all raw rows: of `expected`, nine tenths of that share must come out. Else all.

    Returns
    -------
    Contract
        With an example: the last of the rows that have most of the model's inputs, without personal fields.
    dict
        `requests` and `rows`: how many were sent, and how many rows of `expected` were found.

    Raises
    ------
    DataError
        A row is not found: the service would compute other inputs than training. Names feature and both values.
    """
    fields = raw[list(contract.table.columns)]
    rows = fields.astype(object).where(fields.notna(), None).to_dict("records")
    inputs = prepare_rows(to_table(rows, contract), contract, prepare, join).reset_index(drop=True)
    wanted = expected[list(contract.features)].reset_index(drop=True)
    lost = ~_row_hashes(wanted).isin(_row_hashes(inputs)).to_numpy()
    needed = len(wanted) if share == 1 else 0.9 * share * len(wanted)
    if (found := int((~lost).sum())) < needed:
        row = wanted.loc[lost.argmax()]
        raise DataError(
            f"of {len(wanted)} rows, only {found} come out of requests as they went into training. "
            f"{_describe_difference(row, inputs)} Training and `prepare` must call the same functions."
        )
    return _add_example(contract, rows, inputs), {"requests": len(inputs), "rows": found}


def _add_example(contract: Contract, rows: list[dict], inputs: pd.DataFrame) -> Contract:
    personal = personal_columns(contract.table)
    missing = (inputs.isna() | (inputs == "")).sum(axis=1).to_numpy()
    best = len(missing) - 1 - int(missing[::-1].argmin())
    shown = {name: as_json(value) for name, value in rows[best].items() if value is not None and name not in personal}
    return replace(contract, example=shown)


def _row_hashes(inputs: pd.DataFrame) -> pd.Series:
    plain = {
        n: v.astype("float32") if pd.api.types.is_numeric_dtype(v) else v.astype(object) for n, v in inputs.items()
    }
    return pd.util.hash_pandas_object(set_columns(inputs, plain), index=False)


def _describe_difference(row: pd.Series, inputs: pd.DataFrame) -> str:
    """Return how the most similar of `inputs` differs from the row."""
    same = pd.DataFrame(
        {name: (inputs[name] == value) | (inputs[name].isna() & pd.isna(value)) for name, value in row.items()}
    )
    nearest = int(np.argmax(same.sum(axis=1).to_numpy()))
    differing = [name for name in same if not same[name].iloc[nearest]]
    name = differing[0]
    more = f" ({len(differing)} features differ)" if len(differing) > 1 else ""
    return (
        f"Feature {name!r}: training has {row[name]!r}, the most similar request {inputs[name].iloc[nearest]!r}{more}."
    )
