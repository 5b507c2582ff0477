"""Regions, modes, divergences and conditionals of mixtures that have ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import densities
from ._boundary_mixture import mixture_log_density
from ._boundary_targets import from_kernels, to_kernels
from .ranges import FREE, HALF_LINE, LOG_PROBIT, NONE, PERIODIC, PROBIT, Ranges

FILM = 3.0  # of a probit map: the last thousandth of the range
FAR = 8.0  # standard deviations beyond which a kernel is nothing


def _kernel_ends(ranges: Ranges) -> np.ndarray:
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


def _knots(one: Any, per_sd: float) -> np.ndarray:
    """Points as dense as each kernel of one mixture needs, as far as it reaches."""
    used = one._weights[0] > 0
    means = one._means[0, used, 0]
    sds = 1 / one._factors[0, used, 0, 0]
    ranges = one._ranges
    steps = np.linspace(-FAR, FAR, round(2 * FAR * per_sd) + 1)
    if not ranges.any:
        return np.unique(means[:, np.newaxis] + sds[:, np.newaxis] * steps)
    low, high = (_kernel_ends(ranges)[:, :1] - means) / sds
    top = np.clip(0, low, high)  # where the kernel is highest, then exp(-top z)
    reach = np.minimum(FAR, 40 / np.maximum(np.abs(top), 1))
    left, right = np.maximum(low, top - reach), np.minimum(high, top + reach)
    z = left + (right - left) * (steps[:, np.newaxis] + FAR) / (2 * FAR)
    x = from_kernels(ranges, (means + sds * z).reshape(-1, 1))[:, 0]
    if ranges.period is None:
        ends = [end for end in ranges.support if np.isfinite(end)]
    else:
        ends = [float(end) for end in one.support()]
        x = ends[0] + np.mod(x - ends[0], ranges.period)
    return np.unique(np.concatenate([x[np.isfinite(x)], ends]))


def highest_density(one: Any, confidence: float) -> np.ndarray:
    """Intervals of one mixture where the density exceeds the level of the region."""
    from scipy.optimize import brentq

    x = _knots(one, 8)
    log_density = one.logpdf(x)
    finite = np.isfinite(log_density)
    x, log_density = x[finite], log_density[finite]

    def crossings(level: float) -> np.ndarray:
        """Where the density crosses the level, in pairs, by bisection."""
        above = np.concatenate([[False], log_density > level, [False]])
        edges = np.flatnonzero(above[1:] != above[:-1])
        rising = ~above[edges]
        a, b = x[np.maximum(edges - 1, 0)], x[np.minimum(edges, len(x) - 1)]
        for _ in range(30):
            middle = (a + b) / 2
            passed = (one.logpdf(middle) > level) == rising
            a, b = np.where(passed, a, middle), np.where(passed, middle, b)
        return b.reshape(-1, 2)

    def excess(level: float) -> float:
        region = crossings(level)
        return float(np.sum(one.prob(region[:, 0], region[:, 1]))) - confidence

    level = brentq(excess, log_density.min() - 1, log_density.max() - 1e-9, xtol=1e-10)
    return crossings(level)


def divergence(one: Any, prior: Any) -> float:
    """KL of one mixture, restricted to the prior's support, from the prior."""
    low, high = (float(bound) for bound in prior.support())
    x = _knots(one, 0.5)
    if one._ranges.period is not None and np.isfinite(low):
        x = low + np.mod(x - low, one._ranges.period)
    x = np.unique(np.concatenate([x[(x > low) & (x < high)], [low, high]]))
    x = x[np.isfinite(x)]
    if len(x) < 2:
        return np.inf
    nodes, weights = np.polynomial.legendre.leggauss(8)
    half = np.diff(x)[:, np.newaxis] / 2
    points = (x[:-1, np.newaxis] + half * (1 + nodes)).ravel()
    weights = (half * weights).ravel()
    log_p = np.asarray(one.logpdf(points)).ravel()
    p = np.exp(log_p)
    mass = weights @ p
    if not mass > 0:
        return np.inf
    # Nodes that round to an end of the support count for nothing, but a prior's density
    # may be zero there.
    inside = (p > 0) & (points > low) & (points < high)
    ratio = np.zeros_like(p)
    ratio[inside] = log_p[inside] - prior.logpdf(points[inside])
    return float(weights @ (p * ratio) / mass - np.log(mass))


def highest_mode(one: Any) -> np.ndarray:
    """Highest mode of one mixture, in the targets' units."""
    from scipy.optimize import minimize, minimize_scalar

    ranges = one._ranges
    if one.n_targets == 1:
        one = one.marginal(one.target_names[0])
        x = _knots(one, 8)
        best = int(np.argmax(one.logpdf(x)))
        around = x[max(best - 1, 0)], x[min(best + 1, len(x) - 1)]
        found = minimize_scalar(
            lambda point: -one.logpdf(point),
            bounds=around,
            method="bounded",
            options={"xatol": 1e-10 * (around[1] - around[0])},
        ).x
        better = found if one.logpdf(found) > one.logpdf(x[best]) else x[best]
        if ranges.period is not None:
            better = ranges.low[0] + np.mod(better - ranges.low[0], ranges.period)
        return np.array([better])

    # A density that is mapped may rise without end in a film along its ends.
    ends = _kernel_ends(ranges)
    films = np.isin(ranges.kinds, (PROBIT, LOG_PROBIT))
    ends[:, films] = np.clip(ends[:, films], -FILM, FILM)
    unit = 1 / np.sqrt(np.einsum("kij,kij->ki", *[one._factors[0]] * 2).max(axis=0))

    def height(z: np.ndarray) -> float:
        value = float(one.logpdf(from_kernels(ranges, (z * unit)[np.newaxis])[0]))
        return -value if np.isfinite(value) else 1e300

    starts = np.clip(one._means[0], *ends) / unit
    starts = sorted(starts, key=height)[:5]
    bounds = list(zip(*(ends / unit), strict=True))
    climbs = [minimize(height, z, bounds=bounds, method="L-BFGS-B") for z in starts]
    best = min(climbs, key=lambda climb: climb.fun)
    return from_kernels(ranges, (best.x * unit)[np.newaxis])[0]


def conditional(
    one: Any, known: list[int], values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, means and covariances of the other targets, given values of `known`."""
    weights, means, covariances = one._weights, one._means, one._covariances()
    ranges = one._ranges.of(known)
    low, high = ranges.low, ranges.high
    outside = (ranges.kinds != PERIODIC) & ((values < low) | (values > high))
    if outside.any():
        at = int(np.argmax(outside))
        name = one.target_names[known[at]]
        raise ValueError(
            f"given: {name}={values[at]:g} lies outside the prior, "
            f"from {low[at]:g} to {high[at]:g}"
        )
    points = to_kernels(ranges, values[np.newaxis])[0]
    if not ranges.any:
        return densities.conditional(weights, means, covariances, known, points)

    # Kernels as they are restricted give the weights; each of their images its part.
    of_known = covariances[..., known, :][..., known]
    whole = _kernel_log_density(means[..., known], of_known, ranges, values)
    images = [means]
    for i in np.flatnonzero(ranges.kinds == PERIODIC):
        period, at = ranges.high[i] - ranges.low[i], known[i]
        shifted = []
        for image in images:
            nearest = np.round((points[i] - image[..., at]) / period)
            for turn in (-1, 0, 1):
                moved = image.copy()
                moved[..., at] += period * (nearest + turn)
                shifted.append(moved)
        images = shifted
    free = Ranges.free(len(known))
    parts = np.stack(
        [_kernel_log_density(m[..., known], of_known, free, points) for m in images]
    )
    parts = np.exp(parts - parts.max(axis=0))
    scaled = weights * np.exp(whole - whole.max(axis=-1, keepdims=True))
    parts *= scaled / parts.sum(axis=0)
    n = len(images)
    _, means, covariances = densities.conditional(
        np.tile(weights, n),
        np.concatenate(images, axis=1),
        np.tile(covariances, (1, n, 1, 1)),
        known,
        points,
    )
    weights = np.concatenate(list(parts), axis=1)
    return weights / weights.sum(axis=1, keepdims=True), means, covariances


def _kernel_log_density(
    means: np.ndarray, covariances: np.ndarray, ranges: Ranges, point: np.ndarray
) -> np.ndarray:
    """log p of each kernel by itself at a point (c,): (n, K)."""
    n, k, c = means.shape
    factors = np.linalg.cholesky(np.linalg.inv(covariances))
    kernels = (
        np.ones((n * k, 1)),
        means.reshape(n * k, 1, c),
        factors.reshape(n * k, 1, c, c),
    )
    log_p = mixture_log_density(kernels, ranges, point.reshape(1, 1, c))
    return log_p.reshape(n, k)
