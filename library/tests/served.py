"""A small model that is served: a project's folder with model, contract and `prepare`, and the service of it."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import uvicorn
from ruamel.yaml import YAML
from samples import MODELS, write_files, write_project
from serving import free_port
from stagebook.data.schema import Column, Table
from stagebook.model import kinds
from stagebook.model.onnx_format import to_onnx_bytes
from stagebook.model.task import Task
from stagebook.project.settings import DEFAULTS
from stagebook.request.contract import Contract, write_contract
from stagebook.serve.app import create_app
from stagebook.serve.service import Service

COLUMNS = [
    Column("age", "integer", missing=False, min=18, max=120, unit="years", description="of the customer"),
    Column("income", "number", decimal=","),
    Column("plan", "category"),
    Column("member", "boolean"),
    Column("since", "date", day_first=True),
    Column("mail", "text", pii=True),
    Column("internal", "text", role="ignored"),
]
EXAMPLE = {"age": 41, "income": "1.404,45", "plan": "basic", "member": "yes", "since": "14.05.2024", "internal": "x"}
CHOICES = {"plan": ["basic", "plus", "pro"]}
BINARY = Task("binary", "churned", ["no", "yes"])
CONFIG = {"binary": {"threshold": "0.3"}, "multiclass": {}, "regression": {"interval_half_width": "2.5"}}
# The model sees the numbers and categories as they are.
PREPARE = """
def prepare(rows, contract, join):
    inputs = rows[list(contract.features)].copy()
    for name, kind in contract.features.items():
        values = inputs[name]
        inputs[name] = values.astype("float32") if kind == "number" else values.astype("str").where(values.notna(), "")
    return inputs
"""
# The gates that each docs/requirements.yaml must have.
GATES = "gates:\n" + "".join(
    f"  g{place}: {{metric: {metric}, {limit}: 0, owner: product owner, reason: because}}\n"
    for place, (metric, limit) in enumerate(
        [(f"gain.{name}", "at_least") for name in ("trivial", "baseline", "champion")] + [("card.missing", "at_most")]
    )
)
COSTS = "costs: {currency: EUR, per: customer, matrix: {'no': {'yes': 30}, 'yes': {'no': 70}}}\n"


def write_served(folder: Path, task: Task = BINARY, columns=COLUMNS, example=EXAMPLE, choices=CHOICES, **files) -> Path:
    """Write a project with a small model in models/served; return the project's folder.

    Parameters
    ----------
    folder : Path
    task : Task
    columns : list of Column
        The fields of a request. Features of type integer, number or category are inputs of the model.
    example, choices : dict
        As in `Contract`.
    **files : str
        More files, such as `about` for models/served/about.json and `costs` for docs/requirements.yaml.
    """
    root = write_project(folder, 'request = "tiny.served:prepare"\n', **{"code/tiny/served.py": PREPARE})
    kinds_of = {"integer": "number", "number": "number", "category": "text"}
    features = {one.name: kinds_of[one.type] for one in columns if one.role == "feature" and one.type in kinds_of}
    contract = Contract(Table("t", {one.name: one for one in columns}), task, features, {}, example, choices)
    served = root / "models" / "served"
    served.mkdir(parents=True)
    served.joinpath("model.onnx").write_bytes(_train(task, features, choices))
    write_contract(contract, served / "request.json")
    config = {"task": task.kind, "classes": json.dumps(task.classes), **CONFIG[task.kind]}
    with (served / "MLmodel").open("w", encoding="utf-8") as file:
        YAML().dump({"flavors": {"python_function": {"config": config}}}, file)
    places = {
        "about": "models/served/about.json",
        "costs": "docs/requirements.yaml",
        "card": "models/served/model_card.html",
    }
    files |= {"costs": files["costs"] + GATES} if "costs" in files else {}
    return write_files(root, {places[name]: text for name, text in files.items()})


def _train(task: Task, features: dict[str, str], choices: dict) -> bytes:
    noise = np.random.default_rng(0)
    draw = {"number": lambda name: noise.normal(50, 20, 300).astype("float32")}
    draw["text"] = lambda name: noise.choice(choices.get(name) or ["a", "b"], 300)
    rows = pd.DataFrame({name: draw[kind](name) for name, kind in features.items()})
    rows = rows.astype({name: "str" for name, kind in features.items() if kind == "text"})
    value = pd.Series(noise.normal(size=300)) + rows.select_dtypes("number").sum(axis=1)
    label = value if task.kind == "regression" else pd.Series(pd.qcut(value, len(task.classes), labels=False))
    model = kinds.fit(MODELS["hist_gradient_boosting"], (rows, label), (rows, label), task, 0, {"max_iter": 10})
    return to_onnx_bytes(model, rows, task)


def open_service(root: Path, log=None, **settings) -> Service:
    """Return the service of what `write_served` wrote; close it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "tiny"]:
        del sys.modules[name]  # that of another test's project
    return Service(root, DEFAULTS["serve"] | settings, root / "models" / "served", "tiny", log)


@contextmanager
def run_service(service: Service) -> Iterator[str]:
    """Listen in a thread, as `stagebook serve` does in a process; yield the address."""
    port = free_port()
    config = uvicorn.Config(create_app(service), port=port, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < end, "the service does not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
