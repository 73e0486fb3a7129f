"""Value skew: does a table still look like its baseline? Findings in four families, each with the limit it broke."""

import pandas as pd
from pandera.errors import SchemaErrors
from pandera.pandas import Check, Column, DataFrameSchema

from .moves import list_moves

__all__ = ["find_skew"]

# Statistic: its family, and how a message shows its value.
STATISTICS = {
    "missing_rise": ("basic", "{:.1%}"),
    "psi": ("distribution", "PSI {:.2f}"),
    "mean_shift": ("distribution", "{:.2g} sd"),
    "share_shift": ("distribution", "{:.1%}"),
    "outlier_share": ("out_of_distribution", "{:.1%}"),
    "new_category_share": ("out_of_distribution", "{:.1%}"),
    "correlation_change": ("correlation", "{:.2f}"),
}


def find_skew(
    frame: pd.DataFrame,
    baseline: dict,
    kinds: dict[str, str],
    *,
    max_missing_rise: float = 0.05,
    max_psi: float = 0.3,
    max_mean_shift: float = 0.5,
    max_share_shift: float = 0.1,
    max_outlier_share: float = 0.01,
    max_new_category_share: float = 0.01,
    max_correlation_change: float = 0.5,
) -> list[dict]:
    """Return what moved from the baseline by more than its limit, and by more than chance explains in so many rows.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        The rows to compare, see `take_batch`.
    baseline : dict
        What `describe_baseline` returned, also after a round trip through JSON.
    kinds : dict
        Column to kind. A column that is missing on either side, or whose kind changed, is left to the schema.
    max_missing_rise, max_outlier_share, max_new_category_share : float
        Shares of rows above those of the baseline, 0 to 1.
    max_share_shift : float
        Of the rows in one class, up or down, 0 to 1.
    max_psi : float
        Population stability index over the bins of the baseline.
    max_mean_shift : float
        In standard deviations of the baseline; of a text, its length.
    max_correlation_change : float
        Of Spearman's rank correlation, 0 to 2.

    Returns
    -------
    list of dict
        `family`, `column`, `statistic`, `value`, `limit`, `message`; in the order of families, then of columns.
    """
    limits = {
        "missing_rise": max_missing_rise,
        "psi": max_psi,
        "mean_shift": max_mean_shift,
        "share_shift": max_share_shift,
        "outlier_share": max_outlier_share,
        "new_category_share": max_new_category_share,
        "correlation_change": max_correlation_change,
    }
    both = {name: was for name, was in baseline["columns"].items() if name in frame and kinds.get(name) == was["kind"]}
    if frame.empty or not both:
        return []
    moves = pd.DataFrame(list_moves(frame, baseline, both), columns=["column", "statistic", "value", "text"])
    return check_moves(moves, limits)


def check_moves(moves: pd.DataFrame, limits: dict[str, float]) -> list[dict]:
    """Return the moves that break a limit: one row per column, one pandera check per statistic."""
    moves = moves.set_index(["column", "statistic"])
    table = moves["value"].unstack(sort=False).reindex(columns=list(limits)).astype(float)
    schema = DataFrameSchema({name: Column(float, Check.le(limit), nullable=True) for name, limit in limits.items()})
    try:
        schema.validate(table, lazy=True)
    except SchemaErrors as errors:
        broken = errors.failure_cases[["index", "column", "failure_case"]]
        return [make_finding(*case, moves, limits) for case in broken.itertuples(index=False)]
    return []


def make_finding(column: str, statistic: str, value: float, moves: pd.DataFrame, limits: dict[str, float]) -> dict:
    """Return one finding as reports/validation.json has it."""
    family, shown = STATISTICS[statistic]
    limit, text = limits[statistic], moves.loc[(column, statistic), "text"]
    message = f"{column}: {text} ({shown.format(value)}; allowed {shown.format(limit)})"
    finding = {"family": family, "column": column, "statistic": statistic, "value": round(float(value), 4)}
    return finding | {"limit": limit, "message": message}
