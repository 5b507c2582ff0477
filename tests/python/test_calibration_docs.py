"""The examples of the page about calibration are true."""

import doctest
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"


def test_page():
    pytest.importorskip("matplotlib").use("Agg")
    done = doctest.testfile(str(PAGE), module_relative=False)
    assert done.attempted > 25 and done.failed == 0
