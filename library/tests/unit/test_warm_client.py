"""Who asks the warm process for a step asks again only if somebody wants the step, and for one with the same limits."""

import resource
import socket

import pytest
from samples import write_project
from stagebook.project.root import exit_code
from stagebook.step.warm import client

LIMIT = 10**12


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Connections to a warm process that is killed before it starts the step."""
    connections = []

    def connect(*_):
        ours, theirs = socket.socketpair()
        theirs.close()
        connections.append(ours)
        return ours

    monkeypatch.setattr(client, "_connect", connect)
    yield connections
    for connection in connections:
        connection.close()


def ask(tmp_path):
    client._ask(write_project(tmp_path), {"fingerprint": ""})


def test_a_warm_process_that_ends_is_asked_for_again(asked, tmp_path):
    with pytest.raises(client.WarmProcessError, match="does not answer"):
        ask(tmp_path)
    assert len(asked) == 3


def test_without_the_dvc_that_asked_the_step_does_not_start_again(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train")
    with pytest.raises(client.OrphanError, match="DVC was killed; the step did not run"):
        ask(tmp_path)
    assert len(asked) == 1


@pytest.mark.parametrize("kind", [resource.RLIMIT_AS, resource.RLIMIT_FSIZE])
def test_other_limits_need_another_warm_process(tmp_path, kind):
    root = write_project(tmp_path)
    before = client._fingerprint(root)
    assert client._fingerprint(root) == before
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (LIMIT, hard))
    try:
        assert client._fingerprint(root) != before
    finally:
        resource.setrlimit(kind, (soft, hard))


def test_out_of_memory_names_the_limit(capsys):
    def command():
        raise MemoryError

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    assert exit_code(command) == 1
    assert capsys.readouterr().err == "ERROR: out of memory.\n"
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, hard))
    try:
        assert exit_code(command) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert f"ERROR: out of memory (`ulimit -v` is {LIMIT // 1024} kB" in capsys.readouterr().err
