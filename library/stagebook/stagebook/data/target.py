"""What is to be predicted: two classes, several, or a number."""

import pandas as pd

from ..project.errors import DataError
from .parsing.texts import show_value

__all__ = ["TASKS", "encode_target", "find_task"]

TASKS = ("binary", "multiclass", "regression")
MAX_CLASSES = 50


def find_task(target: pd.Series, where: str) -> str:
    """Return binary, multiclass or regression; raise DataError, which begins with `where`, if there is nothing to learn.

    Two distinct values are binary. More are regression if they are numbers, except whole ones of at most ten kinds.
    """
    values = target.dropna()
    distinct = values.nunique()
    if values.empty:
        raise DataError(f"{where}: the target has no values.")
    if distinct == 1:
        raise DataError(f"{where}: the target is always {show_value(values.iloc[0])!r}; there is nothing to learn.")
    if pd.api.types.is_datetime64_any_dtype(values):
        raise DataError(f"{where}: the target has dates; predict a number of days, or a class.")
    if distinct == 2:
        return "binary"
    if pd.api.types.is_numeric_dtype(values):
        return "multiclass" if distinct <= 10 and (values % 1 == 0).all() else "regression"
    if distinct > MAX_CLASSES:
        shown = ", ".join(map(repr, values.unique()[:3]))
        raise DataError(
            f"{where}: the target has {distinct} different texts ({shown} ...); {MAX_CLASSES} classes at most."
        )
    return "multiclass"


def encode_target(target: pd.Series, task: str, where: str) -> tuple[pd.Series, list[str]]:
    """Return the target as a model learns it, and the names of its classes.

    Classes become 0 to k - 1, in sorted order, as int16; numbers stay, as float64, without names.

    Raises
    ------
    DataError
        The target does not fit the task.
    """
    if task not in TASKS:
        raise DataError(f"`clean.task` in params.yaml is {task!r}; it must be auto, {', '.join(TASKS)}.")
    if task == "regression":
        numbers = pd.to_numeric(target, errors="coerce").astype("float64")
        if (wrong := numbers.isna() & target.notna()).any():
            raise DataError(
                f"{where}: {show_value(target[wrong].iloc[0])!r} is not a number; regression needs numbers."
            )
        return numbers, []
    classes = sorted(target.unique())
    if len(classes) > MAX_CLASSES or (task == "binary" and len(classes) != 2):
        allowed = "2" if task == "binary" else f"at most {MAX_CLASSES}"
        raise DataError(
            f"{where}: {len(classes)} different values; {task} needs {allowed}. See `clean.task` in params.yaml."
        )
    names = [str(int(name)) if isinstance(name, float) and name.is_integer() else str(name) for name in classes]
    return target.map({name: number for number, name in enumerate(classes)}).astype("int16"), names
