"""The page of quality.py: quality.md, from the losses that are kept in the build folder."""

import json
import statistics
from collections import Counter
from pathlib import Path

from quality_tables import TABLES, Table

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build" / "benchmark"
OURS, HGB, SKRUB, STRAIGHT = "ours", "HistGradientBoosting", "skrub", "linear"
PAGE = """# Model quality on own data

`make quality` (at the template's root) writes this page. Each public table is learned by the functions that `40_features`
and `50_train` of own data call, with the template's parameters: nothing is tuned per table. The stock models are fitted
on the same rows, training and validation together. The tables are data files of packages on PyPI; nothing is downloaded
while the benchmark runs. Tables have at most 5,000 rows, drawn at random.

- **ours**: the packaged candidate (ONNX) of `50_train`.
- **HistGradientBoosting**: scikit-learn's, all settings at their defaults, native categories, the features of `40_features`.
- **skrub**: `skrub.tabular_pipeline`, which prepares columns and fits HistGradientBoosting.
- **linear**: `skrub.tabular_pipeline` with logistic regression, or with `RidgeCV`.

The loss is the log loss or, for regression, the root mean squared error: lower is better. It is the mean over {seeds}
seeds, each with another hold-out of 20 % or, below 1,000 rows, with another five-fold cross-validation. The column
`gap` compares ours with the best of the four. `chosen` counts which kind became the candidate. `seconds` is the slowest
training on one thread of a busy machine.

| table | task | rows x columns | ours | HistGradientBoosting | skrub | linear | gap | chosen | seconds |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: |
{rows}

| goal | reached |
| --- | --- |
| ours is the best, or within 1 % of the best, on 10 of 12 tables | {near} of {tables} |
| ours is never worse than HistGradientBoosting by more than 3 % | worse on: {bad} |
| training takes at most 2 minutes | slowest {slow:.0f} s |

The design and most settings were chosen on 16 other tables of ISLP, pydataset and scikit-learn, such as Wage, Caravan,
Chile, flchain. The exceptions are three settings of the boosting (leaves to try, learning rate, patience), which were
compared on four tables of this page: Bikeshare, Computers, MedExp, Hitters.
"""


def result_file(table: Table, seed: int) -> Path:
    """Return where the losses of one table and seed are kept, so that an interrupted run goes on."""
    return BUILD / "quality" / f"{table.name}-{seed}.json"


def write_page(seeds: int) -> str:
    """Return quality.md: a line for each table that is measured, and how often each goal is reached."""
    found = {table: [json.loads(file.read_text()) for file in files_of(table, seeds)] for table in TABLES}
    found = {table: results for table, results in found.items() if results}
    mean = {table: mean_losses(results) for table, results in found.items()}
    near = [table for table, losses in mean.items() if losses[OURS] <= 1.01 * min(losses.values())]
    bad = [table.name for table, losses in mean.items() if losses[OURS] > 1.03 * losses[HGB]]
    return PAGE.format(
        rows="\n".join(write_line(table, results, mean[table]) for table, results in found.items()),
        near=len(near),
        tables=len(found),
        bad=", ".join(bad) or "none",
        slow=max(one["seconds"] for results in found.values() for one in results),
        seeds=seeds,
    )


def files_of(table: Table, seeds: int) -> list[Path]:
    """Return the results of a table that are there."""
    return [file for seed in range(seeds) if (file := result_file(table, seed)).exists()]


def mean_losses(results: list[dict]) -> dict[str, float]:
    """Return the mean loss of each model over all seeds."""
    return {name: statistics.mean(one["loss"][name] for one in results) for name in results[0]["loss"]}


def write_line(table: Table, results: list[dict], losses: dict[str, float]) -> str:
    """Return the table's line: what it is, the mean losses, ours against the best, what was chosen how often, seconds."""
    best, first = min(losses.values()), results[0]
    values = " | ".join(f"**{loss:.4g}**" if loss == best else f"{loss:.4g}" for loss in losses.values())
    chosen = [kind for one in results for kind in one["chosen"]]
    kinds = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in Counter(chosen).most_common())
    about = f"{table.name} ({table.package}) | {first['task']} | {first['rows']:,} x {first['columns']}"
    seconds = max(one["seconds"] for one in results)
    return f"| {about} | {values} | {losses[OURS] / best - 1:+.1%} | {kinds} | {seconds:.0f} |"
