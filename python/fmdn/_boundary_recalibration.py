"""The boundary for recalibrated posteriors of one target.

Knots are two arrays: normal scores, and what they become. Kernels are as for
`_boundary_mixture`, points (m,) common to all of n posteriors, or (n, m).
"""

from __future__ import annotations

import numpy as np

from ._boundary import check_status
from ._boundary_inputs import find_block
from ._core import fmdn_c_recalibration as _core
from .checks import Array
from .ranges import Ranges
from .threads import count_threads

Kernels = tuple[Array, Array, Array]
Knots = tuple[Array, Array]


def get_recalibration(layout: Array, parameters: Array) -> Knots | None:
    """Give the knots that a committee holds, if it holds any of this version."""
    integers, reals = find_block(layout, "recalibration")
    knots = parameters[reals]
    if integers.start == 0 or layout[integers.start - 5] != 1:
        return None
    if knots.size % 2:
        raise ValueError(f"a recalibration cannot have {knots.size} numbers")
    return knots[: knots.size // 2].copy(), knots[knots.size // 2 :].copy()


def change_recalibration(
    layout: Array, parameters: Array, knots: Knots | None
) -> tuple[Array, Array]:
    """Give a committee other knots, or none."""
    scores, normal = knots or (np.zeros(1), np.zeros(1))  # which changes nothing
    longer = np.zeros(len(layout) + 7, dtype=np.int64)  # room for a block's head
    more = np.zeros(len(parameters) + 2 * len(scores))
    sizes = np.zeros(2, dtype=np.int64)
    check_status(
        _core.fmdn_change_recalibration(
            layout, parameters, scores, normal, longer, more, sizes
        )
    )
    return longer[: sizes[0]].copy(), more[: sizes[1]].copy()


def map_scores(knots: Knots, z: Array) -> tuple[Array, Array]:
    """What scores become, and the slope of the map there."""
    z = np.array(z, dtype=float)
    g, slopes = np.empty(z.size), np.empty(z.size)
    check_status(_core.fmdn_map_scores(*knots, 0, z.ravel(), g, slopes))
    return g.reshape(z.shape), slopes.reshape(z.shape)


def map_back(knots: Knots, g: Array) -> Array:
    """Scores that become these."""
    g = np.array(g, dtype=float)
    z = np.empty(g.size)
    check_status(_core.fmdn_map_scores(*knots, 1, z, g.ravel(), np.empty(g.size)))
    return z.reshape(g.shape)


def recalibrated_log_density(
    knots: Knots, kernels: Kernels, ranges: Ranges, points: Array
) -> Array:
    """log p, (n, m); -inf where it is nothing."""
    points = np.atleast_2d(points)
    log_p = np.empty((len(kernels[0]), points.shape[1]))
    question = *_mixture(knots, kernels, ranges), points.T
    check_status(
        _core.fmdn_recalibrated_log_density(*question, count_threads(), log_p.T)
    )
    log_p[log_p <= -np.finfo(float).max] = -np.inf
    return log_p


def recalibrated_cdf(
    knots: Knots, kernels: Kernels, ranges: Ranges, points: Array, above: bool
) -> Array:
    """Probability below (or above), (n, m)."""
    points = np.atleast_2d(points)
    p = np.empty((len(kernels[0]), points.shape[1]))
    question = *_mixture(knots, kernels, ranges), points.T, int(above)
    check_status(_core.fmdn_recalibrated_cdf(*question, count_threads(), p.T))
    return p


def recalibrated_quantile(
    knots: Knots, kernels: Kernels, ranges: Ranges, q: Array
) -> Array:
    """Quantiles, (n, m)."""
    q = np.atleast_2d(q)
    x = np.empty((len(kernels[0]), q.shape[1]))
    question = *_mixture(knots, kernels, ranges), q.T
    check_status(_core.fmdn_recalibrated_quantile(*question, count_threads(), x.T))
    return x


def recalibrated_moments(
    knots: Knots, kernels: Kernels, ranges: Ranges
) -> tuple[Array, Array]:
    """Means and variances (n,)."""
    mean, variance = np.empty(len(kernels[0])), np.empty(len(kernels[0]))
    question = _mixture(knots, kernels, ranges)
    check_status(
        _core.fmdn_recalibrated_moments(*question, count_threads(), mean, variance)
    )
    return mean, variance


def recalibrated_sample(
    knots: Knots, kernels: Kernels, ranges: Ranges, size: int, seed: int
) -> Array:
    """Samples (n, size)."""
    samples = np.empty((len(kernels[0]), size))
    question = *_mixture(knots, kernels, ranges), seed
    check_status(_core.fmdn_recalibrated_sample(*question, count_threads(), samples.T))
    return samples


def _mixture(knots: Knots, kernels: Kernels, ranges: Ranges) -> tuple:
    weights, means, factors = kernels
    arrays = weights, means[..., 0], factors[..., 0, 0]
    transposed = (np.ascontiguousarray(array).T for array in arrays)
    return *knots, ranges.kinds, ranges.low, ranges.high, *transposed
