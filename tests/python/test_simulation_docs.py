"""The examples of the page about simulation, and of the docstrings, are true."""

import doctest
from pathlib import Path

import fmdn
import numpy as np
from fmdn import program

PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"


def test_page():
    done = doctest.testfile(str(PAGE), module_relative=False)
    assert done.attempted > 12 and done.failed == 0


def test_docstrings():
    names = {"Program": fmdn.Program, "np": np}
    done = doctest.testmod(program, extraglobs=names)
    assert done.attempted > 0 and done.failed == 0
