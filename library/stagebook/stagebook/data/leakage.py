"""Columns that alone tell the target almost perfectly: they were probably written down after the fact."""

import warnings

import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

__all__ = ["find_leaks"]

SUSPICIOUS = 0.99


def find_leaks(features: pd.DataFrame, target: pd.Series, task: str, max_rows: int = 2000) -> dict[str, str]:
    """Return the reason for each feature that alone predicts the target almost perfectly.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, n_features)
    target : Series of shape (n_rows,)
        Rows without a target are left out.
    task : str
        binary, multiclass or regression.
    max_rows : int
        How many rows are looked at, drawn with a fixed seed.

    Returns
    -------
    dict
        Reason by name of the feature: the two-fold cross-validated balanced accuracy (classes) or R² (regression) of a
        decision tree on it alone, where that is at least 0.99.
    """
    known = target.dropna()
    if task != "regression":
        known = known[known.groupby(known).transform("size") >= 4]
    known = known.sample(min(max_rows, len(known)), random_state=0)
    if known.nunique() < 2:
        return {}
    if task == "regression":
        tree, folds, scoring = DecisionTreeRegressor(random_state=0), KFold(2, shuffle=True, random_state=0), "r2"
    else:
        tree, folds, scoring = DecisionTreeClassifier(random_state=0), StratifiedKFold(2), "balanced_accuracy"
    found = {}
    for name in features.columns:
        column = _to_numbers(features.loc[known.index, name]).to_frame("x")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about classes with few rows
            score = cross_val_score(tree, column, known, cv=folds, scoring=scoring).mean()
        if score >= SUSPICIOUS:
            figure = "R²" if scoring == "r2" else "balanced accuracy"
            found[name] = f"leakage suspect: alone it predicts the target with {figure} {score:.3f}"
    return found


def _to_numbers(values: pd.Series) -> pd.Series:
    """Return any column as numbers that a tree can split; text in the order of its first rows."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return (values - pd.Timestamp(0)) / pd.Timedelta(days=1)
    if pd.api.types.is_numeric_dtype(values):
        return values.astype("float64").clip(-1e30, 1e30)
    return pd.Series(pd.factorize(values)[0], index=values.index, dtype="float64")
