"""How each feature becomes numbers: decided on the training split, by its type and by how many values it has."""

import numpy as np
import pandas as pd
from skl2onnx.sklapi import CastTransformer
from sklearn.base import TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from ..project.errors import DataError

__all__ = ["ONE_HOT", "encode_columns", "is_free_text", "sort_columns"]

# The 29 most frequent categories and the others; one never seen is none of them. In two encoders, because the converter
# to ONNX knows neither the others nor a category never seen in OneHotEncoder alone.
ONE_HOT = make_pipeline(
    OrdinalEncoder(max_categories=30, handle_unknown="use_encoded_value", unknown_value=-1),
    OneHotEncoder(handle_unknown="ignore"),
)
# Words are those between single spaces, 1 or 0: what ONNX computes exactly. Lower case is made in 40_features.
WORDS = CountVectorizer(binary=True, max_features=100, token_pattern=r"[^ ]+", lowercase=False, dtype=np.float32)


def is_free_text(values: pd.Series) -> bool:
    """Return whether texts are mostly different from each other and have three words or more on average."""
    there = values[values != ""]
    return there.nunique() > len(there) / 2 and there.str.count(" ").mean() >= 2


def sort_columns(features: pd.DataFrame, few: int) -> dict[str, list[int]]:
    """Return the positions of the columns with numbers, few categories, more than `few` categories, free text.

    A column of numbers that are all missing is none of these: no model can learn from it, and some fail on it.
    """
    found = {"number": [], "few": [], "many": [], "text": []}
    for position, name in enumerate(features):
        values = features[name]
        if pd.api.types.is_numeric_dtype(values):
            found["number"] += [position] * int(values.notna().any())
        elif is_free_text(values):
            found["text"].append(position)
        else:
            found["few" if values.nunique() <= few else "many"].append(position)
    return found


def encode_columns(
    features: pd.DataFrame,
    kind: str,
    number: TransformerMixin | str,
    category: TransformerMixin,
    few: int,
    sparse_threshold: float = 0.3,
) -> ColumnTransformer:
    """Return the encoder for the columns of `features`, not yet fitted.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, n_features)
        The training split: float32 (NaN is missing) or text ("" is missing).
    kind : str
        The task: binary, multiclass or regression.
    number, category : transformer
        For numbers, and for columns with `few` different categories or fewer. Those with more become the mean of the
        target in their category; for multiclass tasks, which ONNX has no such encoder for, they are one-hot.
    sparse_threshold : float
        As in ColumnTransformer; 0 for a model that takes no sparse matrix.
    """
    found = sort_columns(features, few)
    texts = [(f"text{position}", WORDS, position) for position in found["text"]]
    encoders = [("number", number), ("few", category), ("many", _many_categories(kind))]
    # By position, not by name: ONNX has no room for some names. See onnx_format.py.
    chosen = [(name, encoder, found[name]) for name, encoder in encoders if found[name]] + texts
    if not chosen:
        raise DataError(f"data/processed/train.parquet: all values of {', '.join(features)} are missing.")
    return ColumnTransformer(chosen, sparse_threshold=sparse_threshold)


def _many_categories(kind: str) -> TransformerMixin:
    if kind == "multiclass":
        return ONE_HOT
    # Each row is encoded by the other folds, so that no row is told its own label. float32 is what ONNX computes with.
    encoder = TargetEncoder(
        target_type="continuous" if kind == "regression" else kind, cv=KFold(5, shuffle=True, random_state=0)
    )
    return make_pipeline(encoder, CastTransformer(dtype=np.float32))
