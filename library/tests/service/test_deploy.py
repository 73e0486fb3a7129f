"""The same artefact goes from staging to production and back; if a step fails, what ran before still answers."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace

import httpx
import psutil
import pytest
from serving import EXAMPLE, fill_registry, free_port, wait_for, write_service
from stagebook.deliver.artefact import read_artefact
from stagebook.deliver.smoke import SmokeError, run_smoke_test, wait_until_ready
from stagebook.project.errors import StepError
from stagebook.registry.history import append, history

pytestmark = pytest.mark.slow
FILE = "docs/environments.yaml"
YAML = """
environments:
  staging:
    address: http://127.0.0.1:{staging}
  production:
    address: http://127.0.0.1:{production}
    needs: staging
"""


class Delivery:
    """A project with a registry, in which the commands of delivery run as a user's do."""

    def __init__(self, folder):
        self.root = write_service(folder / "tiny")
        self.ports = {"staging": free_port(), "production": free_port()}
        (self.root / "docs").mkdir()
        (self.root / FILE).write_text(YAML.format(**self.ports), encoding="utf-8")
        self.environment = {**os.environ, "MLFLOW_TRACKING_URI": fill_registry(folder / "registry")}
        self.promoted = 0

    def promote(self, version, kind="promote"):
        assert append("tiny", kind, version, f"version {version} is better", after=self.promoted, metrics={})
        self.promoted += 1

    def call(self, *words, ok=True, **more):
        """Run `stagebook`; return what it printed."""
        command = [sys.executable, "-m", "stagebook", *words]
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            stdin=subprocess.DEVNULL,
        )
        said = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, said
        assert "Traceback" not in said, said
        return said

    def start(self, *words):
        command = [sys.executable, "-m", "stagebook", *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        return subprocess.Popen(command, cwd=self.root, env=self.environment, **quiet)

    def ask(self, name):
        """Return which version and artefact answer a request in an environment."""
        base = f"http://127.0.0.1:{self.ports[name]}"
        answer = httpx.post(f"{base}/predict", json={"rows": [EXAMPLE]}, timeout=30, trust_env=False).json()
        return answer["version"], httpx.get(f"{base}/ready", trust_env=False).json()["artefact"]

    def folder(self, name):
        return self.root / ".local" / "environments" / name

    def log(self, name):
        return history("tiny", f"deployments-{name}")

    def stop(self):
        for name in self.ports:
            self.call("deploy", "--to", name, "--stop")


@pytest.fixture
def delivery(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTOR", "somebody")
    delivery = Delivery(tmp_path)
    yield delivery
    delivery.stop()


def test_the_same_artefact_goes_to_staging_to_production_and_back(delivery):
    delivery.promote(1)
    said = delivery.call("deploy", "--to", "production", ok=False)
    assert "production needs what passed the smoke test in staging; nothing did" in said
    said = delivery.call("deploy", "--to", "staging", "--why", "first")
    assert re.search(
        r"staging: tiny version 1 \(artefact [0-9a-f]{12}\) answers on http://127.0.0.1:\d+; smoke test passed: 5 rows",
        said,
    )
    assert "is there already" in delivery.call("deploy", "--to", "staging")
    delivery.call("deploy", "--to", "production")
    assert delivery.ask("staging") == delivery.ask("production")
    first = delivery.ask("production")
    assert first[0] == "1"

    delivery.promote(2)
    said = delivery.call("deploy", "--to", "production", ok=False)
    assert f"there is {first[1][:12]} (version 1" in said and "version 2 (artefact" in said
    delivery.call("deploy", "--to", "staging")
    assert delivery.ask("production") == first, "staging changes nothing in production"
    delivery.call("deploy", "--to", "production", "--why", "second")
    second = delivery.ask("production")
    assert second[0] == "2" and second == delivery.ask("staging")

    said = delivery.call("deploy", "--rollback", ok=False)
    assert "There must be a reason" in said
    said = delivery.call("deploy", "--rollback", "--why", "too many alarms")
    assert said.startswith("production: back to tiny version 1")
    assert delivery.ask("production") == first and delivery.ask("staging") == second
    said = delivery.call("deploy", "--rollback", "--why", "once more", ok=False)
    assert "production: there is nothing to go back to; nothing was deployed before" in said
    assert delivery.ask("production") == first

    entries = delivery.log("production")
    assert [(one.kind, one.version, one.why) for one in entries] == [
        ("deploy", 1, "champion: version 1 is better"),
        ("deploy", 2, "second"),
        ("rollback", 1, "too many alarms"),
    ]
    assert [one.metrics["artefact"] for one in entries] == [first[1], second[1], first[1]]
    assert entries[0].metrics["smoke"]["rows"] == 5
    listed = delivery.call("environments")
    assert re.search(r"^production +http://127.0.0.1:\d+ +version 1, artefact \w{12}, rollback ", listed, re.MULTILINE)
    assert "does not run" not in listed


@pytest.fixture
def deployed(delivery):
    """Version 1 runs in staging; version 2 is champion."""
    delivery.promote(1)
    delivery.call("deploy", "--to", "staging", "--why", "first")
    delivery.promote(2)
    return delivery


def started(folder):
    """Return the digest of the service that was started last; empty while there is none."""
    try:
        return json.loads((folder / "service.json").read_text())["digest"]
    except OSError:
        return ""


def processes_in(folder):
    """Return the services that run releases of an environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(folder)) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.full
def test_what_fails_leaves_the_old_one(deployed, tmp_path):
    old = deployed.ask("staging")
    code = deployed.root / "code" / "tiny" / "request.py"
    good = code.read_text()
    code.write_text("def prepare(rows, contract, join):\n    raise KeyError('speed')\n")
    said = deployed.call("deploy", "--to", "staging", ok=False)
    assert "the service ended (1)" in said and "speed" in said
    assert deployed.ask("staging") == old
    code.write_text(good)

    key = {"STAGING_KEY": ""}
    environments = deployed.root / FILE
    plain = environments.read_text()
    environments.write_text(plain.replace("  production:", "    api_key: STAGING_KEY\n  production:"))
    said = deployed.call("deploy", "--to", "staging", ok=False, **key)
    assert "staging needs the environment variable STAGING_KEY, which is not set" in said
    environments.write_text(plain.replace("  production:", "    stores: {prediction_log: LOG}\n  production:"))
    url = "postgresql+nothing://user:s3cret@db/log"
    said = deployed.call("deploy", "--to", "staging", ok=False, LOG=url)
    assert "the service ended" in said and "s3cret" not in said
    environments.write_text(plain)

    assert deployed.ask("staging") == old, "still version 1"
    assert [entry.version for entry in deployed.log("staging")] == [1]
    assert len(processes_in(deployed.folder("staging"))) == 1
    assert deployed.call("deploy", "--to", "staging").startswith("staging: tiny version 2")


def test_a_smoke_test_compares_answers(deployed, tmp_path):
    [release] = (deployed.folder("staging") / "releases").iterdir()
    address = f"http://127.0.0.1:{deployed.ports['staging']}"
    artefact = read_artefact(release)
    assert run_smoke_test(address, artefact)["rows"] == 5
    other = tmp_path / "other"
    shutil.copytree(release, other)
    vector = json.loads((other / "vector.json").read_text())
    vector["answers"][2]["probability"] += 0.01
    (other / "vector.json").write_text(json.dumps(vector))
    with pytest.raises(SmokeError, match=r"row 2 of the test vector has probability 0\.\d+; the champion gives"):
        run_smoke_test(address, read_artefact(other))
    with pytest.raises(SmokeError, match=r"is not ready after 1 s: artefact \w{12} answers, not 000000000000"):
        wait_until_ready(address, replace(artefact, digest="0" * 64), seconds=1)
    with pytest.raises(SmokeError, match=r"nothing answers|no answer that can be read"):
        wait_until_ready(f"http://127.0.0.1:{free_port()}", artefact, seconds=1)
    (other / "code" / "tiny" / "request.py").write_text("edited")
    with pytest.raises(StepError, match="files were changed after the artefact"):
        read_artefact(other)


@pytest.mark.full
def test_one_deployment_at_a_time_and_one_that_is_killed_is_undone(deployed):
    old, folder = deployed.ask("staging"), deployed.folder("staging")
    first = deployed.start("deploy", "--to", "staging")
    wait_for(lambda: (folder / "candidate.json").exists(), 240)
    first.send_signal(signal.SIGSTOP)  # so that it stays there
    said = deployed.call("deploy", "--to", "staging", ok=False)
    assert "another deployment to staging is under way" in said
    first.kill()
    first.wait()
    assert deployed.ask("staging") == old, "killed while the new one was tried out"

    second = deployed.start("deploy", "--to", "staging")
    wait_for(lambda: (folder / "next.json").exists(), 240)
    second.kill()
    second.wait()
    assert old[1] == started(folder) and deployed.ask("staging"), "killed while the new one starts beside the old one"

    third = deployed.start("deploy", "--to", "staging")
    wait_for(lambda: started(folder) not in ("", old[1]), 240)
    third.kill()
    third.wait()
    recorded = [entry.version for entry in deployed.log("staging")]
    said = deployed.call("deploy", "--rollback", "--to", "staging", "--why", "look", ok=recorded == [1, 2])
    if recorded == [1]:  # killed after the exchange, before it was recorded
        assert f"staging: {old[1][:12]}, the last that was recorded, is started again" in said
        assert "there is nothing to go back to" in said
    assert deployed.ask("staging") == old
    assert len(processes_in(folder)) == 1, "nothing else is left running"
    deployed.call("deploy", "--to", "staging")
    assert deployed.ask("staging")[0] == "2"
    assert not list((folder / "releases").glob(".partial-*"))


@pytest.mark.full
def test_a_port_that_is_taken_and_a_full_disk(delivery, tmp_path):
    delivery.promote(1)
    said = delivery.call("deploy", "--rollback", "--to", "staging", "--why", "x", ok=False)
    assert "there is nothing to go back to; nothing was ever deployed" in said
    with socket.create_server(("127.0.0.1", delivery.ports["staging"])):
        said = delivery.call("deploy", "--to", "staging", ok=False)
    assert f"port {delivery.ports['staging']} of staging is taken by another program" in said
    assert delivery.log("staging") == [] and processes_in(delivery.folder("staging")) == []
    delivery.call("deploy", "--to", "staging")
    assert delivery.ask("staging")[0] == "1"


@pytest.mark.skipif(os.system("unshare --mount --map-root-user true") != 0, reason="no small disk can be mounted here")
def test_a_full_disk_leaves_the_old_one(deployed):
    old, releases = deployed.ask("staging"), deployed.folder("staging") / "releases"
    (deployed.root / "code" / "tiny" / "large.py").write_text("# " + "x" * 1_000_000)
    mounted = f"mount -t tmpfs -o size=500k none {releases} && {sys.executable} -m stagebook deploy --to staging"
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", mounted],
        cwd=deployed.root,
        env=deployed.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "staging: nothing was deployed" in done.stderr and "No space left on device" in done.stderr
    assert deployed.ask("staging") == old
    assert [path.name for path in releases.iterdir()] == [old[1]]


@pytest.mark.full
def test_who_must_agree_and_a_command_that_deploys_elsewhere(deployed, tmp_path):
    """The command stands for kubectl: it runs the service of the artefact that it is given."""
    script = tmp_path / "put.py"
    script.write_text(PUT)
    port, text = deployed.ports["production"], (deployed.root / FILE).read_text()
    command = json.dumps([sys.executable, str(script), str(port), str(tmp_path / "pid")])
    text += f"    approvers: [anna, somebody]\n    command: {command}\n"
    (deployed.root / FILE).write_text(text)
    said = deployed.call("deploy", "--to", "staging")
    for words, message in (
        ((), "production: one of anna, somebody must agree, and nobody did: --approved-by NAME"),
        (("--approved-by", "otto"), "'otto' is none of them"),
        (("--approved-by", "somebody"), "somebody deploys, so another of anna, somebody must agree"),
    ):
        assert message in deployed.call("deploy", "--to", "production", *words, ok=False)
    try:
        said = deployed.call("deploy", "--to", "production", "--approved-by", "anna", "--why", "for good")
        assert "production: tiny version 2" in said and "smoke test passed: 5 rows" in said
        assert deployed.ask("production") == deployed.ask("staging")
        [entry] = deployed.log("production")
        assert (entry.metrics["approved_by"], entry.why) == ("anna", "for good")
        said = deployed.call("deploy", "--to", "production", "--stop", ok=False)
        assert "is run by its `command`" in said
    finally:
        psutil.Process(int((tmp_path / "pid").read_text())).terminate()
    (deployed.root / FILE).write_text(YAML.format(**deployed.ports))


PUT = """
import os, subprocess, sys
folder, (port, pid) = os.environ["DEPLOY_FOLDER"], sys.argv[1:]
told = {"PYTHONPATH": f"{folder}/library", "STAGEBOOK_ARTEFACT": os.environ["DEPLOY_DIGEST"]}
command = [sys.executable, "-m", "stagebook", "serve", "--port", port, "--model", "model", "--no-log"]
out = open(f"{pid}.log", "ab")
process = subprocess.Popen(command, cwd=folder, env=os.environ | told, stdout=out, stderr=out, start_new_session=True)
open(pid, "w").write(str(process.pid))
"""
