"""Shared by all tests: where the project is, and what its pipeline has made."""

from pathlib import Path

import pytest
from stagebook.model.package import load_model
from stagebook.model.task import read_task


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def bring(root):
    """Return a function from a path in the project to the file; where it is not there, the test is skipped."""

    def bring(path: str) -> Path:
        if not (root / path).is_file():
            pytest.skip(f"no {path}: run `make pipeline` or `dvc pull`")
        return root / path

    return bring


@pytest.fixture(scope="session")
def candidate(bring, root):
    """What the candidate says of a table: a function."""
    bring("models/candidate/model.skops")
    task = read_task(bring("data/interim/task.json"))
    return load_model(root / "models" / "candidate", task)
