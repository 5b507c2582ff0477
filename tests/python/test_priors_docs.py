"""The examples of the page about priors, and of the docstrings, are true."""

import doctest
import importlib
from pathlib import Path

import fmdn
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "priors.md"


def test_page():
    done = doctest.testfile(str(PAGE), module_relative=False)
    assert done.attempted > 20 and done.failed == 0


@pytest.mark.parametrize("name", ["distributions", "joint", "parameter", "priors"])
def test_docstrings(name):
    module = importlib.import_module(f"fmdn.{name}")
    names = {public: getattr(fmdn, public) for public in fmdn.__all__}
    done = doctest.testmod(module, extraglobs=names)
    assert done.attempted > 0 and done.failed == 0
