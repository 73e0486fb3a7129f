"""The champion as a wheel: installed in a fresh environment, it answers as the champion does, and checks itself."""

import asyncio
import base64
import hashlib
import importlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import mlflow
import pytest
from serving import EXAMPLE, fill_registry, inputs_of, write_service
from stagebook.deliver import function as serverless
from stagebook.deliver.champion import open_champion
from stagebook.deliver.names import name_distribution, name_module
from stagebook.deliver.wheel import build_wheel
from stagebook.project.errors import DataError, StepError
from stagebook.registry.history import append
from stagebook.registry.keep import keep_champion, release_number
from stagebook.serve.predictor import Predictor

pytestmark = pytest.mark.slow
REPO = Path(__file__).resolve().parents[3]
ROWS = inputs_of(20, seed=5)[0].to_dict("records")
NUMPY_ONLY = """
import numpy as np

def prepare(rows, contract, join):
    paid = np.array([-1.0 if value is None else float(value) for value in np.asarray(rows["paid"], dtype=object)])
    kind = np.array([value if isinstance(value, str) else "" for value in np.asarray(rows["kind"], dtype=object)])
    numbers = {name: np.asarray(rows[name], dtype="float32") for name in ("price", "age")}
    return {**numbers, "paid": paid.astype("float32"), "kind": kind.astype(object)}
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with a registry whose version 1 is champion."""
    monkeypatch.setenv("GITHUB_ACTOR", "somebody")
    root = write_service(tmp_path / "tiny")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", fill_registry(tmp_path / "registry"))
    append("tiny", "promote", 1, "first", after=0, metrics={"metric": "roc_auc", "candidate": 0.8})
    return root


def install(folder, *files):
    """Return the Python of a fresh environment with what the wheel needs, and without an index for the rest."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    uv, pins = Path(sys.executable).with_name("uv"), REPO / "constraints.txt"
    first = [uv, "pip", "install", "--quiet", "--python", python]
    subprocess.run([*first, "--constraint", pins, "numpy", "onnxruntime"], check=True)
    for file in files:
        subprocess.run([*first, "--offline", "--no-index", file], check=True)
    return python


def run(python, *words):
    done = subprocess.run([python, "-I", *words], capture_output=True, text=True, check=False, cwd="/")
    return done.returncode, done.stdout + done.stderr


def expected_of(root, version):
    config = {"task": "binary", "classes": '["on time", "late"]', "threshold": "0.5"}
    file = root.parent / "registry" / f"model{version}" / "model.onnx"
    answer = Predictor(file, config).predict({name: [row[name] for row in ROWS] for name in ROWS[0]})
    return [{name: values[row] for name, values in answer.items()} for row in range(len(ROWS))]


def test_the_wheel_answers_as_the_champion_in_a_fresh_environment(root, tmp_path):
    champion = open_champion(root, "tiny")
    wheel = build_wheel(root, champion, root / "dist")
    assert wheel.name == "tiny_model-1-py3-none-any.whl"
    again = build_wheel(root, open_champion(root, "tiny"), tmp_path / "again")
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()

    python = install(tmp_path / "env", wheel)
    listed = subprocess.run(
        [Path(sys.executable).with_name("uv"), "pip", "list", "--python", python, "--format=json"],
        capture_output=True,
        check=True,
    )
    needed = {one["name"] for one in json.loads(listed.stdout)}
    assert needed <= {"tiny-model", "numpy", "onnxruntime", "flatbuffers", "packaging", "protobuf"}
    code, said = run(python, "-m", "tiny_model")
    assert code == 0, said
    assert "tiny version 1: 4 rows of the test vector are answered as by the champion" in said
    assert "It takes inputs of the model: price (number), age (number), paid (number), kind (text)" in said

    ask = f"import json; from tiny_model import predict; print(json.dumps(predict({ROWS!r})))"
    code, said = run(python, "-c", ask)
    assert code == 0, said
    for got, expected in zip(json.loads(said), expected_of(root, 1), strict=True):
        assert got["prediction"] == expected["prediction"]
        assert abs(got["probability"] - expected["probability"]) < 1e-6
    for change, message in (
        ("del rows[1]['age']", "row 1: input 'age' is missing; the model takes price, age, paid, kind"),
        ("rows[2]['age'] = 'old'", "row 2: input 'age' is 'old'; it must be a number or None"),
        ("rows[0]['kind'] = 7", "row 0: input 'kind' is 7; it must be a text"),
    ):
        code, said = run(python, "-c", f"from tiny_model import predict; rows = {ROWS!r}; {change}; predict(rows)")
        assert code == 1 and message in said
    code, said = run(python, "-c", "from tiny_model import predict_raw; predict_raw([{}])")
    assert "takes inputs of the model only (`predict`): the preparation of raw requests needs more" in said

    rows, answers = tmp_path / "rows.jsonl", tmp_path / "answers.jsonl"
    lines = [json.dumps(row) for row in ROWS] * 300  # more than are in memory at a time
    rows.write_text("\n".join(lines) + "\n\n")
    code, said = run(python, "-m", "tiny_model", rows, answers)
    assert code == 0 and "6,000 rows scored" in said
    found = [json.loads(line)["probability"] for line in answers.read_text().splitlines()]
    assert len(found) == 6_000 and abs(found[-1] - expected_of(root, 1)[-1]["probability"]) < 1e-6
    for wrong, message in (
        (json.dumps(ROWS[0] | {"age": "old"}), "line 5501: input 'age' is 'old'; it must be a number or None"),
        ('{"price": 1', "line 5501: Expecting ',' delimiter"),
        ("[1]", "line 5501: row 0 is [1]"),
    ):
        rows.write_text("\n".join([*lines[:5_500], wrong, *lines[5_500:]]))
        code, said = run(python, "-m", "tiny_model", rows, answers)
        assert code == 1 and message in said, said
    assert len(answers.read_text().splitlines()) == 6_000 and sorted(tmp_path.glob("*.partial")) == []

    [site] = (tmp_path / "env").glob("lib/python*/site-packages")
    shutil.copytree(site / "tiny_model-1.dist-info", site / "tiny_model-7.dist-info")
    metadata = site / "tiny_model-7.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1", "Version: 7"))
    shutil.rmtree(site / "tiny_model-1.dist-info")
    code, said = run(python, "-m", "tiny_model")
    assert code == 1 and "version 7 of tiny-model is installed, but the files are of 1" in said
    model = site / "tiny_model" / "model.onnx"
    model.write_bytes((root.parent / "registry" / "model2" / "model.onnx").read_bytes())
    code, said = run(python, "-m", "tiny_model")
    assert code == 1 and "model.onnx is not the file" in said and "the champion gave" in said


def test_versions_lie_beside_each_other_and_one_number_is_one_model(root):
    first = build_wheel(root, open_champion(root, "tiny"), root / "dist")
    append("tiny", "promote", 2, "second", after=1, metrics={})
    second = build_wheel(root, open_champion(root, "tiny"), root / "dist")
    assert [first.name, second.name] == ["tiny_model-1-py3-none-any.whl", "tiny_model-2-py3-none-any.whl"]
    with zipfile.ZipFile(first, "a") as archive:  # as one of another registry is: the last entry counts
        archive.writestr("tiny_model/model.onnx", b"another model")
    append("tiny", "rollback", 1, "back", after=2, metrics={})
    with pytest.raises(StepError, match="holds another model under the same version 1: it is from another registry"):
        build_wheel(root, open_champion(root, "tiny"), root / "dist")


def test_a_new_registry_that_begins_with_the_kept_champion_counts_on(root, tmp_path, monkeypatch):
    append("tiny", "promote", 2, "second", after=1, metrics={})
    assert keep_champion("tiny", root / "models" / "champion")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/new.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/new.db")
    mlflow.create_experiment("tiny", artifact_location=(tmp_path / "new").as_uri())
    mlflow.set_experiment("tiny")
    champion = open_champion(root, "tiny")
    assert (champion.number, champion.release) == (1, 2)
    assert release_number("tiny", 1) == 2
    assert build_wheel(root, champion, root / "dist").name == "tiny_model-2-py3-none-any.whl"


def test_raw_requests_where_their_preparation_needs_only_numpy(root, tmp_path):
    (root / "code" / "tiny" / "request.py").write_text("from .plain import prepare\n")
    (root / "code" / "tiny" / "plain.py").write_text(NUMPY_ONLY)
    wheel = build_wheel(root, open_champion(root, "tiny"), root / "dist")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    names = {path.name for path in (tmp_path / "unpacked" / "tiny_model" / "preparation" / "tiny").iterdir()}
    assert names == {"__init__.py", "request.py", "plain.py"}
    ask = f"""
import sys
sys.path.insert(0, {str(tmp_path / "unpacked")!r})
from tiny_model import describe, predict, predict_raw
from tiny_model.check import find_problems
assert find_problems() == [], find_problems()
raw = dict(when="2024-04-13", price=1234.5, age=41, code="AB", kind="new", paid=True, id="a1")
assert predict_raw([raw]) == predict([dict(price=1234.5, age=41, kind="new", paid=1.0)])
assert "stagebook" not in sys.modules and "pandas" not in sys.modules
try:
    predict_raw([raw, raw | dict(price="cheap")])
except ValueError as error:
    print(error)
"""
    code, said = run(sys.executable, "-c", ask)
    assert (code, said) == (0, "row 1: field 'price' is 'cheap'; it must be a number\n")


def test_a_model_that_onnx_cannot_express_and_odd_names(root):
    champion = open_champion(root, "tiny")
    skops = champion.package.file.with_suffix(".skops")
    champion.package.file.rename(skops)
    with pytest.raises(DataError, match="skops file, which needs scikit-learn; a wheel holds ONNX only"):
        build_wheel(root, open_champion(root, "tiny"), root / "dist")
    names = {
        "flight-delays": "flight_delays_model",
        "42 things": "model_42_things",
        "Żółw \"double\" 'single' 🐢": "zow_double_single_model",
        "class": "class_model",
        "_._": "the_model",
        "模型": "the_model",
    }
    assert {name: name_module(name) for name in names} == names
    assert name_distribution("模型", "my.project") == "my-project-model"
    assert all(name.isidentifier() for name in names.values())


@pytest.fixture
def package(root, tmp_path, monkeypatch):
    """The wheel's package, unpacked and imported."""
    wheel = build_wheel(root, open_champion(root, "tiny"), root / "dist")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    monkeypatch.syspath_prepend(str(tmp_path / "unpacked"))
    yield importlib.import_module("tiny_model.function")
    for name in [name for name in sys.modules if name.split(".")[0] == "tiny_model"]:
        del sys.modules[name]


def ask_asgi(app, method, path, *parts):
    """Return status and content that an ASGI application answers."""
    received, sent = [{"type": "http.request", "body": part, "more_body": True} for part in parts], []
    received.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        return received.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(app({"type": "http", "method": method, "path": path}, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def test_events_of_functions_and_requests_of_asgi_servers_get_the_same_answers(package, root):
    body = json.dumps({"rows": ROWS})
    direct = package.handler({"rows": ROWS})
    expected = expected_of(root, 1)
    assert direct["status"] == 200 and direct["version"] == 1
    assert [one["prediction"] for one in direct["predictions"]] == [one["prediction"] for one in expected]
    events = [
        {"httpMethod": "POST", "path": "/predict/inputs", "body": body},
        {"rawPath": "/predict/inputs", "requestContext": {"http": {"method": "POST"}}, "body": body},
        {"body": base64.b64encode(body.encode()).decode(), "isBase64Encoded": True},
    ]
    for event in events:
        answer = package.handler(event)
        assert answer["statusCode"] == 200
        assert json.loads(answer["body"])["predictions"] == direct["predictions"]
    status, content = ask_asgi(package.app, "POST", "/predict/inputs", body[:50].encode(), body[50:].encode())
    assert (status, content["predictions"]) == (200, direct["predictions"])
    assert ask_asgi(package.app, "GET", "/health") == (200, {"status": "ok"})
    assert package.handler({"httpMethod": "GET", "path": "/model"})["statusCode"] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/predict/inputs", "", 405, "takes POST"),
        ("POST", "/nothing", "{}", 404, "there is no '/nothing'; there is /predict/inputs"),
        ("POST", "/predict/inputs", "{", 400, "the body must be JSON as"),
        ("POST", "/predict/inputs", '{"rows": []}', 422, "at least one object"),
        ("POST", "/predict/inputs", '{"rows": [{}]}', 422, "row 0: input 'price' is missing"),
        ("POST", "/predict/inputs", '{"rows": [%s{}]}' % ("{}," * 1000), 413, "1001 rows; at most 1000"),
        ("POST", "/predict", json.dumps({"rows": [EXAMPLE]}), 422, "takes inputs of the model only"),
    ],
)
def test_functions_refuse_with_a_message(package, method, path, body, status, message):
    for answer in (
        package.handler({"httpMethod": method, "path": path, "body": body}),
        dict(zip(("statusCode", "body"), ask_asgi(package.app, method, path, body.encode()), strict=True)),
    ):
        assert answer["statusCode"] == status
        assert message in str(answer["body"])


def test_the_function_has_a_size_that_clouds_take(root, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    wheel = build_wheel(root, open_champion(root, "tiny"), root / "dist")
    folder, size = serverless.build_function(root, wheel)
    assert 50e6 < size < 250e6
    ask = "from tiny_model.function import handler; print(handler({'httpMethod': 'GET', 'path': '/health'}))"
    code, said = run(sys.executable, "-c", f"import sys; sys.path[:] = [{str(folder)!r}, *sys.path[:3]]; {ask}")
    assert code == 0 and "'statusCode': 200" in said, said
    with pytest.raises(StepError, match=r"the function has \d+ MB unpacked; 20 MB are allowed. Largest: "):
        serverless.build_function(root, wheel, limit=20_000_000)
    assert folder.is_dir(), "the last one that was small enough stays"
