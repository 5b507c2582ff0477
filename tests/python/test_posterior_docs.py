"""The examples of the page about posteriors are true."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "posterior.md"


def test_page():
    done = doctest.testfile(str(PAGE), module_relative=False)
    assert done.attempted > 15 and done.failed == 0
