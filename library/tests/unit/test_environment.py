"""Sockets get a short path in a folder that can be written, whichever TMPDIR is."""

import os
import tempfile
from pathlib import Path

import pytest
import zmq
from stagebook.project.errors import StepError
from stagebook.step.environment import socket_folder


@pytest.mark.parametrize("length", [20, 53, 54, 107, 250])
def test_a_socket_can_be_made_however_long_tmpdir_is(tmp_path, monkeypatch, length):
    folder = Path("/tmp", "t" * (length - len("/tmp/")))
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "missing"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    try:
        found = socket_folder()
        assert (found == folder) == (length <= 53)
        longest = found / f"notebook-steps-{2**32 - 1}" / f"{'0' * 16}.sock"
        assert len(os.fsencode(longest)) <= 103
        with (
            tempfile.TemporaryDirectory(dir=found) as sockets,
            zmq.Context() as context,
            context.socket(zmq.REP) as each,
        ):
            each.bind(f"ipc://{sockets}/kernel-5")
    finally:
        folder.rmdir()


def test_without_a_folder_for_sockets_the_fix_is_named(monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StepError, match="set TMPDIR to a writable folder"):
        socket_folder()
