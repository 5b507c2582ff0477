"""Where the density of one target turns, and where it is above a level.

Between two turning points a density crosses a level once at most. So with these known
every region is found by bracketed roots, for all observations at once; two peaks closer
than a quarter of the narrowest kernel's sd there may count as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import _boundary_mixture as _boundary
from ._boundary_targets import from_kernels, to_kernels
from .grids import in_units, knots
from .ranges import LOG_PROBIT, PROBIT
from .roots import solve

if TYPE_CHECKING:
    from .axes import Axes

PER_SD = 4
ROUNDING = 1e-13  # of log p
FLAT = 1e-9  # differences of log p that make no region
FILM = 3.0  # of a probit map: the last thousandth of the range, as in fmdn_modes
LOWEST = -1e300  # log p of nothing
DEEPEST = 700.0  # below the highest log p, where a level need not be looked for
FRACTIONS = np.linspace(0, 1, 9)
PASSES = 14  # each leaves a quarter: rounding of log p is reached before


class Turns(NamedTuple):
    """Ends and turning points of densities, (n, m), padded with the last end."""

    x: np.ndarray  # sorted
    log_p: np.ndarray
    peak: np.ndarray  # which are higher than what is beside them
    low: np.ndarray  # (n, 1), of a region that goes all the way
    high: np.ndarray

    @property
    def highest(self) -> np.ndarray:
        """The largest log p, (n,)."""
        return self.log_p.max(axis=1)

    def of(self, rows: np.ndarray) -> Turns:
        """Those of some observations."""
        return Turns(*(field[rows] for field in self))


def log_density(mixture: Axes, x: np.ndarray) -> np.ndarray:
    """Log density at points (n, m): a number everywhere."""
    log_p = _boundary.mixture_log_density(
        mixture._kernels, mixture._ranges, x[..., np.newaxis]
    )
    return np.maximum(log_p, LOWEST)


def turns(mixture: Axes) -> Turns:
    """Ends and turning points of the densities of one target.

    On a circle they go once around, from one of the lowest points.
    """
    x, ranges = in_units(mixture, knots(mixture, PER_SD)), mixture._ranges
    films = np.isin(ranges.kinds[0], (PROBIT, LOG_PROBIT))
    if films:  # where a density may rise without end over next to no mass
        x = np.clip(x, *from_kernels(ranges, np.array([[-FILM], [FILM]]))[:, 0])
    log_p = log_density(mixture, x)
    if ranges.period is not None:
        start = _lowest_on_circle(mixture, x, log_p)
        x = np.sort(start + np.mod(x - start, ranges.period), axis=1)
        x = np.concatenate([start, x, start + ranges.period], axis=1)
        log_p = log_density(mixture, x)

    rise = np.diff(log_p)
    steep = np.abs(rise) > ROUNDING * (1 + np.abs(log_p[:, 1:]))
    cells = np.arange(rise.shape[1])
    last = np.maximum.accumulate(np.where(steep, cells, -1), axis=1)
    before = np.roll(last, 1, axis=1)  # the steep cell before each
    before[:, 0] = -1
    sign = np.sign(rise) * steep
    turned = steep & (before >= 0)
    turned &= sign != np.take_along_axis(sign, np.maximum(before, 0), axis=1)
    rows, right = np.nonzero(turned)
    left = before[rows, right]
    count = turned.sum(axis=1)
    column = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    most = count.max(initial=1)
    a = np.repeat(x[:, -1:], most, axis=1)
    b, side = a.copy(), np.zeros(a.shape)
    a[rows, column], b[rows, column] = x[rows, left], x[rows, right + 1]
    side[rows, column] = sign[rows, left]
    middle, height = _extremes(mixture, a, b, side)

    first = np.take_along_axis(sign, steep.argmax(axis=1)[:, np.newaxis], axis=1)
    final = np.take_along_axis(sign, np.maximum(last[:, -1:], 0), axis=1)
    x = np.concatenate([x[:, :1], middle, x[:, -1:]], axis=1)
    log_p = np.concatenate([log_p[:, :1], height, log_p[:, -1:]], axis=1)
    peak = np.concatenate([first < 0, side > 0, final > 0], axis=1)
    peak[~peak.any(axis=1), 0] = True  # flat
    low, high = x[:, :1], x[:, -1:]
    if films:
        low, high = (np.full_like(low, end) for end in ranges.support)
    return Turns(x, log_p, peak, low, high)


def _lowest_on_circle(mixture: Axes, x: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    """Point (n, 1) of least density, between the neighbours of the lowest in x."""
    low = np.take_along_axis(x, log_p.argmin(axis=1)[:, np.newaxis], axis=1)
    away = np.mod(x - low, mixture._ranges.period)
    right = low + np.where(away > 0, away, np.inf).min(axis=1, keepdims=True)
    left = low + away.max(axis=1, keepdims=True) - mixture._ranges.period
    return _extremes(mixture, left, right, np.full(low.shape, -1.0))[0]


def _extremes(
    mixture: Axes, a: np.ndarray, b: np.ndarray, side: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Highest (side 1) or lowest (side -1) point between a and b, by closing in."""
    n = len(a)
    for _ in range(PASSES):
        x = a[..., np.newaxis] + (b - a)[..., np.newaxis] * FRACTIONS
        height = log_density(mixture, x.reshape(n, -1)).reshape(x.shape)
        best = (side[..., np.newaxis] * height).argmax(axis=-1)
        best = np.clip(best, 1, len(FRACTIONS) - 2)[..., np.newaxis]
        a, b = (np.take_along_axis(x, best + i, axis=-1)[..., 0] for i in (-1, 1))
    x = (a + b) / 2
    return x, log_density(mixture, x)


def above(mixture: Axes, found: Turns, level: np.ndarray) -> np.ndarray:
    """Where log p is above a level (n,), as intervals (n, k, 2) padded with NaN."""
    ranges, log_p, level = mixture._ranges, found.log_p, level[:, np.newaxis]
    inside = log_p > level
    crossed = inside[:, 1:] != inside[:, :-1]
    # log p is nearly a parabola below each top: its root is nearly straight
    top = np.maximum(np.maximum(log_p[:, :-1], log_p[:, 1:]), level)
    depth = np.sqrt(top - level)

    def height(log_p: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
        """Nearly log p - level where that is small."""
        below = np.sqrt(np.clip(top[rows] - log_p, 0, 2 * DEEPEST))
        return np.where(crossed[rows], 2 * depth[rows] * (depth[rows] - below), 0.0)

    y = found.x
    if ranges.mapped:
        y = to_kernels(ranges, y.reshape(-1, 1)).reshape(y.shape)
    roots = solve(
        lambda y, rows: height(
            log_density(_some(mixture, rows), in_units(mixture, y)), rows
        ),
        y[:, :-1],
        np.where(crossed, y[:, 1:], y[:, :-1]),
        height(log_p[:, :-1], slice(None)),
        height(log_p[:, 1:], slice(None)),
        tolerance=1e-12,
    )
    edges = [
        np.where(inside[:, :1], found.low, np.nan),
        np.where(crossed, in_units(mixture, roots), np.nan),
        np.where(inside[:, -1:], found.high, np.nan),
    ]
    edges = np.sort(np.concatenate(edges, axis=1), axis=1)  # NaN comes last
    most = max(int(np.isfinite(edges).sum(axis=1).max()), 2)
    return edges[:, :most].reshape(len(edges), -1, 2)


def _some(mixture: Axes, rows: np.ndarray) -> Axes:
    """Some of the observations, if not all."""
    return mixture if len(rows) == len(mixture._weights) else mixture[rows]


def peaks(mixture: Axes) -> np.ndarray:
    """Modes and log p there, highest first: (n, k, 2) padded with NaN."""
    found = turns(mixture)
    x, ranges = found.x, mixture._ranges
    if ranges.period is not None:
        x = ranges.low[0] + np.mod(x - ranges.low[0], ranges.period)
    found = np.where(
        found.peak[..., np.newaxis], np.stack([x, found.log_p], -1), np.nan
    )
    order = (-found[..., 1]).argsort(axis=1, kind="stable")  # NaN comes last
    most = int(np.isfinite(found[..., 1]).sum(axis=1).max())
    return np.take_along_axis(found, order[..., np.newaxis], axis=1)[:, :most]


def highest_density(mixture: Axes, confidence: float) -> np.ndarray:
    """Intervals of highest density, (n, k, 2) padded with NaN.

    Where a density is flat every region of that probability is one: the middle.
    """
    found = turns(mixture)
    highest = found.highest
    lowest = np.maximum(found.log_p.min(axis=1), highest - DEEPEST)
    flat = highest - lowest < FLAT
    highest = np.where(flat, lowest + FLAT, highest)

    def excess(depth: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Of the probability above a level, given as the root of its depth."""
        some = _some(mixture, rows)
        region = above(some, found.of(rows), highest[rows] - depth**2)
        return _mass(some, region) - confidence

    zeros = np.zeros(len(lowest))
    depth = solve(
        excess,
        zeros,
        np.sqrt(highest - lowest),
        zeros - confidence,
        zeros + 1 - confidence,
        tolerance=1e-11,
    )
    region = above(mixture, found, highest - depth**2)
    if flat.any():
        tail = (1 - confidence) / 2
        middle = _boundary.mixture_quantile(
            mixture._kernels, mixture._ranges, np.array([tail, 1 - tail])
        )
        region[flat] = np.nan
        region[flat, 0] = middle[flat]
    return _from_the_cut(mixture, region)


def level_set(mixture: Axes, fraction: float) -> np.ndarray:
    """Intervals with at least a fraction of the highest density."""
    found = turns(mixture)
    return _from_the_cut(
        mixture, above(mixture, found, found.highest + np.log(fraction))
    )


def _from_the_cut(mixture: Axes, region: np.ndarray) -> np.ndarray:
    """On a circle intervals begin within one turn from the cut, in order."""
    if mixture._ranges.period is None:
        return region
    cut = _boundary.mixture_quantile(mixture._kernels, mixture._ranges, np.zeros(1))
    turn = mixture._ranges.period
    region -= turn * np.floor((region[..., :1] - cut[..., np.newaxis]) / turn)
    order = region[..., :1].argsort(axis=1)
    return np.take_along_axis(region, order, axis=1)


def _mass(mixture: Axes, region: np.ndarray) -> np.ndarray:
    """Probability of intervals (n, k, 2): (n,)."""
    x = np.where(np.isnan(region), region[:, :1, :1], region).reshape(len(region), -1)
    x = np.nan_to_num(x)  # a region of nothing
    p = _boundary.mixture_cdf(mixture._kernels, mixture._ranges, x, False)
    p = np.diff(p.reshape(region.shape))[..., 0]
    return np.where(p < -1e-12, p + 1, np.maximum(p, 0)).sum(axis=1)  # around a circle
