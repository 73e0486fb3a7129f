"""The files for Prometheus and Grafana, against a real Prometheus that scrapes a real service."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from ruamel.yaml import YAML
from serving import EXAMPLE, free_port, serving, wait_for, write_service
from stagebook.monitor.dashboards import build_dashboard, write_dashboards

RULES = YAML(typ="safe").load(
    (Path(sys.modules["stagebook"].__file__).parent / "monitor" / "rules.yaml").read_text(encoding="utf-8")
)["groups"][0]["rules"]
FUNCTIONS = {"sum", "by", "rate", "histogram_quantile", "absent", "delta", "increase", "scalar", "le", "instance"}
FUNCTIONS |= {"http_route", "http_response_status_code", "version"}


def expressions():
    """Each expression of the rules and the dashboard."""
    panels = build_dashboard()["panels"]
    return [rule["expr"] for rule in RULES] + [target["expr"] for panel in panels for target in panel["targets"]]


def metric_names():
    """Each metric that an expression names."""
    text = " ".join(re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", one) for one in expressions())
    return set(re.findall(r"\b[a-z]\w+", text)) - FUNCTIONS


def test_the_dashboard_is_what_grafana_imports(tmp_path):
    files = [path.name for path in write_dashboards(tmp_path / "new")]
    assert files == ["dashboard.json", "rules.yaml", "scrape.yaml"]
    assert json.loads((tmp_path / "new" / "dashboard.json").read_text()) == build_dashboard()
    panels = build_dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == 10
    places = {tuple(panel["gridPos"].values()) for panel in panels}
    assert len(places) == len(panels), "no panel is over another"
    assert all(place[0] + place[2] <= 24 for place in places)
    [variable] = build_dashboard()["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    assert all(target["datasource"]["uid"] == "${datasource}" for panel in panels for target in panel["targets"])
    assert all(rule["annotations"].keys() == {"summary", "description"} for rule in RULES)


def program(name):
    if not (found := shutil.which(name)):
        pytest.skip(f"this machine has no {name} (Debian: prometheus)")
    return found


ALERTS = """
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'stagebook_problems{instance="a"}', values: '0+0x10 1x60'}
      - {series: 'stagebook_log_lost{instance="a"}', values: '0x30 7x40'}
      - {series: 'stagebook_rows_waiting{instance="a"}', values: '0x30 5000x40'}
      - {series: 'http_server_request_duration_seconds_count{instance="a",http_response_status_code="200"}', values: '0+90x90'}
      - {series: 'http_server_request_duration_seconds_count{instance="a",http_response_status_code="500"}', values: '0x30 0+10x60'}
    alert_rule_test:
      - {eval_time: 9m, alertname: ServiceHasProblems, exp_alerts: []}
      - {eval_time: 9m, alertname: ServiceFails, exp_alerts: []}
      - {eval_time: 9m, alertname: ServiceGone, exp_alerts: []}
      - eval_time: 25m
        alertname: ServiceHasProblems
        exp_alerts:
          - exp_labels: {severity: ticket, instance: a}
            exp_annotations:
              summary: a answers, but has 1 problems
              description: /ready names them - model, registry or prediction log. The last good model goes on answering.
      - eval_time: 33m
        alertname: PredictionLogLost
        exp_alerts:
          - exp_labels: {severity: ticket, instance: a}
            exp_annotations:
              summary: a could not log 7 predictions
              description: The log's database was away for too long. These rows are missing in monitoring. Look at PREDICTION_LOG_URL.
      - eval_time: 60m
        alertname: ServiceFails
        exp_alerts:
          - exp_labels: {severity: page, instance: a}
            exp_annotations:
              summary: a answers 10% of requests with a 5xx status
              description: 503 is overload, see ServiceQueueGrows. Others are in the service's log, by request id.
"""


@pytest.mark.slow
def test_rules_are_valid_and_fire_on_series_that_are_wrong_and_on_no_others(tmp_path):
    write_dashboards(tmp_path)
    (tmp_path / "alerts.yaml").write_text(ALERTS, encoding="utf-8")
    for words in (
        ["check", "rules", "rules.yaml"],
        ["check", "config", "scrape.yaml"],
        ["test", "rules", "alerts.yaml"],
    ):
        done = subprocess.run([program("promtool"), *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """A Prometheus that scrapes a service every second; yields a client of its API, and one of the service."""
    folder = tmp_path_factory.mktemp("prometheus")
    root = write_service(folder / "tiny")
    write_dashboards(folder)
    with serving(root) as service:
        port = free_port()
        text = (folder / "scrape.yaml").read_text().replace("127.0.0.1:8000", f"127.0.0.1:{service.port}")
        (folder / "scrape.yaml").write_text(text.replace("15s", "1s"))
        words = [program("prometheus"), "--config.file=scrape.yaml", f"--storage.tsdb.path={folder / 'data'}"]
        words += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        with (folder / "out").open("w") as out:
            process = subprocess.Popen(words, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30, trust_env=False)
        try:
            wait_for(lambda: up(client) or process.poll() is not None)
            assert process.poll() is None, (folder / "out").read_text()
            yield client, service
        finally:
            process.terminate()
            process.wait(30)
            client.close()


def up(client):
    try:
        return bool(query(client, "up == 1"))
    except (httpx.HTTPError, ValueError):  # it is starting
        return False


def query(client, expression):
    answer = client.get("/query", params={"query": expression}).json()
    assert answer["status"] == "success", (expression, answer)
    return answer["data"]["result"]


@pytest.mark.slow
def test_prometheus_has_each_metric_takes_each_expression_and_fires_nothing_on_a_sound_service(prometheus):
    client, service = prometheus
    assert service.post("/predict", json={"rows": [EXAMPLE]}).status_code == 200
    assert len(metric_names()) > 10
    wait_for(lambda: query(client, "stagebook_predictions_total"))
    assert [name for name in sorted(metric_names()) if not query(client, name)] == []
    for one in expressions():
        query(client, one)
    latency = build_dashboard()["panels"][2]["targets"][2]["expr"]
    wait_for(lambda: service.post("/predict", json={"rows": [EXAMPLE]}) and query(client, latency))
    wait_for(lambda: all(rule["lastEvaluation"] > "1" for rule in rules(client)))
    assert {rule["name"] for rule in rules(client)} == {rule["alert"] for rule in RULES}
    assert [rule for rule in rules(client) if rule["health"] == "err"] == []
    wait_for(lambda: {rule["health"] for rule in rules(client)} == {"ok"})
    assert {rule["name"] for rule in rules(client) if rule["state"] == "firing"} == set()


def rules(client):
    [group] = client.get("/rules").json()["data"]["groups"]
    return group["rules"]
