"""The warm process serves one step after the other, and an edit of the library starts another."""

import shutil
import time
from pathlib import Path

import pytest
import stagebook

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the library that may be edited, found before the installed one."""
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(Path(stagebook.__file__).parent, folder / "stagebook", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(sample, copy, **more):
    result = sample.stagebook("run", "notebooks/10_count.ipynb", PYTHONPATH=str(copy), **more)
    assert result.returncode == 0, result.stderr
    assert "No warm process" not in result.stderr
    return result.stdout


def warm_processes(copy):
    """The ids of the warm processes that run the copy."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"stagebook.step.warm.server" in words and f"PYTHONPATH={copy}".encode() in variables:
            found.append(int(process.name))
    return found


def test_an_edit_of_the_library_starts_another_warm_process(sample, copy):
    run(sample, copy)
    [first] = warm_processes(copy)
    run(sample, copy)
    assert warm_processes(copy) == [first], "the second step is a fork of the same process"
    runner = copy / "stagebook" / "step" / "run.py"
    runner.write_text(runner.read_text().replace(": done in", ": edited, done in"))
    assert "count: edited, done in" in run(sample, copy)
    [second] = warm_processes(copy)
    assert second != first


def test_it_works_with_a_tmpdir_that_is_too_long_for_sockets(sample, copy, tmp_path):
    folder = tmp_path / ("t" * 107)
    folder.mkdir()
    for engine in ("warm", "kernel"):
        result = sample.stagebook(
            "run",
            "notebooks/10_count.ipynb",
            PYTHONPATH=str(copy),
            TMPDIR=str(folder),
            XDG_RUNTIME_DIR="",
            NOTEBOOK_ENGINE=engine,
        )
        assert result.returncode == 0, result.stderr
        assert "No warm process" not in result.stderr


def test_stop_ends_it(sample, copy):
    assert len(warm_processes(copy)) == 1
    assert sample.stagebook("stop", PYTHONPATH=str(copy)).returncode == 0
    end = time.monotonic() + 60
    while warm_processes(copy):  # it looks every few seconds whether it is still wanted
        assert time.monotonic() < end
        time.sleep(0.2)
