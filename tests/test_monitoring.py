"""What follows from monitoring, in a project: the workflow Monitor is executed, alarms become issues, and Train is started.

The step that measures is stood in for here: test_workflows.py and the notebook's own tests need hours of data for it.
"""

import json
import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from baked import TEMPLATE, bake_ready
from hosted import GitHub, Runner, plain_environment

sys.path.insert(0, str(TEMPLATE / "library" / "tests"))
from records import record

TOKEN, HOOK = "ghs_of-this-test", "services/T0/s3cretpath"
MEASURE = "stagebook run pipelines/monitoring/90_monitor.ipynb"
ACT = "stagebook monitor --issues --notify --train"
NOW = datetime.now(UTC).replace(microsecond=0)
pytestmark = pytest.mark.slow


class Measured(Runner):
    """A runner whose step that measures writes these records, or fails as it does while the log is away."""

    records: list | None = None

    def _shell(self, command: str, env: dict[str, str]) -> None:
        if command != MEASURE:
            super()._shell(command, env)
        elif self.records is None:
            self.failed = command
            self.said[command] = "ERROR: the prediction log cannot be read"
        else:
            file = self.folder / "reports" / "monitoring" / "history.json"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"windows": self.records}), encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = bake_ready(tmp_path_factory.mktemp("monitored"))
    project.edit("docs/monitoring.yaml", {"length: month": "length: week", "min_rows: 500": "min_rows: 100"})
    project.edit("docs/monitoring.yaml", {"min_new_rows: 5000": "min_new_rows: 500"})
    return project


@pytest.fixture
def github():
    server = GitHub()
    server.now = NOW.isoformat()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def hook():
    """A webhook that keeps what it is sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            server.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.received = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def runner(project, github, hook, tmp_path):
    known = {
        "github.token": TOKEN,
        "github.event.repository.default_branch": "",
        "github.ref_name": "main",
        "secrets.MLFLOW_TRACKING_URI": "",
        "secrets.PREDICTION_LOG_URL": "",
        "secrets.NOTIFY_URL": f"http://127.0.0.1:{hook.server_port}/{HOOK}",
    }
    environment = plain_environment(tmp_path / "bin") | {
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_API_URL": github.address,
        "GITHUB_SERVER_URL": "https://github.test",
        "GITHUB_RUN_ID": "77",
        "GITHUB_REF_NAME": "main",
    }
    (tmp_path / "home").mkdir()
    found = Measured(project.path, known, environment, tmp_path / "home")
    found.environment["PATH"] = f"{project.path}/.venv/bin:{found.environment['PATH']}"
    return found


def history(*drops, **more):
    """Records of the weeks up to now."""
    found = [record(number, drop, **more) for number, drop in enumerate(drops)]
    for back, one in enumerate(reversed(found)):
        ends = [NOW - timedelta(days=7 * weeks, hours=1) for weeks in (back + 1, back)]
        one["window"] |= {"since": ends[0].isoformat(), "until": ends[1].isoformat()}
    return found


def run(runner, records, ok=True):
    runner.records = records
    runner.run("monitor.yaml", "monitor", ok)
    return runner.said.get(ACT, "")


def test_one_issue_per_cause_once_updated_and_closed_when_over_and_train_is_started_once(runner, github, hook):
    github.things["pulls"] += [{"number": 90 + n, "state": "open"} for n in range(3)]
    assert "fine" in run(runner, history(0, 0, 0))
    assert (github.things["issues"], github.things["runs"], hook.received) == ([], [], [])

    said = run(runner, history(0, 0.2, 0.2))
    [issue] = github.things["issues"]
    assert issue["title"] == "Monitoring: worse (performance_drop above 0.02)"
    assert "**Since when.** Window `week 1`" in issue["body"]
    [started] = github.things["runs"]
    assert started["ref"] == "main"
    assert "Training started: train.yaml on main" in said
    [message] = hook.received
    assert (message["state"], message["retrain"], message["alarms"][0]["name"]) == ("act", True, "worse")
    assert "run of CI: https://github.test/o/r/actions/runs/77" in message["text"]

    run(runner, history(0, 0.2, 0.2))
    again = github.calls[:]
    said = run(runner, history(0, 0.2, 0.2))
    assert len(github.things["issues"]) == len(github.things["runs"]) == 1, "the cool-down holds the second one back"
    assert "No training is started: cool-down until" in github.things["issues"][0]["body"]
    assert {method for method, _ in github.calls[len(again) :]} == {"GET"}, "the same once more: nothing is written"

    run(runner, history(0.2, 0.2, 0.2, 0, 0, None))
    assert issue["state"] == "closed"
    [comment] = github.things["comments"]
    assert comment["body"] == "Over: window week 5 is within the threshold."
    everything = json.dumps([runner.said, github.things, hook.received])
    assert TOKEN not in everything
    assert "s3cretpath" not in everything
    assert github.tokens == {f"Bearer {TOKEN}"}


def test_a_new_window_that_tells_nothing_leaves_issues_as_they_are_and_fails(runner, github):
    run(runner, history(0, 0.2, 0.2))
    few = history(0, 0.2, 0.2, 0.2)
    few[-1] |= {"enough": False, "rows": 3, "notes": ["3 rows"]}
    said = run(runner, few, ok=False)
    assert "cannot tell" in said
    assert (runner.failed, github.things["issues"][0]["state"]) == (ACT, "open")
    assert len(github.things["runs"]) == 1


def test_while_the_log_is_away_nothing_is_told_and_nothing_is_closed(runner, github, hook):
    run(runner, history(0, 0.2, 0.2))
    calls, sent = len(github.calls), len(hook.received)
    run(runner, None, ok=False)
    assert runner.failed == MEASURE
    assert (len(github.calls), len(hook.received)) == (calls, sent)
    assert runner.artefacts["monitor"] == {"reports/monitoring/history.json"}


def test_missing_values_are_an_issue_and_no_reason_to_train(runner, github):
    run(runner, history(0, 0, 0, drift={"missing_rise": 0.4, "moved": ["wind"]}))
    [issue] = github.things["issues"]
    assert "Do not train again before it is repaired" in issue["body"]
    assert github.things["runs"] == []


def test_the_command_exits_with_what_it_says(project, tmp_path):
    file = project.path / "reports" / "monitoring" / "history.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    for records, code, word in (
        (history(0, 0, 0), 0, "fine"),
        (history(0, 0.2, 0.2), 1, "act"),
        ([], 2, "no window has been measured yet"),
    ):
        file.write_text(json.dumps({"windows": records}))
        done = project.run("stagebook", "monitor", ok=None)
        assert (done.returncode, word in done.stdout) == (code, True), done.stdout + done.stderr
    demanded = project.run("stagebook", "monitor", "--demand", "--notify", ok=None)
    assert demanded.returncode == 1
    assert "NOTIFY_URL is not set: nobody is notified." in demanded.stdout
    file.write_text("{}")
    broken = project.run("stagebook", "monitor", ok=None)
    assert broken.returncode == 2
    assert re.match(r"ERROR: .*history\.json is no history of windows", broken.stderr)
    file.unlink()
    text = project.read("docs/monitoring.yaml")
    project.edit("docs/monitoring.yaml", {"alarm: 2": "alarm: many"})
    wrong = project.run("stagebook", "monitor", ok=None)
    (project.path / "docs" / "monitoring.yaml").write_text(text)
    assert (wrong.returncode, "windows.alarm is 'many'" in wrong.stderr) == (2, True)


def test_dashboards_are_written_where_one_asks_for_them(project, tmp_path):
    done = project.run("stagebook", "dashboards", str(tmp_path / "new"))
    assert [line.rpartition("/")[2] for line in done.stdout.split()] == ["dashboard.json", "rules.yaml", "scrape.yaml"]
