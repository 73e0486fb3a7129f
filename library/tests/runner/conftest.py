"""A copy of the sample project per test file; its steps run as a user's do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[1] / "sample_project"
BIN = str(Path(sys.executable).parent)


class SampleProject:
    """A copy of the sample project, in which commands run with the environment of a user."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("data", "reports"):
            (folder / name).mkdir()
        self.environment = dict(os.environ) | {"PATH": os.pathsep.join([BIN, os.environ["PATH"]])}
        self.environment.pop("MPLBACKEND", None)  # that of a step, not of these tests
        self.call("git", "init", "--quiet")

    def call(self, *words, **more):
        """Run a command; `more` are variables of its environment."""
        environment = self.environment | more
        return subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def stagebook(self, *words, **more):
        return self.call("stagebook", *words, **more)

    def repro(self, *options, **more):
        return self.call("dvc", "repro", *options, **more)

    def set(self, line):
        """Write another line in the section `count` of params.yaml."""
        (self.folder / "params.yaml").write_text(f"count:\n  {line}\ntabulate:\n  column: letters\n")

    def read(self, path):
        return (self.folder / path).read_text()


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample project, not yet run."""
    project = SampleProject(tmp_path_factory.mktemp("a project") / "sample")
    yield project
    project.stagebook("stop")
