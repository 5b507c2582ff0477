"""The boundary for mixtures.

Weights (n, K), means (n, K, c) and factors (n, K, c, c): the lower Cholesky factors L
of the inverse covariances, L L^T. (The core's U is their transpose: the same bytes.)
"""

from __future__ import annotations

import numpy as np

from ._boundary import check_status
from ._core import fmdn_c_mixture as _core
from .checks import Array
from .threads import count_threads


def _mixture(weights: Array, means: Array, factors: Array) -> tuple[Array, ...]:
    return tuple(np.ascontiguousarray(a).T for a in (weights, means, factors))


def _mixture_1d(weights: Array, means: Array, factors: Array) -> tuple[Array, ...]:
    return _mixture(weights, means[..., 0], factors[..., 0, 0])


def mixture_log_density(
    weights: Array, means: Array, factors: Array, points: Array
) -> Array:
    """log p at points (n, m, c), or (1, m, c) common to all: (n, m)."""
    log_p = np.empty((len(weights), points.shape[1]))
    check_status(
        _core.fmdn_mixture_log_density(
            *_mixture(weights, means, factors),
            np.ascontiguousarray(points).T,
            count_threads(),
            log_p.T,
        )
    )
    return log_p


def mixture_cdf(
    weights: Array, means: Array, factors: Array, points: Array, above: bool
) -> Array:
    """Probability below (or above) points (n, m), one target, or (1, m): (n, m)."""
    p = np.empty((len(weights), points.shape[1]))
    check_status(
        _core.fmdn_mixture_cdf(
            *_mixture_1d(weights, means, factors),
            np.ascontiguousarray(points).T,
            int(above),
            count_threads(),
            p.T,
        )
    )
    return p


def mixture_quantile(weights: Array, means: Array, factors: Array, q: Array) -> Array:
    """Quantiles at probabilities q (m,), one target: (n, m)."""
    x = np.empty((len(weights), q.size))
    check_status(
        _core.fmdn_mixture_quantile(
            *_mixture_1d(weights, means, factors), q, count_threads(), x.T
        )
    )
    return x


def mixture_moments(
    weights: Array, means: Array, factors: Array
) -> tuple[Array, Array]:
    """Means (n, c) and covariances (n, c, c)."""
    n, _, c = means.shape
    mean, covariance = np.zeros((n, c)), np.zeros((n, c, c))
    check_status(
        _core.fmdn_mixture_moments(
            *_mixture(weights, means, factors), mean.T, covariance.T
        )
    )
    return mean, covariance


def mixture_sample(
    weights: Array, means: Array, factors: Array, size: int, seed: int
) -> Array:
    """Samples (n, size, c)."""
    n, _, c = means.shape
    samples = np.zeros((n, size, c))
    check_status(
        _core.fmdn_mixture_sample(*_mixture(weights, means, factors), seed, samples.T)
    )
    return samples
