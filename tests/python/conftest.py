"""What the tests share: how much to test, and a problem to train on."""

import os
import subprocess
import sys

import numpy as np
import pytest
from fmdn import Committee


@pytest.fixture(scope="session")
def scale():
    """Say how many times the usual number of samples to take: FMDN_TEST_SCALE, or 1."""
    return float(os.environ.get("FMDN_TEST_SCALE", 1))


@pytest.fixture(scope="session")
def times(scale):
    """Give the part of a full number of repetitions that is due: all at scale 10."""
    return lambda full: max(1, round(full * scale / 10))


@pytest.fixture(scope="session")
def seed():
    """Give the first of the seeds that tests count up from: FMDN_TEST_SEED, or 0."""
    return int(os.environ.get("FMDN_TEST_SEED", 0))


@pytest.fixture(scope="session")
def rows():
    """Inputs (300, 3) and targets (300, 2) that depend on them, with noise."""
    rng = np.random.default_rng(7)
    inputs = rng.normal(size=(300, 3)) * [1, 10, 0.01]
    targets = np.column_stack([np.sin(inputs[:, 0]), 1e3 + inputs[:, 1]])
    return inputs, targets + 0.2 * rng.normal(size=targets.shape)


@pytest.fixture(scope="session")
def quick():
    """Settings of a committee that trains in a moment."""
    return {"n_members": 3, "hidden": (3, 6), "kernels": (1, 3), "max_iter": 30}


@pytest.fixture(scope="session")
def committee(rows, quick):
    """Give a trained committee of two targets; tests leave it as it is."""
    return Committee(**quick, seed=3).fit(*rows, target_names=["wave", "depth"])


@pytest.fixture(scope="session")
def run_python():
    """Run a program in a Python of its own and give what it prints."""

    def run(program, *arguments, timeout=120, **environment):
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
