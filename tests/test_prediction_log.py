"""The prediction log on PostgreSQL: the library's own tests of it, with another database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full
LIBRARY = Path(__file__).parents[1] / "library" / "tests" / "unit"


def test_the_log_on_postgresql(postgres):
    tests = [LIBRARY / "test_prediction_log.py", LIBRARY / "test_outcomes.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    found = subprocess.run(
        command, env=os.environ | {"TEST_LOG_URL": postgres.url}, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout
