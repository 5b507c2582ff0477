"""Designs: how evenly models fill the space, and how runs are extended."""

import math
import warnings

import numpy as np
import pytest
from fmdn import (
    GivenModels,
    LogUniform,
    MultivariateNormal,
    Normal,
    Prior,
    TruncatedNormal,
    Uniform,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

COVARIANCE = [[4, 1, 0], [1, 9, -2], [0, -2, 1]]
PRIOR = Prior(
    {
        "depth": TruncatedNormal(10, 4, low=0),
        ("x", "y", "z"): MultivariateNormal([1, 2, 3], COVARIANCE),
    },
    size=LogUniform(1, 30),
    rate=stats.gamma(3),
)
EVEN = ("sobol", "latin_hypercube")


@given(
    first=st.integers(0, 600),
    n=st.integers(0, 600),
    seed=st.integers(0, 2**70),
    design=st.sampled_from(["random", "sobol"]),
)
@settings(max_examples=60, deadline=None)
def test_parts_make_up_the_whole(first, n, seed, design):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scipy's, about powers of two
        whole = PRIOR.sample(first + n, seed, design=design)
        parts = [
            PRIOR.sample(first, seed, design=design),
            PRIOR.sample(n, seed, start=first, design=design),
        ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("design", EVEN)
@pytest.mark.parametrize("n", [1, 64, 2048])
def test_every_slice_has_its_sample(design, n):
    """Of n intervals of equal probability each holds one, for each parameter."""
    models = PRIOR.sample(n, seed=5, design=design)
    for column, name in zip(models.T, PRIOR, strict=True):
        if name in ("y", "z"):  # sums of several uniform numbers
            continue
        intervals = np.floor(PRIOR[name].cdf(column) * n).astype(int)
        np.testing.assert_array_equal(np.sort(intervals), np.arange(n))


def test_a_sobol_sequence_fills_boxes():
    """Any 2**12 points: as many in each of the 64 cells of a plane, give or take."""
    prior = Prior(**{f"m{j}": Uniform(0, 1) for j in range(6)})
    models = prior.sample(4096, seed=3, start=4096, design="sobol")
    for j in range(5):
        counts, *_ = np.histogram2d(models[:, j], models[:, j + 1], 8, [[0, 1]] * 2)
        assert np.abs(counts - 64).max() <= 4  # at random: sd 8


@pytest.mark.parametrize("design", EVEN)
def test_integrals_are_better_than_random(design):
    """Root-mean-square errors of means over 20 seeds."""
    n, seeds = 1024, range(20)
    exact = np.array([PRIOR[name].mean() for name in PRIOR])
    sd = np.array([PRIOR[name].std() for name in PRIOR])
    means = [PRIOR.sample(n, s, design=design).mean(axis=0) for s in seeds]
    error = np.sqrt(np.mean((np.array(means) - exact) ** 2, axis=0))
    assert (error < 0.2 * sd / math.sqrt(n)).all()


def test_a_sobol_sequence_integrates_what_does_not_separate():
    n, seeds = 4096, range(10)
    prior = Prior(**{f"m{j}": Normal(0, 1) for j in range(4)})
    exact = math.exp(-2)  # the mean of cos(m1 + m2 + m3 + m4)
    error = {}
    for design in ("random", "sobol"):
        draws = (prior.sample(n, seed, design=design) for seed in seeds)
        means = [np.cos(models.sum(axis=1)).mean() for models in draws]
        error[design] = np.sqrt(np.mean((np.array(means) - exact) ** 2))
    assert error["sobol"] < 0.3 * error["random"]


@pytest.mark.parametrize("design", EVEN)
def test_draws_follow_the_distribution(design):
    models = PRIOR.sample(4096, seed=2, design=design)
    for column, name in zip(models.T, PRIOR, strict=True):
        # nearer than random draws ever are, but for sums of several numbers
        limit = 1.95 if name in ("y", "z") else 0.5
        distance = stats.kstest(column, PRIOR[name].cdf).statistic
        assert distance < limit / math.sqrt(len(models))
    found = np.corrcoef(models[:, 1:4].T)
    sd = np.sqrt(np.diag(COVARIANCE))
    expected = COVARIANCE / np.outer(sd, sd)
    np.testing.assert_allclose(found, expected, atol=4 / math.sqrt(4096))


def test_a_sobol_sequence_keeps_off_the_faces():
    """A point on a face would be infinite for a Gaussian: all are middles of cells."""
    points = Prior(u=Uniform(0, 1)).sample(1000, seed=1, design="sobol")
    assert (np.mod(points * 2**32, 1) == 0.5).all()


@pytest.mark.parametrize("design", EVEN)
def test_seeds_differ_and_repeat(design):
    one = PRIOR.sample(16, seed=1, design=design)
    np.testing.assert_array_equal(PRIOR.sample(16, seed=1, design=design), one)
    assert not (PRIOR.sample(16, seed=2, design=design) == one).any()
    assert PRIOR.sample(0, design=design).shape == (0, 6)


def test_refusals():
    with pytest.raises(ValueError, match="design must be one of random, sobol, latin"):
        PRIOR.sample(4, design="halton")
    with pytest.raises(ValueError, match="fixed n and cannot be extended.*got 4"):
        PRIOR.sample(4, start=4, design="latin_hypercube")
    given = Prior({("a", "b"): GivenModels(np.eye(2))}, c=Normal(0, 1))
    with pytest.raises(ValueError, match=r"'sobol' needs.*\('a', 'b'\) is drawn by"):
        given.sample(2, design="sobol")
