"""The accuracy benchmark measures what it says, and goes on where it stopped."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from reference import exact
from scipy import stats

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    """Let tests import the benchmarks' modules."""
    monkeypatch.syspath_prepend(BENCHMARKS)


class Normal:
    """A committee that knows N(slope d, sd^2) to be the posterior."""

    def __init__(self, slope, sd):
        self.slope, self.sd = slope, sd

    def posterior(self, data):
        return NormalPosterior(self, data)


class NormalPosterior:
    def __init__(self, one, data):
        self.mean, self.sd = one.slope * data[:, 0], one.sd

    def sample(self, size, seed):
        z = np.random.default_rng(seed).standard_normal((len(self.mean), size))
        return self.mean[:, np.newaxis] + self.sd * z

    def logpdf(self, x):
        return stats.norm.logpdf(x, self.mean[:, np.newaxis], self.sd)


def test_coverage_sees_a_posterior_that_is_too_narrow():
    import accuracy_exact

    rng = np.random.default_rng(0)
    models = rng.standard_normal(2000)
    data = (models + rng.standard_normal(2000))[:, np.newaxis]
    right = accuracy_exact.coverage(Normal(0.5, np.sqrt(0.5)), data, models)
    narrow = accuracy_exact.coverage(Normal(0.5, 0.8 * np.sqrt(0.5)), data, models)
    # binomial sd 0.007, and 200 samples for each region
    assert abs(right - 0.9) < 0.025
    assert abs(narrow - (2 * stats.norm.cdf(0.8 * 1.645) - 1)) < 0.03


def test_the_distance_problem_has_its_published_posterior():
    import accuracy_exact

    grid = accuracy_exact.MODELS
    for observed in (0.0, 0.7):
        expected = exact.distance_marginal(grid, observed, 2)
        found = accuracy_exact.distance_posterior(observed)
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("task", ["two_moons", "gaussian_mixture"])
def test_simulators_have_their_moments(task):
    import accuracy_simulators

    simulator = accuracy_simulators.TASKS[task][0]
    n = 200_000
    models = np.tile([0.3, -0.1], (n, 1))
    data = simulator(models, np.random.default_rng(0))
    if task == "two_moons":
        # E[r cos a] = 0.1 * 2/pi
        mean = [0.2 / np.pi + 0.25 - 0.2 / np.sqrt(2), -0.4 / np.sqrt(2)]
    else:
        mean = [0.3, -0.1]
        assert np.cov(data.T)[0, 0] == pytest.approx(0.505, rel=0.02)
        near = np.linalg.norm(data - mean, axis=1) < 0.1  # 0.5 (1 - e^-1/2) and a few
        assert near.mean() == pytest.approx(
            0.5 * (1 - np.exp(-0.5)) + 0.0025, abs=0.005
        )
    np.testing.assert_allclose(data.mean(axis=0), mean, atol=0.01)


def test_c2st_is_one_half_for_the_same_and_more_for_another():
    pytest.importorskip("sklearn")
    from accuracy_simulators import c2st

    rng = np.random.default_rng(0)
    one, same, other = (
        rng.standard_normal((3, 1000, 2))
        + np.array([0, 0, 1])[:, np.newaxis, np.newaxis]
    )
    assert abs(c2st(one, same) - 0.5) < 0.05  # sd 0.011, overfitting aside
    # two Gaussians sqrt(2) apart: Phi(sqrt(2)/2)
    assert abs(c2st(one, other) - stats.norm.cdf(np.sqrt(0.5))) < 0.04


def test_the_table_is_resumable(tmp_path):
    path = tmp_path / "accuracy.jsonl"
    command = [sys.executable, BENCHMARKS / "accuracy.py", "--quick"]
    command += ["--only", "robust", "--results", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (row,) = map(json.loads, path.read_text().splitlines())
    assert row["case"] == ["robust", "shuffled", 500, 0]
    # no information: 25 parameters of the kernels cost 25/2n = 0.025 nats
    assert abs(row["found"]["gain over the prior"]) < 0.06
    assert row["found"]["information gain"] < 0.06
    before = path.read_text()
    again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert path.read_text() == before  # nothing was measured again
    assert again.stdout == done.stdout and "shuffled" in again.stdout


def test_a_mean_above_the_wanted_one_is_not_reached():
    import accuracy_report

    rows = [
        {"case": ["uci", "boston", k, k], "found": {"loss": loss}, "seconds": 1.0}
        for k, loss in enumerate([2.2, 2.5])
    ]
    (line,) = accuracy_report.uci(rows).splitlines()[2:]
    assert line.startswith("| boston | 2 | 2.350 | 0.150 | 2.3 | no | 2.4 |")
    rows[1]["found"]["loss"] = 2.3
    assert "| 2.3 | yes |" in accuracy_report.uci(rows)
