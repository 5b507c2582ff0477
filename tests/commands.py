"""Running mdn_train and mdn_apply, the native programs and those of the package."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BUILD = Path(__file__).parents[1] / "build" / "release"
NATIVE = Path(os.environ.get("FMDN_PROGRAMS", BUILD))
SMALL = ["-n2", "-l3", "-u6", "-j1", "-k3", "-t15"]  # trained in a moment


def command(kind, program):
    """Give the words that start a program: of kind "native" or "python"."""
    if kind == "python":
        start = f"import sys; from fmdn.cli import {program}; sys.exit({program}())"
        return [sys.executable, "-c", start]
    if not (NATIVE / program).exists():
        pytest.skip(f"no {NATIVE / program}: meson compile -C build/release")
    return [NATIVE / program]


def runner(kind, folder):
    """Give a function that runs programs of that kind in a folder."""

    def run(program, *words, ok=True):
        done = subprocess.run(
            [*command(kind, program), *map(str, words)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == (0 if ok else 2), done.stderr
        return done

    return run


def table(text):
    """Numbers of lines that a program wrote."""
    return np.array([[float(x) for x in line.split()] for line in text.splitlines()])
