"""What goes wrong between callers and the service: each fault gets a clear answer, and the others are answered on."""

import asyncio
import json
import random
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from serving import EXAMPLE, free_port, serving, start, wait_for, write_service
from stagebook.project.errors import StepError
from stagebook.serve.web.metrics import exports_telemetry

pytestmark = pytest.mark.slow
JSON = {"content-type": "application/json"}
SETTINGS = "seconds = 2\nmax_megabytes = 1\nmax_rows = 50\nwaiting_rows = 200"
# `prepare` takes a while for rows of this category: what many callers at once, or a slow database, look like.
SLOW = """
_prepare = prepare

def prepare(rows, contract, join):
    import time
    time.sleep(0.3 * (rows["kind"] == "slow").any())
    return _prepare(rows, contract, join)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = write_service(tmp_path_factory.mktemp("service") / "tiny", SETTINGS)
    with (root / "code" / "tiny" / "request.py").open("a") as file:
        file.write(SLOW)
    return root


@pytest.fixture(scope="module")
def client(root):
    with serving(root, "--no-log") as client:
        yield client


def ask(client, content, path="/predict"):
    return client.post(path, content=content if isinstance(content, bytes) else json.dumps(content), headers=JSON)


def one(**values):
    return {"rows": [{**EXAMPLE, **values}]}


def refused(answer, status):
    """Return the details of an error, which has the form of all errors."""
    assert answer.status_code == status, answer.text
    content = answer.json()
    assert content["request_id"] == answer.headers["x-request-id"]
    return content["detail"]


WRONG = {
    "a misspelt field names the right one": (one(agee=3), "agee", "Did you mean `age`?"),
    "a field that is missing says what it may be": (
        {"rows": [{"when": "1/1/2024"}]},
        "age",
        "must be a whole number, 0 to 120",
    ),
    "a number out of range": (one(age=300), "age", "0 to 120"),
    "a number in text out of range": (one(age="300"), "age", "0 to 120"),
    "a list for a number": (one(age=[3]), "age", "must be a whole number"),
    "an object for a text": (one(kind={"a": 1}), "kind", "must be text"),
    "half a year": (one(age=41.5), "age", "must be a whole number"),
    "a word for a number": (one(price="much"), "price", "must be a number"),
    "a number beyond float32": (one(price=1e39), "price", "3e+38"),
    "the same in text": (one(price="1e39"), "price", "3e+38"),
    "a date that pandas cannot hold": (one(when="9999-12-31"), "when", "years 1678 to 2261"),
    "a date that is none": (one(when="31/02/2024"), "when", "must be a date such as"),
    "a pattern": (one(code="abc"), "code", "must match ^[A-Z]{2}$"),
    "null for a field that must have a value": (one(age=None), "age", "must be a whole number"),
    "a truth value that is none": (one(paid="maybe"), "paid", "must be yes or no"),
    "a text of 20,000 characters": (one(kind="x" * 20_000), "kind", "at most 10000 characters"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_value_names_field_value_and_what_is_allowed(client, name):
    body, field, allowed = WRONG[name]
    details = refused(ask(client, body), 422)
    [detail] = [one for one in details if one["field"] == field]
    assert detail["row"] == 0
    assert allowed in detail["message"]
    assert len(json.dumps(details)) < 2_000


def test_nan_is_refused_and_the_answer_is_json_all_the_same(client):
    for word in ("NaN", "Infinity", "-Infinity", "1e400"):
        body = json.dumps(one(price=0)).replace('"price": 0', f'"price": {word}').encode()
        [detail] = refused(ask(client, body), 422)
        assert detail["field"] == "price"


def test_a_personal_value_is_in_no_error(client):
    text = ask(client, one(mail={"secret": "x@example.org"})).text
    assert "x@example.org" not in text


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe{}", b'{"rows":[]}', b'{"rows":{}}', b'{"row":[]}']
)
def test_a_body_that_is_none_is_refused(client, body):
    assert refused(ask(client, body), 422)[0]["message"]


def test_fuzzed_bodies_never_fail_inside(client):
    noise, good = random.Random(0), json.dumps(one()).encode()
    for _ in range(400):
        body = bytearray(good)
        for _ in range(noise.randint(1, 6)):
            body[noise.randrange(len(body))] = noise.randrange(256)
        for path in ("/predict", "/predict/inputs", "/outcomes"):
            assert ask(client, bytes(body), path).status_code in (200, 404, 422)


def test_unknown_paths_methods_and_kinds_have_the_form_of_all_errors(client):
    assert "/docs" in refused(client.get("/nothing"), 404)[0]["message"]
    answer = client.get("/predict")
    assert (answer.headers["allow"], "POST" in refused(answer, 405)[0]["message"]) == ("POST", True)
    for headers in ({}, {"content-type": "text/plain"}):
        answer = client.post("/predict", content=json.dumps(one()), headers=headers)
        assert "application/json" in refused(answer, 415)[0]["message"]
    assert client.post(
        "/predict", content=json.dumps(one()), headers={"content-type": "Application/JSON; charset=utf-8"}
    )


def test_too_many_rows_and_a_huge_body_are_refused(client):
    assert "50 items" in refused(ask(client, {"rows": [EXAMPLE] * 51}), 422)[0]["message"]
    assert "1 MB" in refused(ask(client, b" " * 1_100_000), 413)[0]["message"]
    assert refused(client.post("/predict", content=iter([b" " * 100_000] * 20), headers=JSON), 413)


def test_a_huge_body_is_refused_before_it_is_sent(client):
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_slow_caller_gets_408_and_others_are_answered_meanwhile(client):
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.settimeout(10)
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert ask(client, one()).status_code == 200
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_caller_that_goes_away_disturbs_nobody(client, root):
    body = json.dumps(one(kind="slow")).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    for sent in (head.encode(), head.encode() + body[:20], head.encode() + body):
        with socket.create_connection(("127.0.0.1", client.port)) as connection:
            connection.sendall(sent)
    assert ask(client, one()).status_code == 200
    assert "Traceback" not in (root / "serve.out").read_text()


def test_a_full_queue_answers_503_at_once_and_the_accepted_rows_in_time(client):
    body, until, answers = {"rows": [{**EXAMPLE, "kind": "slow"}] * 50}, time.monotonic() + 3, []

    def insist(_):
        while time.monotonic() < until:
            answers.append(ask(client, body))
            time.sleep(0.05 * (answers[-1].status_code == 503))

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(insist, range(20)))
    busy = [answer for answer in answers if answer.status_code == 503]
    done = [answer for answer in answers if answer.status_code == 200]
    assert len(busy) + len(done) == len(answers)
    assert len(done) >= 15, "rows are answered all the time"
    assert len(busy) > len(done)
    assert max(answer.elapsed.total_seconds() for answer in busy) < 0.5
    assert {answer.headers.get("retry-after") for answer in busy} == {"1"}
    assert refused(busy[0], 503)[0]["message"]
    assert ask(client, one()).status_code == 200


def test_a_wrong_request_in_a_batch_fails_alone_and_names_its_own_row(client):
    bodies = [one(), {"rows": [EXAMPLE, {**EXAMPLE, "price": "much"}]}] * 10
    with ThreadPoolExecutor(20) as pool:
        blocked = pool.submit(ask, client, one(kind="slow"))  # the others wait, and become one batch
        time.sleep(0.1)
        answers = list(pool.map(lambda body: ask(client, body), bodies))
    assert blocked.result().status_code == 200
    assert [answer.status_code for answer in answers] == [200, 422] * 10
    assert {answer.json()["detail"][0]["row"] for answer in answers[1::2]} == {1}


def as_arrow(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def as_parquet(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


KINDS = {"application/vnd.apache.arrow.stream": as_arrow, "application/vnd.apache.parquet": as_parquet}


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_says_the_same_as_json_and_a_broken_one_is_refused(client, kind):
    def send(content):
        return client.post("/predict/table", content=content, headers={"content-type": kind})

    table = pa.Table.from_pylist([EXAMPLE, {**EXAMPLE, "age": 3}])
    answer = send(KINDS[kind](table))
    assert answer.status_code == 200, answer.text
    expected = ask(client, {"rows": [EXAMPLE, {**EXAMPLE, "age": 3}]}).json()["predictions"]
    assert pa.ipc.open_stream(answer.content).read_all().to_pylist() == expected
    assert "Did you mean `age`" in refused(send(KINDS[kind](table.rename_columns({"age": "agee"}))), 422)[0]["message"]
    lists = table.set_column(0, "id", pa.array([["a"], ["b"]]))
    assert refused(send(KINDS[kind](lists)), 422)[0]["field"] == "id"
    assert refused(send(KINDS[kind](table.slice(0, 0))), 413)
    noise, whole = random.Random(0), KINDS[kind](table)
    for _ in range(100):
        broken = bytearray(whole)
        for _ in range(3):
            broken[noise.randrange(len(broken))] = noise.randrange(256)
        assert send(bytes(broken)).status_code in (200, 400, 413, 422)
    assert ask(client, one()).status_code == 200


def test_a_small_parquet_file_with_one_long_text_many_times_takes_no_memory(client):
    table = pa.table({"kind": pa.DictionaryArray.from_arrays([0] * 3_000, ["x" * 500_000])})
    answer = client.post(
        "/predict/table", content=as_parquet(table), headers={"content-type": "application/vnd.apache.parquet"}
    )
    assert refused(answer, 422)[0]["field"] == "kind"


def test_a_port_that_is_taken_and_one_that_is_none_are_said(root, client):
    for port, said in ((client.port, "cannot be used"), (70_000, "the highest is 65535")):
        process = start(root, "--model=models/first", port=port)
        assert process.wait(60) == 1
        assert said in (root / "serve.out").read_text()


def test_an_open_address_needs_a_key_and_tls(root, certificate):
    pem, key = certificate
    for words, environment in (
        ([], {}),
        ([], {"SERVE_API_KEY": "k"}),
        ([f"--certificate={pem}", f"--key={key}"], {}),
    ):
        process = start(root, "--host=0.0.0.0", "--model=models/first", *words, port=free_port(), **environment)
        assert process.wait(60) == 1
        assert "0.0.0.0 can be reached from other machines" in (root / "serve.out").read_text()[-600:]
    process = start(root, f"--certificate={key}", "--model=models/first", port=free_port())
    assert process.wait(60) == 1
    assert "--certificate" in (root / "serve.out").read_text()[-600:]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", pem]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    return pem, key


def test_tls_and_key_are_used(root, certificate):
    pem, key = certificate
    words = ["--no-log", f"--certificate={pem}", f"--key={key}"]
    trusted = ssl.create_default_context(cafile=str(pem))
    with serving(root, *words, verify=trusted, SERVE_API_KEY="schlüssel") as client:
        for header in (None, "schlüssel", "Basic schlüssel", "Bearer wrong"):
            headers = {"authorization": header.encode()} if header else {}
            answer = client.post("/predict", json=one(), headers=headers)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "Authorization" in refused(answer, 401)[0]["message"]
        right = {"authorization": "Bearer schlüssel".encode()}
        assert client.post("/predict", json=one(), headers=right).status_code == 200
        assert client.get("/model").status_code == 401
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://localhost:{client.port}/health", trust_env=False)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_open_requests_are_answered_before_the_end(root, name):
    import signal

    with serving(root, "--no-log") as client:
        with ThreadPoolExecutor(8) as pool:
            open_ = [pool.submit(ask, client, one(kind="slow")) for _ in range(8)]
            time.sleep(0.15)
            client.process.send_signal(getattr(signal, name))
            assert [one.result().status_code for one in open_] == [200] * 8
        assert client.process.wait(20) == 0
    assert "Traceback" not in (root / "serve.out").read_text()


def test_many_callers_are_answered_each_with_its_own_row(client):
    async def ask_all():
        async with httpx.AsyncClient(base_url=client.base_url, trust_env=False, timeout=30) as session:
            return await asyncio.gather(*(session.post("/predict", json=one(age=age)) for age in range(100)))

    answers = asyncio.run(ask_all())
    alone = [ask(client, one(age=age)).json()["predictions"] for age in range(100)]
    assert [answer.json()["predictions"] for answer in answers] == alone


def test_nothing_of_mlflow_or_scikit_learn_is_needed_for_the_predictor(root):
    code = "import sys; from stagebook.serve.predictor import Predictor; "
    code += "Predictor(sys.argv[1], {'task': 'binary', 'classes': '[\"a\", \"b\"]'}); print(*sys.modules)"
    command = [sys.executable, "-c", code, str(root / "models" / "first" / "model.onnx")]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {"pandas", "sklearn", "mlflow", "skops", "pyarrow"} & set(loaded) == set()


def test_metrics_count_by_route_and_version(client):
    ask(client, one())
    wait_for(lambda: True)
    text = client.get("/metrics").text
    assert 'stagebook_predictions_total{version="1"}' in text
    assert 'http_route="/predict"' in text
    assert "/nothing" not in text, "a path that no route has makes no series"
    assert threading.active_count() < 50


def test_traces_and_metrics_go_where_the_variable_says(root):
    received = set()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            received.add(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    collector = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{collector.server_port}"
    often = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "200", "NO_PROXY": "127.0.0.1"}
    with serving(root, "--no-log", OTEL_EXPORTER_OTLP_ENDPOINT=address, **often) as client:
        assert ask(client, one()).status_code == 200
        wait_for(lambda: {"/v1/traces", "/v1/metrics"} <= received)
    collector.shutdown()


def test_an_address_for_traces_without_the_exporter_names_the_extra(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr("stagebook.serve.web.metrics.EXPORTER", "opentelemetry.no_such_exporter.http")
    with pytest.raises(StepError, match=r"stagebook\[otlp\]"):
        exports_telemetry()
