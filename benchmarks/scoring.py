"""Measure batch scoring: 10 M rows in how much memory, and rows per second against scikit-learn's `predict_proba`.

python benchmarks/scoring.py PROJECT [MILLIONS]: a project of flights whose pipeline has run. Writes scoring.md.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

PAGE = Path(__file__).resolve().parent / "scoring.md"
ROUNDS, ROWS = 5, 100_000  # of the comparison
LOG_SHARE = 0.001
SCORE = """
import json, resource, sys
from pathlib import Path
from stagebook.serve.batch.run import Options, fetch_model, score_rows
root, options = Path.cwd(), Options(**json.loads(sys.argv[3]))
package = fetch_model(root, "benchmark", "models/candidate")
done = score_rows(root, sys.argv[1], package, Path(sys.argv[2]), options)
print(json.dumps(done | {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""
# One process each round, both in turn: the medians of rows per second.
COMPARE = """
import json, sys, time
from pathlib import Path
import pandas as pd
from stagebook.model.skops_format import read_skops
from stagebook.request.contract import read_contract
from stagebook.serve.package import open_package
from stagebook.serve.predictor import Predictor
root, rows = Path.cwd(), int(sys.argv[1])
package = open_package(root / "models" / "candidate", root, "benchmark")
inputs = pd.read_parquet("data/processed/train.parquet", columns=list(package.contract.features)).iloc[:rows]
inputs = pd.concat([inputs] * (rows // len(inputs) + 1), ignore_index=True).iloc[:rows]
model, predictor = read_skops(package.file.with_suffix(".skops")), Predictor(package.file, package.config)
columns = {name: inputs[name].to_numpy() for name in inputs}
model.predict_proba(inputs.iloc[:100]), predictor.predict({name: values[:100] for name, values in columns.items()})
began = time.perf_counter()
expected = model.predict_proba(inputs)[:, -1]
middle = time.perf_counter()
found = predictor.predict(columns)["probability"]
ended = time.perf_counter()
assert abs(expected - found).max() < 1e-5
print(json.dumps({"sklearn": rows / (middle - began), "ours": rows / (ended - middle)}))
"""


def write_rows(project: Path, folder: Path, rows: int) -> None:
    """Write raw.parquet and inputs.parquet: the project's own rows again and again, each with a key of its own."""
    contract = json.loads((project / "data" / "processed" / "request.json").read_text(encoding="utf-8"))
    raw = pd.read_parquet(project / "data" / "raw" / "flights.parquet", columns=list(contract["table"]["columns"]))
    parts = [project / "data" / "processed" / f"{part}.parquet" for part in ("train", "validation", "holdout")]
    inputs = pd.concat([pd.read_parquet(part, columns=list(contract["features"])) for part in parts])
    for name, frame in (("raw", raw), ("inputs", inputs)):
        written, writer = 0, None
        while written < rows:
            piece = frame.iloc[: rows - written].assign(id=range(written, min(written + len(frame), rows)))
            if name == "raw":
                year = str(2013 + written // len(frame))
                piece = piece.drop(columns="id").assign(time_hour=year + piece["time_hour"].str[4:])
            table = pa.Table.from_pandas(piece, preserve_index=False)
            writer = writer or parquet.ParquetWriter(folder / f"{name}.parquet", table.schema)
            writer.write_table(table)
            written += len(piece)
        writer.close()


def score(project: Path, folder: Path, name: str, **options: object) -> dict:
    """Score a file in a process of its own, into a table and a log of its own; return what it says."""
    stores = {"PRECOMPUTED_URL": "precomputed", "PREDICTION_LOG_URL": "log"}
    urls = {variable: f"sqlite:///{folder}/{name}-{file}.db" for variable, file in stores.items()}
    words = [str(folder / f"{name}.parquet"), str(folder / f"scored-{name}"), json.dumps(options)]
    return _run(project, SCORE, *words, **urls)


def _run(project: Path, code: str, *words: str, **variables: str) -> dict:
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, cwd=project, env=os.environ | variables, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(project: Path) -> dict[str, list[float]]:
    """Return rows per second of both, for each round."""
    rounds = [_run(project, COMPARE, str(ROWS)) for _ in range(ROUNDS)]
    return {name: [one[name] for one in rounds] for name in rounds[0]}


def _rate(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def write_page(found: dict[str, list[float]], runs: dict[str, dict], rows: int) -> None:
    """Write scoring.md."""
    ratio = statistics.median(ours / other for ours, other in zip(found["ours"], found["sklearn"], strict=True))
    ratio_row = f"| rows per second / scikit-learn's `predict_proba`, the same rows | >= 3 | {ratio:.1f} |"
    rates = f"the model's package {_rate(found['ours'])}, scikit-learn {_rate(found['sklearn'])}."
    lines = [
        "# Batch scoring",
        "",
        "Written by `python benchmarks/scoring.py PROJECT`, for the default project: gradient boosting of flights, 25 inputs.",
        "The machine is shared and noisy: read the ratios, not the seconds.",
        "",
        "| measure | goal | result | |",
        "|---|---|---|---|",
        f"{ratio_row} {_reached(ratio >= 3)} |",
        *(_memory_row(what, rows, runs[name]) for name, what in (("inputs", "model inputs"), ("raw", "raw rows"))),
        "",
        f"Rows per second of one call, {ROWS:,} rows, medians of {ROUNDS} rounds, range in brackets:",
        rates,
        "",
        "A run reads Parquet, writes Parquet and a SQLite table of all keys, and logs a share of the rows:",
        f"{LOG_SHARE:.1%} here. Chunks have 50,000 rows. Both runs go at the same time.",
        "",
        "| run | rows | keys in the table | seconds | rows per second | peak MB |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {one['rows']:,} | {one['keys']:,} | {one['seconds']:,.0f} "
            f"| {one['rows'] / one['seconds']:,.0f} | {one['megabytes']:,.0f} |"
            for name, one in runs.items()
        ),
        "",
        "Raw rows are prepared by the project's `prepare`, in pandas: the point-in-time joins of its feature views take most",
        "of the time. The memory is `ru_maxrss` of the process that scores.",
        "",
        f"Machine: {os.cpu_count()} cores, shared; Python {platform.python_version()}; {time.strftime('%Y-%m')}.",
    ]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _memory_row(what: str, rows: int, run: dict) -> str:
    most = run["megabytes"]
    return f"| {rows:,} {what}: peak memory in MB | <= 1,000 | {most:,.0f} | {_reached(most <= 1_000)} |"


def _reached(reached: bool) -> str:
    return "reached" if reached else "**missed**"


def main() -> None:
    """Measure, and write the page."""
    project, rows = Path(sys.argv[1]).resolve(), int(float(sys.argv[2] if len(sys.argv) > 2 else 10) * 1_000_000)
    found, runs = compare(project), {}
    with tempfile.TemporaryDirectory(prefix="scoring-") as place:
        folder = Path(place)
        write_rows(project, folder, rows)
        ways = {"inputs": {"prepared": True, "key": ["id"]}, "raw": {}}
        with ThreadPoolExecutor() as pool:
            for name, how in ways.items():
                runs[name] = pool.submit(score, project, folder, name, log_share=LOG_SHARE, **how)
        runs = {name: run.result() for name, run in runs.items()}
    write_page(found, runs, rows)


if __name__ == "__main__":
    main()
