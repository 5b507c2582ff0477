"""The examples of the page about noise and data are true."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "noise-and-data.md"


def test_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = doctest.testfile(
        str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS
    )
    assert done.attempted > 15 and done.failed == 0
