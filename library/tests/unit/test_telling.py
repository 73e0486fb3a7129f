"""Who is told of trainings, refusals, deployments and rollbacks: a webhook, if one is named, and never at the price of the deed."""

import json
from contextlib import contextmanager

import pytest
from collector import Collector
from stagebook.cli import delivery, models, telling
from stagebook.cli.telling import tell, tell_verdict

PASSED = {"model": "m", "version": 2, "alias": "champion", "refused": [], "points": [{"passed": True, "message": "ok"}]}
REFUSED = PASSED | {
    "refused": ["gain 0.1 is below 0.2"],
    "points": [{"passed": False, "message": "gain 0.1 is below 0.2"}],
}


@pytest.fixture
def hook(monkeypatch):
    with Collector() as hook:
        monkeypatch.setenv("NOTIFY_URL", hook.url)
        yield hook


def write(root, decision):
    (root / "reports").mkdir(exist_ok=True)
    (root / "reports" / "registration.json").write_text(json.dumps(decision))
    return root


def test_a_training_and_a_refusal_are_two_messages(hook, tmp_path):
    tell_verdict(write(tmp_path, PASSED), "Training finished")
    tell_verdict(write(tmp_path, REFUSED), "Training finished")
    tell_verdict(write(tmp_path, REFUSED))
    tell_verdict(write(tmp_path, PASSED))
    assert [one["event"] for one in hook.events()] == [
        "training finished",
        "training finished",
        "gate refused",
        "gate refused",
    ]
    assert hook.events()[0]["text"] == "it passed the gate and is champion"
    assert hook.events()[2]["title"] == "The gate refused m version 2"
    assert hook.events()[2]["text"] == "gain 0.1 is below 0.2"


def test_without_an_address_or_a_report_nobody_is_told(hook, tmp_path, monkeypatch):
    tell_verdict(tmp_path, "Training finished")
    monkeypatch.delenv("NOTIFY_URL")
    tell("t", "x")
    assert hook.events() == []


def test_a_webhook_that_is_away_is_a_warning_without_its_address(monkeypatch, capsys):
    monkeypatch.setenv("NOTIFY_URL", "http://127.0.0.1:9/s3cret")
    monkeypatch.setattr("stagebook.automate.notify.PAUSE", 0)
    tell("t", "x")
    said = capsys.readouterr().err
    assert said.startswith("WARNING: nobody was told: the webhook at 127.0.0.1") and "s3cret" not in said


def test_deployments_and_rollbacks_are_told_with_their_reason(hook, tmp_path, monkeypatch, capsys):
    @contextmanager
    def registry():
        yield "m"

    monkeypatch.setattr(delivery, "_registry", registry)
    monkeypatch.setattr(models, "_registry", registry)
    monkeypatch.setattr(delivery, "find_root", lambda: tmp_path)
    monkeypatch.setattr("stagebook.deliver.deploy.deploy", lambda *_: "staging: m version 2 answers.")
    monkeypatch.setattr("stagebook.deliver.deploy.roll_back", lambda *_: "staging: back to m version 1.")
    monkeypatch.setattr("stagebook.registry.life_cycle.rollback", lambda *_: [type("Entry", (), {"version": 1})])
    delivery.deploy("staging", "better", "", rollback=False, stop=False)
    delivery.deploy("staging", "worse", "", rollback=True, stop=False)
    models.rollback("worse")
    assert [(one["event"], one["text"]) for one in hook.events()] == [
        ("deployment", "staging: m version 2 answers. Why: better"),
        ("rollback", "staging: back to m version 1. Why: worse"),
        ("rollback", "m: version 1 is champion again. Why: worse"),
    ]
    assert "m: version 1 is champion again." in capsys.readouterr().out
    assert telling.tell is delivery.tell
