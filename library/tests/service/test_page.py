"""The pages of the service in a real browser: the form predicts, errors stand at their field, no data runs as a script."""

import json

import pytest
from browser import browser
from serving import serving, wait_for, write_service
from stagebook.request.contract import FILE

pytestmark = pytest.mark.slow
COSTS = """
costs:
  currency: EUR
  per: order
  matrix:
    on time: {on time: 0, late: 10}
    late: {on time: 50, late: 5}
"""
SCRIPT = "<img src=x onerror=\"document.title='injected'\"></script><script>document.title='injected'</script>'\""


@pytest.fixture
def root(tmp_path):
    return write_service(tmp_path / "tiny")


def answer(window) -> str:
    return window.run("return document.getElementById('answer').innerText")


def test_the_form_predicts_names_errors_at_their_field_and_predicts_again(root, tmp_path):
    with serving(root) as client, browser(tmp_path) as window:
        expected = client.post("/predict", json=client.get("/example").json()).json()["predictions"][0]
        window.open(f"http://localhost:{client.port}/")
        window.click("button")
        wait_for(lambda: answer(window))
        assert expected["prediction"] in answer(window)
        assert f"{100 * expected['probability']:.1f} %" in answer(window)
        assert "curl http://localhost" in answer(window)
        window.write("input[data-name=age]", "old")
        window.click("button")
        error = "return document.querySelector('input[data-name=age]').parentElement.querySelector('.error').innerText"
        wait_for(lambda: "whole number" in window.run(error))
        assert answer(window) == ""
        window.write("input[data-name=age]", "30")
        window.click("button")
        wait_for(lambda: "Probability" in answer(window))
        assert window.run(error) == ""


def test_hostile_names_and_values_are_shown_and_do_not_run(root, tmp_path):
    file = root / "models" / "first" / FILE
    contract = json.loads(file.read_text(encoding="utf-8"))
    columns = contract["table"]["columns"]
    columns[SCRIPT] = columns["kind"] | {"name": SCRIPT, "description": SCRIPT}
    contract["example"] |= {"kind": SCRIPT, SCRIPT: SCRIPT}
    contract["choices"] |= {SCRIPT: [SCRIPT]}
    file.write_text(json.dumps(contract), encoding="utf-8")
    with serving(root) as client, browser(tmp_path) as window:
        policy = client.get("/").headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
        window.open(f"http://localhost:{client.port}/")
        window.click("button")
        wait_for(lambda: "Probability" in answer(window))
        assert window.run("return document.title") == "tiny"
        assert SCRIPT.split("<")[1] in window.run("return document.body.innerText")
        window.open(f"http://localhost:{client.port}/docs")
        wait_for(lambda: "/predict" in window.run("return document.body.innerText"))
        assert window.run("return document.title") == "API"


def test_the_api_page_needs_no_network_and_its_example_works(root, tmp_path):
    with serving(root) as client, browser(tmp_path) as window:
        window.open(f"http://localhost:{client.port}/docs", height=1600)
        wait_for(lambda: window.run("return document.querySelectorAll('.opblock-summary').length") > 5)
        window.click("[id$=predict_predict_post] .opblock-summary")
        wait_for(lambda: window.run("return document.querySelectorAll('button.execute').length"))
        window.run("document.querySelector('button.execute').scrollIntoView({block: 'center'})")
        window.click("button.execute")
        live = "return [...document.querySelectorAll('.live-responses-table')].map(one => one.innerText).join()"
        wait_for(lambda: "probability" in window.run(live))
        assert "200" in window.run(live)
