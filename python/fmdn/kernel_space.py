"""Densities of a mapped target, in the space where the kernels live.

What tells densities apart is the same there. And near the end of a range, where numbers
in the target's own units lie too far from each other, kernels are as wide as elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ._boundary_targets import from_kernels, to_kernels
from .grids import kernel_ends, log_stretch
from .prior_density import PriorDensity
from .ranges import LOG_TRUNCATED, TRUNCATED, Ranges


def in_kernel_space(p: Any, q: Any) -> tuple[Any, Any]:
    """Both densities of one target there, if p is mapped and q nowhere else."""
    ranges = getattr(p, "_ranges", None)
    if p.n_targets > 1 or ranges is None or not ranges.mapped:
        return p, q
    if isinstance(q, PriorDensity):
        low, high = q.support()
        inside = ranges.support[0] <= low and high <= ranges.support[1]
        return (unmapped(p), _UnmappedPrior(q, ranges)) if inside else (p, q)
    other = getattr(q, "_ranges", None)
    if other is None or not other.same_as(ranges):
        return p, q
    return unmapped(p), unmapped(q)


def unmapped(posterior: Any) -> Any:
    """The mixture that the kernels are, of the mapped target."""
    ranges = posterior._ranges
    if not ranges.mapped:
        return posterior
    return posterior._like(
        *posterior._kernels,
        member_kernels=posterior._member_kernels,
        ranges=_of_kernels(ranges),
    )


def _of_kernels(ranges: Ranges) -> Ranges:
    """Ranges of the kernels themselves: they end where they are cut off."""
    if ranges.kinds[0] != LOG_TRUNCATED:
        return Ranges.free(1)
    return Ranges(np.array([TRUNCATED], np.intc), *kernel_ends(ranges))


class _UnmappedPrior:
    """Density of the prior of a mapped target."""

    n_targets, period = 1, None

    def __init__(self, prior: PriorDensity, ranges: Ranges):
        self._prior, self._ranges = prior, ranges

    def logpdf(self, y: np.ndarray) -> np.ndarray:
        x = self._in_units(y)
        return self._prior.logpdf(x) + log_stretch(self._ranges, x, y)

    def prob(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self._prior.prob(self._in_units(a), self._in_units(b))

    def quantile(self, q: np.ndarray) -> np.ndarray:
        return self._mapped(self._prior.quantile(q))

    def support(self) -> tuple[float, float]:
        ends = np.array(self._prior.support())
        whole = _of_kernels(self._ranges).support
        y = np.where(ends == self._ranges.support, whole, self._mapped(ends))
        return float(y[0]), float(y[1])

    @property
    def jumps(self) -> np.ndarray:
        return self._mapped(self._prior.jumps)

    def _mapped(self, x: np.ndarray) -> np.ndarray:
        x = np.clip(x, self._ranges.low, self._ranges.high)
        return to_kernels(self._ranges, x.reshape(-1, 1)).reshape(x.shape)

    def _in_units(self, y: np.ndarray) -> np.ndarray:
        """Inside of the support, where some densities are nothing on the ends."""
        low, high = self._prior.support()
        x = from_kernels(self._ranges, np.reshape(y, (-1, 1))).reshape(np.shape(y))
        return np.clip(x, np.nextafter(low, high), np.nextafter(high, low))
