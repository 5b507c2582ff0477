"""Posteriors that are exactly right, or wrong by so much, and truths."""

import numpy as np
from fmdn import Mixture, MultivariateNormal, Prior
from fmdn.ranges import Ranges
from ranges import FREE, LOG_TRUNCATED, PROBIT
from reference import exact

N = 2000
NOISE = 0.5
SD = NOISE / np.hypot(1, NOISE)  # of the posterior
GAIN = 0.5 * np.log1p(1 / NOISE**2)  # mutual information, nats
FORWARD = np.array([[1.0, 1.0], [1.0, 0.9]])
PRIOR_COV = np.array([[1.0, 0.3], [0.3, 2.0]])
JOINT = Prior({("a", "b"): MultivariateNormal([0, 0], PRIOR_COV, units=("km", ""))})


def one_target(n, seed, width=1.0, shift=0.0, kernels=1):
    """Posteriors of m ~ N(0, 1) from m + noise, and the truths."""
    rng = np.random.default_rng(seed)
    truths = rng.standard_normal(n)
    observed = truths + NOISE * rng.standard_normal(n)
    means = observed / (1 + NOISE**2) + shift * SD
    shape = (n, kernels)
    return Mixture(
        np.full(shape, 1 / kernels),
        np.broadcast_to(means[:, np.newaxis, np.newaxis], (*shape, 1)),
        np.full((*shape, 1, 1), 1 / (width * SD)),
        single=False,
        one_target_axis=True,
        target_names=["m"],
    ), truths


def two_targets(n, seed, correlation=1.0):
    """Joint posteriors, their correlation multiplied by a number, and the truths."""
    rng = np.random.default_rng(seed)
    truths = rng.multivariate_normal([0, 0], PRIOR_COV, n)
    noise = np.array([0.5, 0.6])
    observed = truths @ FORWARD.T + noise * rng.standard_normal((n, 2))
    mean, cov = exact.linear_gaussian(np.zeros(2), PRIOR_COV, FORWARD, noise, observed)
    cov = cov * [[1, correlation], [correlation, 1]]
    factor = np.linalg.cholesky(np.linalg.inv(cov))
    return Mixture(
        np.ones((n, 1)),
        mean[:, np.newaxis],
        np.broadcast_to(factor, (n, 1, 2, 2)),
        single=False,
        one_target_axis=False,
        target_names=["a", "b"],
    ), truths


def in_ranges(n, seed, kinds, width=1.0):
    """Posteriors of two kernels that end and wrap, draws from them as truths."""
    kinds = np.array(kinds, np.intc)
    c, free = len(kinds), np.finfo(float).max
    low = np.select([kinds == FREE, kinds == LOG_TRUNCATED], [-free, 1.0], 0.0)
    high = np.select([kinds == FREE, kinds == LOG_TRUNCATED], [free, 100.0], 360.0)
    scale = np.select(  # of the kernels' space
        [kinds == FREE, kinds == PROBIT, kinds == LOG_TRUNCATED], [1, 1, 2], 360
    )
    rng = np.random.default_rng(seed)
    means = rng.uniform(0, 1, size=(n, 2, c)) * scale
    factors = np.eye(c) / (scale * rng.uniform(0.05, 0.25, size=(n, 2, c)))[..., None]
    if c > 1:
        factors[..., 1, 0] = 5 * rng.normal(size=(n, 2)) / scale[1]
    arguments = {
        "single": False,
        "one_target_axis": c == 1,
        "target_names": ["a", "b"][:c],
        "ranges": Ranges(kinds, low, high),
    }
    weights = rng.dirichlet([1, 1], n)
    right = Mixture(weights, means, factors, **arguments)
    truths = right.sample(1, seed=seed).reshape(n, c)
    return Mixture(weights, means, factors / width, **arguments), truths
