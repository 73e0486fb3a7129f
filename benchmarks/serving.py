"""Measure one-row requests of `stagebook serve`, `mlflow models serve` and a bare route, with one model in one run.

`run.py` calls it for the project that it bakes; by itself: python benchmarks/serving.py PROJECT [ROUNDS].
"""

import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.md"
HEADING = "## Serving\n"
SECONDS, CONNECTIONS = 4, (1, 16)
# The registered model as a folder, one row of inputs and one raw row.
PREPARE = """
import json, sys
from pathlib import Path
import mlflow, pandas as pd
from stagebook.project.root import project_name
from stagebook.request.contract import read_contract
from stagebook.serve.package import open_package
from stagebook.track.tracking import connect_mlflow
root, folder = Path.cwd(), Path(sys.argv[1])
connect_mlflow()
name = project_name(root)
version = max(int(one.version) for one in mlflow.MlflowClient().search_model_versions(f"name='{name}'"))
mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=str(folder))
package = open_package(folder, root, name)
row = pd.read_parquet("data/processed/holdout.parquet", columns=list(package.contract.features)).iloc[[-1]]
inputs = json.loads(row.to_json(orient="records"))[0]
values = {"columns": list(inputs), "data": [list(inputs.values())]}
print(json.dumps({"model": str(package.file), "inputs": {"rows": [inputs]}, "raw": {"rows": [package.contract.example]},
                  "mlflow": {"dataframe_split": values}}))
"""
# Requests one by one: what batches are worth.
ONE_BY_ONE = """
import sys
from stagebook.serve import batches
batches.Batches.__init__.__defaults__, batches.LINGER = (1, 5000), 0
from stagebook.cli.main import main
sys.exit(main())
"""


def compare_servers(project: Path, rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return medians for each variant and number of connections, such as `inputs 16`; all servers wait meanwhile."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    python, model = _python_of(project), folder / "model"
    given = json.loads(_run([python, "-c", PREPARE, str(model)], project).splitlines()[-1])
    serve = ["serve", f"--model={model}", "--port"]
    mlflow = [
        python,
        "-m",
        "mlflow",
        "models",
        "serve",
        "--env-manager=local",
        "--workers=1",
        "-m",
        str(model),
        "--port",
    ]
    servers = {
        "ours": ([python, "-m", "stagebook", *serve], "/health"),
        "one by one": ([python, "-c", ONE_BY_ONE, *serve], "/health"),
        "mlflow": (mlflow, "/ping"),
        "bare": ([python, str(HERE / "bare.py"), given["model"]], "/openapi.json"),
    }
    variants = {
        "inputs": ("ours", "/predict/inputs", given["inputs"]),
        "raw": ("ours", "/predict", given["raw"]),
        "raw, one by one": ("one by one", "/predict", given["raw"]),
        "mlflow": ("mlflow", "/invocations", given["mlflow"]),
        "bare": ("bare", "/predict", given["inputs"]),
    }
    found: dict[str, list[dict]] = {}
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(Server(words, path, project, folder / f"{name}.log"))
            for name, (words, path) in servers.items()
        }
        for _ in range(rounds):
            for variant, (name, path, body) in variants.items():
                for connections in CONNECTIONS:
                    figures = running[name].load(path, body, connections)
                    found.setdefault(f"{variant} {connections}", []).append(figures)
                    print(f"  {variant} {connections}: {describe(figures)}", flush=True)
    return {name: {key: statistics.median(one[key] for one in all_) for key in all_[0]} for name, all_ in found.items()}


class Server:
    """A server in a process of its own, ready when the block begins."""

    def __init__(self, words: list[str], path: str, cwd: Path, log: Path):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.port = listening.getsockname()[1]
        tools = f"{Path(words[0]).parent}{os.pathsep}{os.environ['PATH']}"  # mlflow starts what it finds there
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [*words, str(self.port)],
                cwd=cwd,
                stdout=out,
                stderr=out,
                env={**os.environ, "PATH": tools},
                start_new_session=True,
            )
        self.path, self.log = path, log

    def __enter__(self) -> "Server":
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.path}", timeout=5).close()
                return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.__exit__()
        sys.exit(f"the server did not start:\n{self.log.read_text()}")

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(30)

    def load(self, path: str, body: dict, connections: int) -> dict[str, float]:
        """Return what load.py measures."""
        given = {"port": self.port, "path": path, "body": json.dumps(body), "connections": connections}
        given |= {"seconds": SECONDS, "server": self.process.pid}
        return json.loads(_run([sys.executable, str(HERE / "load.py")], HERE, json.dumps(given)))


def _python_of(project: Path) -> str:
    own = project / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def _run(words: list[str], cwd: Path, given: str = "") -> str:
    done = subprocess.run(words, cwd=cwd, input=given, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else sys.exit(f"{words[:3]} failed:\n{done.stderr}")


def describe(figures: dict[str, float]) -> str:
    """Return the figures of one server in words."""
    times = f"p50 {figures['p50']:.2f} ms, p99 {figures['p99']:.2f} ms, CPU {figures['cpu']:.2f} ms a request"
    return f"{figures['requests']:,.0f}/s, {times}"


def write_section(found: dict[str, dict[str, float]], rounds: int) -> None:
    """Write the section of results.md, in place of the one that is there."""
    ratios = [
        (
            "model inputs, 16 connections: requests per second / `mlflow models serve`",
            ">= 10",
            found["inputs 16"]["requests"] / found["mlflow 16"]["requests"],
        ),
        (
            "model inputs, 1 connection: requests per second / `mlflow models serve`",
            ">= 10",
            found["inputs 1"]["requests"] / found["mlflow 1"]["requests"],
        ),
        (
            "model inputs, 1 connection: median latency / bare route",
            "<= 1.5",
            found["inputs 1"]["p50"] / found["bare 1"]["p50"],
        ),
        (
            "raw rows, 16 connections: requests per second in batches / one by one",
            "report",
            found["raw 16"]["requests"] / found["raw, one by one 16"]["requests"],
        ),
    ]
    about = {
        "inputs": "`POST /predict/inputs`: model inputs, with the log",
        "raw": "`POST /predict`: raw rows, with features looked up, and the log",
        "raw, one by one": "the same without batches",
        "mlflow": "`mlflow models serve`, one worker: model inputs",
        "bare": "bare route (`bare.py`): model inputs, no validation, no log",
    }
    lines = [
        HEADING,
        f"One-row requests to the same model, medians of {rounds} rounds of {SECONDS} s, all servers in turn.",
        "Closed loop; the client (`load.py`) is a process of its own on the same machine.",
        "",
        "| measure | goal | result | |",
        "|---|---|---|---|",
        *(f"| {measure} | {goal} | {value:.2f} | {_reached(goal, value)} |" for measure, goal, value in ratios),
        "",
        "| server | connections | requests/s | p50 ms | p99 ms | server's CPU ms | client's share of a core |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in found.items():
        variant, _, connections = name.rpartition(" ")
        figures = " | ".join(f"{one[key]:,.2f}" for key in ("p50", "p99", "cpu", "client"))
        lines.append(f"| {about[variant]} | {connections} | {one['requests']:,.0f} | {figures} |")
    lines += ["", f"Machine: {os.cpu_count()} cores, shared; Python {platform.python_version()}.", ""]
    kept = RESULTS.read_text(encoding="utf-8").partition(HEADING)[0].rstrip()
    RESULTS.write_text(kept + "\n\n" + "\n".join(lines), encoding="utf-8")


def _reached(goal: str, value: float) -> str:
    if goal == "report":
        return ""
    sign, limit = goal.split()
    return "reached" if (value >= float(limit) if sign == ">=" else value <= float(limit)) else "**missed**"


def measure_serving(project: Path, rounds: int, folder: Path) -> None:
    """Measure, and write the section."""
    print("Serving", flush=True)
    write_section(compare_servers(project, rounds, folder), rounds)


if __name__ == "__main__":
    where = Path(sys.argv[1]).resolve()
    measure_serving(where, int(sys.argv[2]) if len(sys.argv) > 2 else 3, HERE.parent / "build" / "serving")
