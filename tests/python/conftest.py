"""What the tests share."""

import os

import pytest


@pytest.fixture(scope="session")
def scale():
    """Say how many times the usual number of samples to take: FMDN_TEST_SCALE, or 1."""
    return float(os.environ.get("FMDN_TEST_SCALE", 1))
