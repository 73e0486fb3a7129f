"""Shared by all tests: where the project is."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return Path(__file__).resolve().parents[1]
