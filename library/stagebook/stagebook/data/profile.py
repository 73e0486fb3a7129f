"""A profile of a table as a page: what each column holds, with plots, by skrub's TableReport."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from ..project.files import replace_file
from .privacy import personal_columns
from .schema import Table

__all__ = ["write_profile", "write_profiles"]

MAX_COLUMNS = 100


def write_profile(frame: pd.DataFrame, path: str | Path, title: str, max_rows: int = 20_000) -> None:
    """Write the profile of `frame`, or of `max_rows` evenly spaced rows and the first 100 columns of it, as one HTML file.

    Equal tables give equal bytes: skrub numbers its elements at random, here they are numbered in order.
    """
    from skrub import TableReport  # 2 s

    step = -(-len(frame) // max_rows)
    part = frame.iloc[:: max(step, 1), :MAX_COLUMNS]
    if part.shape != frame.shape:
        title += f" ({len(part):,} of {len(frame):,} rows, {part.shape[1]:,} of {frame.shape[1]:,} columns)"
    plt.switch_backend(plt.get_backend())  # starts it: skrub, if it drew first, would leave a notebook's plots off
    with plt.rc_context({"svg.hashsalt": "profile"}):
        html = TableReport(part, title=title, verbose=0).html()
    html = re.sub(r"<dc:date>.*?</dc:date>", "", html)
    for number, name in enumerate(dict.fromkeys(re.findall(r'id="(?:report_)?([0-9a-f]{8})\b', html))):
        html = html.replace(name, f"{number:08x}")
    with replace_file(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def write_profiles(tables: dict[str, pd.DataFrame], schema: dict[str, Table], folder: str | Path) -> None:
    """Write the profile of each table to `folder`, without the columns that the schema marks as personal."""
    for name, frame in tables.items():
        personal = personal_columns(schema[name])
        write_profile(frame.drop(columns=personal, errors="ignore"), Path(folder, f"{name}.html"), name)
