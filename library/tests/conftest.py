"""Shared by all tests of the library: nothing of the machine's own settings reaches them."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # samples.py and collector.py, which tests import

# MLflow's and DVC's servers, a warm process's settings, the CI's own variables: a test sets what it is about.
OURS = ("MLFLOW_", "DVC_", "NOTEBOOK_", "OPENLINEAGE_")


@pytest.fixture(autouse=True, scope="session")
def quiet_environment():
    """Take the variables out that would send runs or events elsewhere, and draw without a screen."""
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith(OURS)]:
        patch.delenv(name)
    patch.setenv("MPLBACKEND", "agg")
    yield
    patch.undo()
