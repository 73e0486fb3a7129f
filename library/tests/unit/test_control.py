"""The control group must have its share and keep its members; the log must have what the model got, without personal data."""

import subprocess
import sys
from dataclasses import replace
from math import sqrt

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from logged import log_url, stored
from served import BINARY, COLUMNS, EXAMPLE, open_service, write_served
from stagebook.data.privacy import hash_text
from stagebook.data.schema import Column, Table
from stagebook.predictions.control import in_control
from stagebook.predictions.log import PredictionLog
from stagebook.project.errors import StepError
from stagebook.request.contract import Contract
from stagebook.request.loggable import mask_features
from stagebook.serve.app import create_app

KEYED = [Column("customer", "category", role="identifier"), *COLUMNS]
KEYS = 10_000


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_group_has_its_share_of_keys_and_of_requests(share):
    margin = 3.3 * sqrt(KEYS * share * (1 - share))  # 99.9 % of a binomial distribution
    by_key = sum(in_control(share, {"customer": str(number)}, "r", 0) for number in range(KEYS))
    by_row = sum(in_control(share, {}, f"r{number // 10}", number % 10) for number in range(KEYS))
    assert abs(by_key - KEYS * share) < margin and abs(by_row - KEYS * share) < margin


def test_nobody_and_everybody_are_shares_and_a_member_stays_when_the_share_grows():
    keys = [{"customer": str(number)} for number in range(500)]
    assert not any(in_control(0.0, key, "r", 0) for key in keys)
    assert all(in_control(1.0, key, "r", 0) for key in keys)
    assert all(in_control(0.3, key, "other", 7) for key in keys if in_control(0.2, key, "r", 0))


def test_another_process_puts_the_same_keys_into_the_group():
    code = "from stagebook.predictions.control import in_control\n"
    code += "print([n for n in range(200) if in_control(0.2, {'b': 'x', 'a': str(n)}, 'any', 3)])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([n for n in range(200) if in_control(0.2, {"a": str(n), "b": "x"}, "r", 0)])


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(tmp_path, share):
    with pytest.raises(StepError, match=r"control_share is .*; it must be from 0 to 1"):
        open_service(write_served(tmp_path), control_share=share)


def ask(root, rows, log=None, share=0.0):
    service = open_service(root, log, control_share=share)
    with TestClient(create_app(service)) as client:
        answer = client.post("/predict", json={"rows": rows})
        assert answer.status_code == 200, answer.text
        return answer.json()["predictions"], client.get("/openapi.json").json()


def test_each_answer_tells_its_group_and_the_log_keeps_it(tmp_path):
    root, url = write_served(tmp_path / "p", columns=KEYED), log_url(tmp_path)
    rows = [{**EXAMPLE, "customer": f"c{number % 40}"} for number in range(80)]
    first, described = ask(root, rows, PredictionLog(url), share=0.3)
    groups = [one["control"] for one in first]
    assert groups[:40] == groups[40:] and {True, False} == set(groups)
    assert groups == [one["control"] for one in ask(root, rows, share=0.3)[0]], "without a log and after a restart"
    found = stored(url).sort_values("row")
    assert found["control"].tolist() == groups and set(found["control_share"]) == {0.3}
    assert all("control" not in output for output in found["output"])
    schema = described["components"]["schemas"]["Prediction"]
    assert schema["properties"]["control"]["type"] == "boolean" and "control" in schema["required"]
    content = described["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]
    assert content["example"]["predictions"][0]["control"] is False


def test_without_a_share_no_answer_and_no_schema_has_the_field(tmp_path):
    answers, described = ask(write_served(tmp_path), [EXAMPLE])
    assert "control" not in answers[0]
    assert "control" not in described["components"]["schemas"]["Prediction"]["properties"]


def test_a_table_and_inputs_of_the_model_have_the_group_too(tmp_path):
    service = open_service(write_served(tmp_path, columns=KEYED), control_share=0.4)
    table, sink = (
        pa.Table.from_pylist([{"age": 40, "customer": f"c{number}"} for number in range(50)]),
        pa.BufferOutputStream(),
    )
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with TestClient(create_app(service)) as client:
        kind = {"Content-Type": "application/vnd.apache.arrow.stream"}
        answer = client.post("/predict/table", content=sink.getvalue().to_pybytes(), headers=kind)
        found = pa.ipc.open_stream(answer.content).read_all().to_pylist()
        inputs = {"rows": [{"age": 40, "income": None, "plan": "basic"}] * 50}
        replies = client.post("/predict/inputs", json=inputs, headers={"X-Request-ID": "again"}).json()["predictions"]
        again = client.post("/predict/inputs", json=inputs, headers={"X-Request-ID": "again"}).json()["predictions"]
    assert [one["control"] for one in found] == [in_control(0.4, {"customer": f"c{n}"}, "", 0) for n in range(50)]
    assert [one["control"] for one in replies] == [in_control(0.4, {}, "again", row) for row in range(50)]
    assert again == replies


def test_the_log_has_the_raw_request_and_what_the_model_got(tmp_path):
    url = log_url(tmp_path)
    ask(write_served(tmp_path / "p"), [{**EXAMPLE, "mail": "me@example.org"}, {"age": 30}], PredictionLog(url))
    found = stored(url).sort_values("row")
    assert found["features"].tolist() == [
        {"age": 41, "income": pytest.approx(1404.45), "plan": "basic"},
        {"age": 30, "income": None, "plan": ""},
    ]
    assert found["inputs"].iloc[0]["since"] == "2024-05-14T00:00:00"
    assert "example.org" not in found.astype(str).to_csv()
    assert found["control"].tolist() == [False, False]


def test_a_personal_column_that_is_an_input_is_logged_as_training_masks_it(monkeypatch):
    monkeypatch.setenv("PII_KEY", "k" * 32)
    mail = Column("mail", "category", pii=True, mask="hash")
    features = {"mail": "text", "age": "number"}
    hashed = hash_text("me@example.org", "mail")
    for column, given, kept in [
        (mail, "me@example.org", {"mail": hashed, "age": 4}),
        (mail, hashed, {"mail": hashed, "age": 4}),
        (mail, "", {"mail": "", "age": 4}),
        (replace(mail, mask="drop"), "me@example.org", {"age": 4}),
        (replace(mail, mask="keep", why="needed"), "me@example.org", {"mail": "me@example.org", "age": 4}),
    ]:
        contract = Contract(Table("t", {"mail": column}), BINARY, features, {})
        assert mask_features([{"mail": given, "age": 4}], contract) == [kept]
