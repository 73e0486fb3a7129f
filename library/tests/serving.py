"""A service to test with: a project small enough to write per test, a model of it, and the process that serves it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx
import mlflow
import numpy as np
import pandas as pd
from samples import write_project
from stagebook.data.schema import Column, Table
from stagebook.model import kinds
from stagebook.model.onnx_format import to_onnx_bytes
from stagebook.model.task import Task
from stagebook.request.contract import FILE, describe_requests, write_contract

TASK = Task("binary", "late", ["on time", "late"], ["id"])
COLUMNS = {
    "id": Column("id", "category", role="identifier"),
    "when": Column("when", "date", role="time", missing=False, day_first=True),
    "price": Column("price", "number", decimal=",", description="in euros"),
    "age": Column("age", "integer", missing=False, min=0, max=120),
    "code": Column("code", "category", pattern="^[A-Z]{2}$"),
    "kind": Column("kind", "category"),
    "paid": Column("paid", "boolean"),
    "mail": Column("mail", "category", pii=True),
}
EXAMPLE = {"id": "a1", "when": "13/04/2024", "price": "1.234,5", "age": 41, "code": "AB", "kind": "new", "paid": "yes"}
PREPARE = """
import pandas as pd

def prepare(rows, contract, join):
    paid = rows["paid"].astype("float32").fillna(-1)
    numbers = {"price": rows["price"].astype("float32"), "age": rows["age"].astype("float32"), "paid": paid}
    return pd.DataFrame({**numbers, "kind": rows["kind"].astype("str").where(rows["kind"].notna(), "")})
"""


def inputs_of(rows: int, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Return inputs of the model, and labels."""
    noise = np.random.default_rng(seed)
    inputs = pd.DataFrame(
        {
            "price": noise.normal(500, 300, rows).astype("float32"),
            "age": noise.integers(0, 100, rows).astype("float32"),
            "paid": noise.integers(0, 2, rows).astype("float32"),
            "kind": pd.Series(noise.choice(["new", "old", ""], rows), dtype="str"),
        }
    )
    return inputs, (inputs["age"] + 40 * (inputs["kind"] == "new") > 60).astype("int8")


@cache
def onnx_of(seed: int) -> bytes:
    """Return a model; each seed has another one."""
    rows, labels = inputs_of(400, seed)
    labels = labels if seed % 2 == 0 else 1 - labels
    fitted = (rows, labels)
    model = kinds.fit(kinds.HIST_GRADIENT_BOOSTING, fitted, fitted, TASK, 0, {"max_iter": 10})
    return to_onnx_bytes(model, rows, TASK)


def write_model(folder: Path, version: str = "1", seed: int = 0) -> Path:
    """Write a model as the service finds it: model.onnx, MLmodel, request.json and about.json."""
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(onnx_of(seed))
    config = {"task": "binary", "classes": json.dumps(TASK.classes), "threshold": "0.5"}
    (folder / "MLmodel").write_text(json.dumps({"flavors": {"python_function": {"config": config}}}), encoding="utf-8")
    raw = pd.DataFrame([EXAMPLE, {**EXAMPLE, "price": "12,25", "mail": "x@example.org"}]).astype({"age": "int64"})
    contract = describe_requests(raw, Table("table", COLUMNS), list(COLUMNS), TASK, inputs_of(4)[0])
    contract.example.update(EXAMPLE)
    write_contract(contract, folder / FILE)
    (folder / "about.json").write_text(json.dumps({"model": "tiny", "version": version}), encoding="utf-8")
    return folder


class Never(mlflow.pyfunc.PythonModel):
    """What MLflow runs; the service does not."""

    def predict(self, context, model_input, params=None):
        return model_input


def fill_registry(folder: Path, versions: tuple[int, ...] = (1, 2)) -> str:
    """Make a registry with versions of `tiny`, none of them champion, and connect to it; return its address.

    Version 2 has a model card.
    """
    folder.mkdir()
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.create_experiment("e", artifact_location=(folder / "mlruns").as_uri())
    client = mlflow.MlflowClient()
    client.create_registered_model("tiny")
    config = {"task": "binary", "classes": json.dumps(TASK.classes), "threshold": "0.5"}
    for version in versions:
        source = write_model(folder / f"model{version}", seed=version)
        with mlflow.start_run(experiment_id=experiment):
            files = {"model": str(source / "model.onnx"), "request": str(source / FILE)}
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=Never(),
                artifacts=files,
                model_config=config,
                input_example=inputs_of(3, version)[0],
                pip_requirements=["mlflow"],
            )
            if version == 2:
                mlflow.log_text("<h1>Card of 2</h1>", "card/model_card.html")
            tags = {"package_md5": f"hash-of-{version}"}
            client.create_model_version("tiny", logged.model_uri, logged.run_id, tags, model_id=logged.model_id)
    return uri


def write_service(folder: Path, settings: str = "") -> Path:
    """Write a project whose requests need nothing but the row; `settings` are lines of [tool.stagebook.serve]."""
    tables = f'request = "tiny.request:prepare"\n\n[tool.stagebook.serve]\n{settings}\n'
    write_project(folder, tables, **{"code/tiny/request.py": PREPARE})
    write_model(folder / "models" / "first")
    for name in [name for name in sys.modules if name.partition(".")[0] == "tiny"]:
        del sys.modules[name]  # of another project of this name
    return folder


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def start(root: Path, *words: str, port: int, **environment: str) -> subprocess.Popen:
    """Start `stagebook serve` in a project; its output goes to serve.out."""
    command = [sys.executable, "-m", "stagebook", "serve", "--port", str(port), *words]
    with (root / "serve.out").open("ab") as out:
        variables = {**os.environ, "MPLBACKEND": "agg", **environment}
        return subprocess.Popen(command, cwd=root, env=variables, stdout=out, stderr=subprocess.STDOUT)


@contextmanager
def serving(
    root: Path, *words: str, model: str = "models/first", verify: object = True, **environment: str
) -> Iterator[httpx.Client]:
    """Serve a project on a free port; yield a client, whose attribute `process` is the service."""
    port = free_port()
    chosen = [f"--model={model}"] if model else []
    process = start(root, *chosen, *words, port=port, **environment)
    scheme = "https" if "--certificate" in " ".join(words) else "http"
    client = httpx.Client(base_url=f"{scheme}://localhost:{port}", verify=verify, timeout=60, trust_env=False)
    client.process, client.port = process, port
    try:
        wait_for(lambda: answers(client) or process.poll() is not None)
        assert process.poll() is None, (root / "serve.out").read_text(encoding="utf-8")
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(30)


def answers(client: httpx.Client) -> bool:
    """Tell whether the service is there."""
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def wait_for(condition, seconds: float = 120) -> None:
    """Wait until something is true; fail if it is not in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
