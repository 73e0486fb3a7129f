"""Shared by all tests of the library: nothing of the machine's own settings reaches them."""

import os
import sys
from pathlib import Path

import pytest
from stagebook.project.branch import VARIABLES

sys.path.insert(0, str(Path(__file__).parent))  # samples.py and collector.py, which tests import

# MLflow's and DVC's servers, a warm process's settings, the CI's own variables: a test sets what it is about.
OURS = ("MLFLOW_", "DVC_", "NOTEBOOK_", "OPENLINEAGE_", *VARIABLES)


@pytest.fixture(autouse=True, scope="session")
def quiet_environment():
    """Take the variables out that would send runs or events elsewhere."""
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith(OURS)]:
        patch.delenv(name)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch):
    """Draw without a screen; forget the MLflow store and experiment of the test when it is over."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    yield
    if "mlflow.tracking.fluent" in sys.modules:
        sys.modules["mlflow"].set_tracking_uri(None)
        sys.modules["mlflow.tracking.fluent"]._active_experiment_id = None
