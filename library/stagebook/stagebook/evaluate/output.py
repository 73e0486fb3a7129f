"""Plots and tables of a report, as files."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from ..project.files import replace_folder

__all__ = ["write_report_folder"]


def write_report_folder(
    folder: str | Path, plots: Mapping[str, plt.Figure], tables: Mapping[str, pd.DataFrame], **to_csv
) -> None:
    """Write each plot as PNG and each table as CSV in place of the folder's old files.

    The plots are closed, so that a notebook shows them only where it displays them.

    Parameters
    ----------
    plots, tables : mapping
        By the name of the file, without its ending.
    **to_csv
        Arguments of `DataFrame.to_csv`.
    """
    with replace_folder(folder) as new:
        for name, plot in plots.items():
            plot.savefig(new / f"{name}.png", dpi=100)
            plt.close(plot)
        for name, table in tables.items():
            table.to_csv(new / f"{name}.csv", **to_csv)
