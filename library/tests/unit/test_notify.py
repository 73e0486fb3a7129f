"""The webhook, against a local server: both forms, what is refused, and no secret in what is sent or said."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from stagebook.automate import notify as module
from stagebook.automate.notify import notify
from stagebook.project.errors import StepError


@pytest.fixture
def hook(monkeypatch):
    """A server that answers with the next status of `statuses`, then 200, and keeps the bodies."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            server.received.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(server.statuses.pop(0) if server.statuses else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.received, server.statuses = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("NOTIFY_URL", f"http://127.0.0.1:{server.server_port}/services/T0/s3cretpath")
    monkeypatch.delenv("NOTIFY_FORMAT", raising=False)
    monkeypatch.setattr(module, "PAUSE", 0.01)
    yield server
    server.shutdown()
    server.server_close()


def test_the_generic_form_has_title_text_and_facts(hook):
    notify("Monitoring: act", "AUC fell", state="act", alarms=[{"name": "worse"}])
    body = {"title": "Monitoring: act", "text": "AUC fell", "state": "act", "alarms": [{"name": "worse"}]}
    assert hook.received == [("/services/T0/s3cretpath", body)]


def test_slack_gets_one_text(hook, monkeypatch):
    monkeypatch.setenv("NOTIFY_FORMAT", "slack")
    notify("Monitoring: act", "AUC fell", state="act")
    assert hook.received[0][1] == {"text": "*Monitoring: act*\nAUC fell"}


def test_no_secret_and_no_endless_text_is_sent(hook):
    notify("https://me:s3cret@host/x", f"see https://h/y?sig=abc123 {'x' * 9000}")
    [(_, body)] = hook.received
    assert body["title"] == "https://me:***@host/x"
    assert "sig=***" in body["text"]
    assert len(body["text"]) < 3100


def test_a_server_out_of_order_is_asked_again_and_a_refusal_is_not(hook):
    hook.statuses = [503, 500]
    notify("t", "x")
    assert len(hook.received) == 3
    hook.statuses = [404]
    with pytest.raises(
        StepError, match=r"the webhook at 127.0.0.1 \(NOTIFY_URL\) did not take the message: 404"
    ) as error:
        notify("t", "x")
    assert "s3cretpath" not in str(error.value)
    assert len(hook.received) == 4
    hook.statuses = [302]
    with pytest.raises(StepError, match="302"):
        notify("t", "x")


def test_a_server_that_is_not_there_is_named_without_its_path(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0)
    monkeypatch.setenv("NOTIFY_URL", "http://127.0.0.1:9/s3cretpath")
    with pytest.raises(StepError, match=r"127.0.0.1 .* ConnectionError") as error:
        notify("t", "x")
    assert "s3cretpath" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "form", "message"),
    [
        ("", "", "NOTIFY_URL is not set"),
        ("ftp://x/y", "", "NOTIFY_URL is not set to a web address"),
        ("http://h/", "teams", "'teams'"),
    ],
)
def test_what_is_not_set_right_is_said(monkeypatch, url, form, message):
    monkeypatch.setenv("NOTIFY_URL", url)
    monkeypatch.setenv("NOTIFY_FORMAT", form)
    with pytest.raises(StepError, match=message):
        notify("t", "x")
