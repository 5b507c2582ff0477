"""The shape of posteriors: moments, entropy, modes, and where the density is high."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import _boundary_mixture as _boundary
from . import level_sets
from .axes import Axes
from .checks import check_integer
from .divergences import Estimate
from .grids import nodes

ONE_SIGMA = math.exp(-0.5)  # of a Gaussian's highest density, one sd away
MOST_POINTS, POINTS_PER_KERNEL = 4_000_000, 200  # at a time, to save memory


class Modes(NamedTuple):
    """All modes, highest first, padded with NaN, and the density there."""

    points: np.ndarray  # (n, k) or (n, k, c)
    heights: np.ndarray  # (n, k)


class Shape(Axes):
    """What a posterior looks like: numbers of each target, or of all together."""

    # --- Moments ----------------------------------------------------------------------

    def mean(self) -> np.ndarray:
        """Posterior mean, shaped like the targets."""
        return self._per_target(self._moments()[0])

    def cov(self) -> np.ndarray:
        """Posterior covariance (n, c, c), or variance (n,)."""
        covariance = self._moments()[1]
        return self._out(covariance[:, 0, 0] if self._flat else covariance)

    def var(self) -> np.ndarray:
        """Posterior variance of each target."""
        return self._per_target(self._variance())

    def std(self) -> np.ndarray:
        """Posterior standard deviation of each target."""
        return np.sqrt(self.var())

    def skewness(self) -> np.ndarray:
        """Third standardised moment of each target: positive with a long upper tail."""
        return self._per_target(self._standardised(3))

    def kurtosis(self) -> np.ndarray:
        """Fourth standardised moment of each target less 3, that of a Gaussian."""
        return self._per_target(self._standardised(4) - 3)

    def moment(self, order: int) -> np.ndarray:
        """Mean of the power `order` of each target, about zero."""
        order = check_integer("order", order, 0, 100)
        zeros = np.zeros_like(self._means[:, 0])
        return self._per_target(self._moments_about(order, zeros, zeros + 1))

    def correlation(self) -> np.ndarray:
        """Correlations of the targets, (n, c, c)."""
        covariance = self._moments()[1]
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        sd = np.where(sd > 0, sd, 1)
        correlation = covariance / (sd[:, :, np.newaxis] * sd[:, np.newaxis])
        correlation = np.clip(correlation, -1, 1)
        diagonal = np.arange(self.n_targets)
        correlation[:, diagonal, diagonal] = 1
        return self._out(correlation)

    # --- Information ------------------------------------------------------------------

    def entropy(self, *, size: int = 10_000, seed: int = 0) -> np.ndarray | Estimate:
        """Differential entropy, the mean of -log p, in nats.

        Parameters
        ----------
        size, seed : int
            Of the draws, of several targets.

        Returns
        -------
        ndarray, shape (n,)
            Of one target: an integral, right to 1e-8.
        Estimate
            Of several targets: value and standard error, each (n,).
        """
        size = check_integer("size", size, 2)
        if self.n_targets == 1:
            return self._out(self._in_parts(_entropy))
        draws = _boundary.mixture_sample(self._kernels, self._ranges, size, seed)
        log_p = _boundary.mixture_log_density(self._kernels, self._ranges, draws)
        error = log_p.std(axis=1, ddof=1) / np.sqrt(size)
        return Estimate(self._out(-log_p.mean(axis=1)), self._out(error))

    # --- Modes and widths -------------------------------------------------------------

    def mode(self) -> np.ndarray:
        """Point of highest density, shaped like the targets."""
        return self.modes().points[(0,) if self._single else (slice(None), 0)]

    def modes(self) -> Modes:
        """All points where the density is higher than around, highest first.

        Of one target they are found on a grid that resolves every kernel; of several by
        climbs from the kernels' means and from where pairs of kernels cross.

        Returns
        -------
        Modes
            Points (n, k) or (n, k, c) and heights (n, k), the density there; padded
            with NaN to the largest number k.
        """
        if self.n_targets == 1:
            found = self._in_parts(level_sets.peaks)
            points, log_p = found[..., :1], found[..., 1]
        else:
            points, log_p = _boundary.mixture_modes(self._kernels, self._ranges)
        points = points[..., 0] if self._flat else points
        return Modes(self._out(points), self._out(np.exp(log_p)))

    def hpd(self, confidence: float = 0.9) -> np.ndarray:
        """Region of highest density, as disjoint intervals.

        Parameters
        ----------
        confidence : float
            Probability of the region.

        Returns
        -------
        ndarray, shape (n, k, 2)
            Low and high of each interval; padded with NaN to the largest number k.
        """
        self._require_one_target("hpd")
        check_confidence(confidence)
        return self._out(self._in_parts(level_sets.highest_density, confidence))

    def level_set(self, fraction: float = ONE_SIGMA) -> np.ndarray:
        """Where the density is at least a fraction of its maximum, as intervals.

        Parameters
        ----------
        fraction : float
            By default exp(-1/2), which is one standard deviation to either side of the
            mean of a Gaussian; exp(-2) is two (de Wit et al. 2014).

        Returns
        -------
        ndarray, shape (n, k, 2)
            As `hpd`.
        """
        self._require_one_target("level_set")
        if not 0 < fraction < 1:
            raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
        return self._out(self._in_parts(level_sets.level_set, fraction))

    def width(self, fraction: float = ONE_SIGMA) -> np.ndarray:
        """Total length of `level_set`, (n,): twice the sd of a Gaussian by default."""
        region = self.level_set(fraction)
        return np.nansum(region[..., 1] - region[..., 0], axis=-1)

    # --- How it is computed -----------------------------------------------------------

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        return _boundary.mixture_moments(self._kernels, self._ranges)

    def _moments_about(self, order, centre, scale) -> np.ndarray:
        return _boundary.mixture_moments_about(
            self._kernels, self._ranges, order, centre, scale
        )

    def _variance(self) -> np.ndarray:
        return np.diagonal(self._moments()[1], axis1=1, axis2=2).copy()

    def _standardised(self, order: int) -> np.ndarray:
        mean, covariance = self._moments()
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        return self._moments_about(order, mean, np.where(sd > 0, sd, 1.0))

    def _per_target(self, values: np.ndarray) -> np.ndarray:
        """Give (n, c) values the shape of the targets."""
        return self._out(values[:, 0] if self._flat else values)

    def _in_parts(self, function: Callable, *arguments) -> np.ndarray:
        """Apply a function that needs many points, to some observations at a time."""
        n, k = self._weights.shape
        size = max(1, MOST_POINTS // (POINTS_PER_KERNEL * k))
        if n <= size:
            return function(self, *arguments)
        parts = [function(self[i : i + size], *arguments) for i in range(0, n, size)]
        if parts[0].ndim == 1:
            return np.concatenate(parts)
        most = max(part.shape[1] for part in parts)
        whole = np.full((n, most, *parts[0].shape[2:]), np.nan)
        for i, part in enumerate(parts):
            whole[i * size : i * size + len(part), : part.shape[1]] = part
        return whole


def check_confidence(confidence: float) -> None:
    """Refuse what is no probability of a region."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")


def _entropy(mixture: Axes) -> np.ndarray:
    x, weights = nodes(mixture)
    log_p = level_sets.log_density(mixture, x)
    return -np.sum(weights * np.exp(log_p) * log_p, axis=1)
