"""The page of the service and its OpenAPI page: what is shown of a contract, and nothing of the data runs as a script."""

import json
import re
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from served import BINARY, COLUMNS, COSTS, EXAMPLE, open_service, write_served
from stagebook.data.schema import Column
from stagebook.model.task import Task
from stagebook.serve.app import create_app
from stagebook.serve.web.page import read_costs
from stagebook.serve.web.refuse import KEY_VARIABLE

HOSTILE = [
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)</script>",
    "a' onfocus='alert(1)",
    "{{ 7 * 7 }}",
    "__proto__",
]
REGRESSION = Task("regression", "price")


class Page(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def fields(self):
        return {attributes["data-name"]: attributes for _, attributes in self.elements if "data-name" in attributes}


@pytest.fixture
def serve(tmp_path):
    clients = []

    def start(**given):
        client = TestClient(create_app(open_service(write_served(tmp_path, **given))), base_url="http://localhost")
        clients.append(client.__enter__())
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


def test_the_form_has_the_fields_of_the_contract_with_its_example(serve):
    fields = Page(serve().get("/").text).fields()
    assert list(fields) == ["age", "income", "plan", "member", "since", "mail"], "ignored columns are left out"
    assert {name: field.get("value") for name, field in fields.items()} == {
        "age": "41",
        "income": "1.404,45",
        "plan": "basic",
        "member": None,
        "since": "14.05.2024",
        "mail": "",
    }
    assert "required" in fields["age"] and "required" not in fields["plan"]
    assert json.loads(fields["age"]["data-example"]) == 41


def test_each_field_has_a_label_a_hint_and_its_usual_values(serve):
    page = serve().get("/").text
    fields, elements = Page(page).fields(), Page(page).elements
    labels = {attributes.get("for") for tag, attributes in elements if tag == "label"}
    ids = {attributes.get("id") for _, attributes in elements}
    for field in fields.values():
        assert field["id"] in labels
        assert set(field["aria-describedby"].split()) <= ids
    assert "of the customer; unit: years; 18 to 120" in page
    assert fields["plan"]["list"] in ids
    assert [attributes.get("value") for tag, attributes in elements if tag == "option"][:3] == ["basic", "plus", "pro"]


def test_a_column_that_is_ignored_but_must_have_a_value_is_shown(serve):
    columns = [*COLUMNS[:-1], Column("internal", "text", role="ignored", missing=False)]
    assert "internal" in Page(serve(columns=columns).get("/").text).fields()


def test_hostile_names_and_values_stay_text(serve):
    columns = [Column("age", "number"), *(Column(name, "category", description=name) for name in HOSTILE)]
    example = {"age": 1, **dict(zip(HOSTILE, reversed(HOSTILE), strict=True))}
    task = Task("binary", HOSTILE[0], HOSTILE[:2])
    client = serve(columns=columns, example=example, choices=dict.fromkeys(HOSTILE, HOSTILE), task=task)
    page = Page(client.get("/").text)
    assert {name: field.get("value") for name, field in page.fields().items()} == {
        k: str(v) for k, v in example.items()
    }
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert "img" not in {tag for tag, _ in page.elements}
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []


def test_the_policy_allows_the_one_script_by_a_new_nonce(serve):
    client = serve()
    answers = [client.get("/") for _ in range(2)]
    policies = [answer.headers["content-security-policy"] for answer in answers]
    assert policies[0] != policies[1]
    for answer, policy in zip(answers, policies, strict=True):
        assert policy.startswith("default-src 'none'; connect-src 'self';") and "unsafe" not in policy
        [nonce] = re.findall(r"script-src 'nonce-([\w-]+)'", policy)
        assert [attributes["nonce"] for tag, attributes in Page(answer.text).elements if tag == "script"] == [nonce]
        assert not re.search(r"https?://", answer.text), "nothing comes from another host"


def test_the_open_page_tells_no_more_than_the_form_if_there_is_a_key(serve, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    client = serve(costs=COSTS, about=json.dumps({"model": "tiny", "version": 7, "who": "somebody", "when": "2026"}))
    page = client.get("/")
    assert page.status_code == 200 and "somebody" not in page.text and "EUR" not in page.text
    assert client.get("/model").status_code == 401
    about = client.get("/model", headers={"Authorization": "Bearer secret"}).json()
    assert (about["who"], about["costs"]["currency"]) == ("somebody", "EUR")


def test_costs_are_by_actual_class_and_decision(tmp_path):
    root = write_served(tmp_path, costs=COSTS)
    assert read_costs(root, BINARY) == {"currency": "EUR", "per": "customer", "matrix": [[0, 30], [70, 0]]}


def test_costs_of_numbers_are_per_unit(tmp_path):
    root = write_served(tmp_path, task=REGRESSION, costs="costs: {currency: EUR, matrix: {too_low: 3}}\n")
    assert read_costs(root, REGRESSION) == {"currency": "EUR", "per": "row", "too_high": 1.0, "too_low": 3.0}


@pytest.mark.parametrize("files", [{}, {"costs": "costs: {currency: EUR}\n"}])
def test_without_costs_there_are_none(files, tmp_path):
    assert read_costs(write_served(tmp_path, **files), BINARY) is None


def test_costs_that_cannot_be_read_are_named_without_the_path_of_the_machine(serve, tmp_path):
    about = serve(costs="costs: {matrix: {perhaps: {'no': 3}}}\n").get("/model").json()
    assert "perhaps" in about["costs"]["error"] and str(tmp_path) not in about["costs"]["error"]


@pytest.mark.parametrize(
    "task", [BINARY, Task("multiclass", "kind", ["a", "b", "c"]), REGRESSION], ids=lambda task: task.kind
)
def test_the_api_is_valid_openapi_and_its_examples_work(serve, task):
    client = serve(task=task)
    described = client.get("/openapi.json").json()
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []
    for path in ("/predict", "/predict/inputs"):
        operation = described["paths"][path]["post"]
        answer = client.post(path, json=operation["requestBody"]["content"]["application/json"]["example"])
        assert answer.status_code == 200, answer.text
        shown = operation["responses"]["200"]["content"]["application/json"]["example"]
        assert shown["predictions"] == answer.json()["predictions"]
    assert described["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"] == {
        "rows": [EXAMPLE]
    }


def test_each_address_and_error_is_described(serve):
    described = serve().get("/openapi.json").json()
    tags = {tag["name"] for tag in described["tags"]}
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["summary"] and operation["description"] and set(operation["tags"]) <= tags, path
            for code, response in operation["responses"].items():
                assert response["description"] not in ("", "Successful Response", "Bad Request", "Not Found"), (
                    path,
                    code,
                )
                assert code == "200" or response["content"]["application/json"]["example"]["detail"], (path, code)


def test_the_page_of_the_api_needs_no_other_host(serve):
    client = serve()
    page = client.get("/docs")
    assert not re.search(r"https?://", page.text)
    assert page.headers["content-security-policy"].startswith("default-src 'none'; connect-src 'self'")
    for name in re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text):
        assert len(client.get(f"/{name}").content) > 10_000, name
    assert client.get("/docs/__init__.py").status_code == 404


@pytest.mark.parametrize("wrong", [["me@example.org"], {"x": "me@example.org"}, "me@example.org" * 1000])
def test_a_wrong_personal_value_is_in_no_error(serve, caplog, wrong):
    client = serve()
    for given in ({"mail": wrong}, {"Mail": "me@example.org"}):
        answer = client.post("/predict", json={"rows": [{**EXAMPLE, **given}]})
        [detail] = answer.json()["detail"]
        assert answer.status_code == 422 and detail["field"] == next(iter(given))
        assert "example.org" not in answer.text + caplog.text
    assert "must be text" in client.post("/predict", json={"rows": [{**EXAMPLE, "mail": wrong}]}).text
