"""The pages of the service in a real Chromium: fill in, press, read the answer; nothing of the data runs as a script."""

import json
import subprocess

import pytest
from browser import browser as open_browser
from served import COSTS, open_service, run_service, write_served
from stagebook.data.schema import Column
from stagebook.model.task import Task
from stagebook.serve.web.refuse import KEY_VARIABLE

pytestmark = pytest.mark.slow

SCRIPT = "window.injected=1"
IMAGE = f'"><img src=x onerror="{SCRIPT}">'
CLOSING = f"</script><script>{SCRIPT}</script>"
QUOTES = f"' onfocus='{SCRIPT}' autofocus=' \" \\ $(id) `id`"
ABOUT = {"model": "tiny", "version": 7, "who": "somebody", "when": "2026-11-21T19:23:29Z", "why": "the gate passed it"}
ABOUT |= {"metrics": {"metric": "roc_auc", "candidate": 0.7458, "rivals": {}}}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def show(browser, tmp_path):
    """Serve what `write_served` takes and open a page of it."""
    running = []

    def start(path="/", share=0.0, **given):
        service = open_service(write_served(tmp_path, **given), control_share=share)
        running.append(run_service(service))
        address = running[-1].__enter__()
        browser.errors()
        browser.open(address + path)
        return address

    yield start
    for one in running:
        one.__exit__(None, None, None)


def test_a_person_fills_in_the_form_and_reads_what_the_answer_means_in_money(browser, show):
    show(costs=COSTS, about=json.dumps(ABOUT), card="<p>card</p>")
    assert "2026-11-21 19:23:29 UTC, by somebody" in browser.read("#model", "roc_auc 0.7458")
    assert browser.text("#card") == "Model card"
    browser.write("#f0", "77")
    browser.write("#f2", "a plan that training never saw")
    browser.click("#predict")
    shown = browser.read("#answer", "curl")
    command = browser.text("#curl")
    by_curl = json.loads(subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout)
    [one] = by_curl["predictions"]
    assert '"age":77' in command and shown.splitlines()[1] == one["prediction"]
    assert f"{100 * one['probability']:.1f} %" in shown and "threshold 30" in shown
    no, yes = 70 * one["probability"], 30 * (1 - one["probability"])
    for cost in (no, yes, abs(no - yes)):
        assert f"{cost:.2f}\u00a0EUR" in shown
    assert "per customer on average" in shown
    assert browser.errors() == []


def test_an_answer_is_marked_once_the_form_has_changed(browser, show):
    show()
    browser.click("#predict")
    assert "in money" not in browser.read("#answer", "curl"), "without costs there is nothing to tell"
    browser.write("#f0", "50")
    browser.read("#stale", "has changed")
    browser.click("#predict")
    browser.read("#curl", '"age":50')
    assert browser.text("#stale") == ""


def test_an_error_is_beside_its_field_and_has_the_focus(browser, show):
    show()
    browser.write("#f0", "7")
    browser.click("#predict")
    assert browser.read("#f0-error", "18 to 120").startswith("7: ")
    assert browser.run("return [document.activeElement.id, document.activeElement.getAttribute('aria-invalid')]") == [
        "f0",
        "true",
    ]
    assert "see the fields in red" in browser.text("#problem") and browser.text("#answer") == ""
    browser.write("#f0", "70")
    browser.write("#f4", "31.31.2024")
    browser.click("#predict")
    browser.read("#f4-error", "must be a date")
    assert browser.text("#f0-error") == ""


@pytest.mark.parametrize(("share", "words"), [(1.0, "Control group: do not act"), (1e-12, "Not in the control group")])
def test_the_control_group_is_told_in_words(browser, show, share, words):
    show(share=share)
    browser.click("#predict")
    assert words in browser.read("#answer", "curl")
    assert browser.errors() == []


def test_the_keyboard_alone_is_enough(browser, show):
    show()
    browser.run("document.getElementById('f0').focus()")
    browser.press("\ue004" * 6 + "\ue007")  # six times Tab, then Enter: on the button
    browser.read("#answer", "curl")


def test_no_script_of_the_contract_runs(browser, show):
    names = [IMAGE, CLOSING, QUOTES, "__proto__", "constructor"]
    columns = [Column("age", "number"), *(Column(name, "category", description=IMAGE, unit=CLOSING) for name in names)]
    example = {"age": 1, **dict(zip(names, [QUOTES, IMAGE, CLOSING, IMAGE, QUOTES], strict=True))}
    costs = {"currency": IMAGE, "per": CLOSING, "matrix": {IMAGE: {CLOSING: 30}, CLOSING: {IMAGE: 70}}}
    about = json.dumps({**ABOUT, "who": IMAGE, "why": CLOSING, "model": IMAGE})
    choices = {name: [IMAGE, CLOSING, QUOTES] for name in names}
    task = Task("binary", CLOSING, [IMAGE, CLOSING])
    text = "costs: " + json.dumps(costs) + "\n"
    address = show(columns=columns, example=example, choices=choices, task=task, about=about, costs=text)
    browser.read("#model", IMAGE)
    browser.click("#predict")
    shown = browser.read("#answer", "curl")
    assert f"Acting on “{IMAGE}”" in shown and f"per {CLOSING} on average" in shown
    done = subprocess.run(["bash", "-c", browser.text("#curl")], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["predictions"][0]["prediction"] in (IMAGE, CLOSING), "the shell reads names as text"
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert browser.run("return window.injected || 0") == 0
    assert browser.errors() == []
    browser.open(f"{address}/docs")
    browser.read("#swagger-ui", "/predict")
    browser.click("#operations-predictions-predict_predict_post .opblock-summary")
    browser.read("#operations-predictions-predict_predict_post", "Execute")
    assert browser.run("return window.injected || 0") == 0


def test_a_number_has_its_interval_and_the_cost_of_its_ends(browser, show):
    show(task=Task("regression", "price"), costs="costs: {currency: EUR, matrix: {too_high: 2, too_low: 3}}\n")
    browser.click("#predict")
    shown = browser.read("#answer", "curl").replace("\u00a0", " ")
    assert "Interval: " in shown
    assert "too high costs 2.00 EUR per row, each unit that it is too low 3.00 EUR" in shown
    assert "lower end of the interval, that is 5.00 EUR; at the upper end 7.50 EUR" in shown


def test_each_class_has_its_probability(browser, show):
    show(task=Task("multiclass", "kind", ["a", "b", "c"]))
    browser.click("#predict")
    shown = browser.read("#answer", "curl")
    assert [f"Probability of {name}: " in shown for name in "abc"] == [True] * 3
    assert browser.run("return [...document.querySelectorAll('.bar')].every(bar => bar.ariaLabel.includes('%'))")


def test_a_key_is_asked_for_and_kept_in_memory_only(browser, show, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    show(costs=COSTS, about=json.dumps(ABOUT))
    browser.read("#key", "API key")
    browser.write("#secret", "wrong")
    browser.click("#key button")
    browser.read("#secret-error", "wrong")
    browser.write("#secret", "secret")
    browser.click("#key button")
    browser.read("#model", "somebody")
    browser.click("#predict")
    assert "Bearer $SERVE_API_KEY" in browser.read("#answer", "curl")
    kept = (
        "return [localStorage.length, sessionStorage.length, document.cookie, document.getElementById('secret').value]"
    )
    assert browser.run(kept) == [0, 0, "", ""]


def test_try_it_out_of_the_api_page_works_with_the_example_that_is_filled_in(browser, show):
    show("/docs")
    browser.read("#swagger-ui", "Predict for raw rows")
    block = "#operations-predictions-predict_predict_post"
    browser.click(f"{block} .opblock-summary")
    browser.read(block, "Execute")
    browser.run("document.querySelector('button.execute').scrollIntoView({block: 'center'})")
    assert '"income": "1.404,45"' in browser.run(f"return document.querySelector('{block} textarea').value")
    browser.click("button.execute")
    assert "probability" in browser.read(f"{block} .live-responses-table", "request_id")
    assert browser.text(f"{block} .live-responses-table .response-col_status").split()[-1] != "422"
    assert browser.errors() == []


def test_the_page_fits_a_phone(show, tmp_path):
    address = show(costs=COSTS)
    with open_browser(tmp_path / "phone", mobileEmulation={"deviceMetrics": {"width": 390, "height": 844}}) as phone:
        phone.open(address)
        phone.click("#predict")
        phone.read("#answer", "curl")
        assert phone.run("return document.documentElement.scrollWidth") == 390
