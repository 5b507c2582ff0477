"""Points that resolve every kernel of mixtures of one target, for all observations.

They lie in the kernels' space, as far as each kernel reaches: where a target is mapped,
densities that are hard to see in its own units are smooth there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ._boundary_mixture import mixture_quantile
from ._boundary_targets import from_kernels, to_kernels
from .ranges import (
    FREE,
    HALF_LINE,
    LOG_PROBIT,
    LOG_TRUNCATED,
    NONE,
    PERIODIC,
    PROBIT,
    Ranges,
)

if TYPE_CHECKING:
    from .axes import Axes

FAR = 8.0  # standard deviations beyond which a kernel is nothing
FADED = 40.0  # and exp(-FADED) is nothing
NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)


def knots(mixture: Axes, per_sd: int) -> np.ndarray:
    """Points as dense as each kernel needs, (n, m), sorted, in the kernels' space.

    On a circle they go around once, from the cut.
    """
    ranges = mixture._ranges
    weights, means = mixture._weights, mixture._means[..., 0]
    sds = 1 / mixture._factors[..., 0, 0]
    best = weights.argmax(axis=1)[:, np.newaxis]
    means, sds = (  # a kernel without weight has no points of its own
        np.where(weights > 0, of, np.take_along_axis(of, best, axis=1))
        for of in (means, sds)
    )
    low, high = (kernel_ends(ranges)[:, :, np.newaxis] - means) / sds
    top = np.clip(0, low, high)  # where the kernel is highest, then exp(-top z)
    reach = np.minimum(FAR, FADED / np.maximum(np.abs(top), 1))
    left, right = np.maximum(low, top - reach), np.minimum(high, top + reach)
    part = np.linspace(0, 1, round(2 * FAR * per_sd) + 1)
    z = left[..., np.newaxis] + (right - left)[..., np.newaxis] * part
    y = means[..., np.newaxis] + sds[..., np.newaxis] * z
    y = y.reshape(len(y), -1)
    if ranges.period is not None:
        # kernels on the far side of their circle change from one image to the next
        y = np.concatenate([y, means + ranges.period / 2], axis=1)
        cut = mixture_quantile(mixture._kernels, ranges, np.zeros(1))
        y = cut + np.mod(y - cut, ranges.period)
        ends = np.concatenate([cut, cut + ranges.period], axis=1)
    else:
        ends = kernel_ends(ranges)[:, 0]
        ends = np.tile(ends[np.isfinite(ends)], (len(y), 1))
    return np.sort(np.concatenate([y, ends], axis=1), axis=1)


def nodes(mixture: Axes, low: float = -math.inf, high: float = math.inf):
    """Nodes and weights (n, m) of Gauss-Legendre sums in the target's units.

    The sum of weights * f(nodes) is the integral of f from low to high, for a function
    as smooth as the mixture's density times its logarithm.
    """
    ranges = mixture._ranges
    y = knots(mixture, 1)
    if ranges.period is None:
        ends = np.clip([[low], [high]], ranges.low, ranges.high)
        low, high = np.where(np.abs(ends) < NONE, to_kernels(ranges, ends), ends)[:, 0]
    y = np.clip(y, low, high)
    half = np.diff(y)[..., np.newaxis] / 2
    y = (y[:, :-1, np.newaxis] + half * (1 + NODES)).reshape(len(y), -1)
    x = in_units(mixture, y)
    weights = (half * WEIGHTS).reshape(len(y), -1)
    return x, weights * np.exp(log_stretch(ranges, x, y))


def in_units(mixture: Axes, y: np.ndarray) -> np.ndarray:
    """Points of the kernels' space in the target's units; unwrapped on a circle."""
    if mixture._ranges.period is not None:
        return y
    return from_kernels(mixture._ranges, y.reshape(-1, 1)).reshape(y.shape)


def log_stretch(ranges: Ranges, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """log(dx/dy) at points of the kernels' space and in the target's units."""
    kind, low, high = ranges.kinds[0], ranges.low[0], ranges.high[0]
    if kind == LOG_TRUNCATED:
        return y
    if kind == HALF_LINE:
        return y if low > -NONE else -y
    normal = -0.5 * y**2 - 0.5 * math.log(2 * math.pi)
    if kind == PROBIT:
        return math.log(high - low) + normal
    if kind == LOG_PROBIT:
        return math.log(math.log(high / low)) + np.log(x) + normal
    return np.zeros_like(x)


def kernel_ends(ranges: Ranges) -> np.ndarray:
    """Where the kernels' space ends, (2, c); infinite where it does not."""
    ends = np.array([ranges.low, ranges.high])
    there = (np.abs(ends) < NONE) & ~np.isin(ranges.kinds, (FREE, HALF_LINE, PERIODIC))
    inside = np.where(there, ends, np.where(there.any(axis=0), ends[::-1], 0.0))
    found = np.where(there, to_kernels(_closed(ranges, there), inside), np.inf)
    found[0] *= np.where(there[0], 1, -1)
    return found


def _closed(ranges: Ranges, there: np.ndarray) -> Ranges:
    """Ranges that can map every column: those without ends are free."""
    free = Ranges.free(len(ranges.kinds))
    keep = there.any(axis=0)
    return Ranges(
        np.where(keep, ranges.kinds, free.kinds).astype(np.intc),
        np.where(keep, ranges.low, free.low),
        np.where(keep, ranges.high, free.high),
    )
