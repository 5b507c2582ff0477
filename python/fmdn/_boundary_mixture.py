"""The boundary for mixtures, whose targets have ranges.

Weights (n, K), means (n, K, c) and factors (n, K, c, c): the lower Cholesky factors L
of the inverse covariances, L L^T. (The core's U is their transpose: the same bytes.)
"""

from __future__ import annotations

import numpy as np

from ._boundary import check_status
from ._core import fmdn_c_mixture as _core
from .checks import Array
from .ranges import Ranges
from .threads import count_threads

Kernels = tuple[Array, Array, Array]
MOST_CROSSINGS = 20  # of fmdn_modes: from so many points climbs begin, beside the means


def _mixture(kernels: Kernels, ranges: Ranges) -> tuple:
    arrays = (np.ascontiguousarray(array).T for array in kernels)
    return ranges.kinds, ranges.low, ranges.high, *arrays


def _mixture_1d(kernels: Kernels, ranges: Ranges) -> tuple:
    weights, means, factors = kernels
    return _mixture((weights, means[..., 0], factors[..., 0, 0]), ranges)


def mixture_log_density(kernels: Kernels, ranges: Ranges, points: Array) -> Array:
    """log p at points (n, m, c), or (1, m, c) common to all: (n, m).

    Outside the ranges it is -inf.
    """
    log_p = np.empty((len(kernels[0]), points.shape[1]))
    if not log_p.size:
        return log_p
    check_status(
        _core.fmdn_mixture_log_density(
            *_mixture(kernels, ranges),
            np.ascontiguousarray(points).T,
            count_threads(),
            log_p.T,
        )
    )
    if ranges.any:
        log_p[log_p <= -np.finfo(float).max] = -np.inf
    return log_p


def mixture_cdf(kernels: Kernels, ranges: Ranges, points: Array, above: bool) -> Array:
    """Probability below (or above) points (n, m), one target, or (1, m): (n, m)."""
    p = np.empty((len(kernels[0]), points.shape[1]))
    if not p.size:
        return p
    check_status(
        _core.fmdn_mixture_cdf(
            *_mixture_1d(kernels, ranges),
            np.ascontiguousarray(points).T,
            int(above),
            count_threads(),
            p.T,
        )
    )
    return p


def mixture_quantile(kernels: Kernels, ranges: Ranges, q: Array) -> Array:
    """Quantiles at probabilities q (m,), one target: (n, m)."""
    x = np.empty((len(kernels[0]), q.size))
    if not x.size:
        return x
    check_status(
        _core.fmdn_mixture_quantile(
            *_mixture_1d(kernels, ranges), q, count_threads(), x.T
        )
    )
    return x


def mixture_moments(kernels: Kernels, ranges: Ranges) -> tuple[Array, Array]:
    """Means (n, c) and covariances (n, c, c)."""
    n, _, c = kernels[1].shape
    mean, covariance = np.zeros((n, c)), np.zeros((n, c, c))
    check_status(
        _core.fmdn_mixture_moments(*_mixture(kernels, ranges), mean.T, covariance.T)
    )
    return mean, covariance


def mixture_moments_about(
    kernels: Kernels, ranges: Ranges, order: int, centre: Array, scale: Array
) -> Array:
    """Means (n, c) of ((target - centre) / scale)**order; both (n, c)."""
    moments = np.zeros(centre.shape)
    check_status(
        _core.fmdn_mixture_moments_about(
            *_mixture(kernels, ranges),
            order,
            np.ascontiguousarray(centre).T,
            np.ascontiguousarray(scale).T,
            moments.T,
        )
    )
    return moments


def mixture_modes(kernels: Kernels, ranges: Ranges) -> tuple[Array, Array]:
    """Modes (n, k, c), highest first, and log p there, (n, k); padded with NaN."""
    n, k, c = kernels[1].shape
    most = k + MOST_CROSSINGS
    modes, log_p = np.zeros((n, most, c)), np.zeros((n, most))
    check_status(
        _core.fmdn_mixture_modes(
            *_mixture(kernels, ranges), count_threads(), modes.T, log_p.T
        )
    )
    none = log_p <= -np.finfo(float).max
    modes[none], log_p[none] = np.nan, np.nan
    found = int((~none).sum(axis=1).max(initial=1))
    return modes[:, :found], log_p[:, :found]


def mixture_sample(kernels: Kernels, ranges: Ranges, size: int, seed: int) -> Array:
    """Samples (n, size, c)."""
    n, _, c = kernels[1].shape
    samples = np.zeros((n, size, c))
    check_status(_core.fmdn_mixture_sample(*_mixture(kernels, ranges), seed, samples.T))
    return samples
