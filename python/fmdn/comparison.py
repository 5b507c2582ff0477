"""Two posteriors of the same targets, compared by what tells densities apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from . import divergences
from .divergences import Estimate
from .kernel_space import in_kernel_space
from .quadrature import edges_of, integrate

TENTHS = np.array([0.1, 0.9])
PIECES = 64  # of a panel, where the distribution functions of a circle are levelled


class Comparison:
    """How far posteriors are apart, an observation each: from `Mixture.compare`.

    What is asked for is computed then, an array of shape (n,), without an axis for one
    observation. Of one target it is an integral, right to 1e-8; of several targets an
    `Estimate` (value, error) from draws, with its standard error.

    Attributes
    ----------
    kl, reverse_kl
        KL(this || other) and KL(other || this) in nats.
    jensen_shannon
        Mean of the KL of both from their mixture, in nats: at most log 2.
    total_variation
        The largest difference of the probabilities that they give to anything.
    overlap
        What they have in common, the integral of min(p, q): 1 - total_variation.
    wasserstein
        Mean distance by which the one has to be moved to become the other, in the
        target's unit, on a circle the shorter way; of one target only.
    """

    def __init__(self, pairs: list[tuple[Any, Any]], size: int, seed: int, join: Any):
        self._pairs, self._size, self._seed, self._join = pairs, size, seed, join

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self._pairs[0][0].target_names)}>"

    @cached_property
    def kl(self) -> np.ndarray | Estimate:
        """KL(this || other) in nats."""
        return self._each(divergences.kl)

    @cached_property
    def reverse_kl(self) -> np.ndarray | Estimate:
        """KL(other || this) in nats."""
        return self._each(lambda p, q, *rest: divergences.kl(q, p, *rest))

    @cached_property
    def jensen_shannon(self) -> np.ndarray | Estimate:
        """Mean of KL(this || m) and KL(other || m), m half of each, in nats."""
        return self._each(divergences.jensen_shannon)

    @cached_property
    def total_variation(self) -> np.ndarray | Estimate:
        """Half of the integral of |p - q|."""
        return self._each(divergences.total_variation)

    @cached_property
    def overlap(self) -> np.ndarray | Estimate:
        """The integral of min(p, q)."""
        apart = self.total_variation
        if isinstance(apart, Estimate):
            return Estimate(1 - apart.value, apart.error)
        return 1 - apart

    @cached_property
    def wasserstein(self) -> np.ndarray:
        """Mean distance between equal quantiles, in the target's unit."""
        if self._pairs[0][0].n_targets > 1:
            raise ValueError(
                "the Wasserstein distance is found for one target only; "
                "compare marginals: marginal(name) of both"
            )
        return self._join([Estimate(wasserstein(*pair), None) for pair in self._pairs])

    def _each(self, divergence: Callable) -> np.ndarray | Estimate:
        pairs = enumerate(in_kernel_space(*pair) for pair in self._pairs)
        return self._join(
            [divergence(p, q, self._size, self._seed + i) for i, (p, q) in pairs]
        )


def wasserstein(p: Any, q: Any) -> np.ndarray:
    """Mean distance of equal quantiles: the integral of |F - G|, (n,).

    On a circle distribution functions may be counted from anywhere: the constant that
    is best is the median of their difference (Rabin et al. 2011).
    """
    edges = edges_of([p, q], p.period)
    first = edges[:, :1]

    def difference(x: np.ndarray) -> np.ndarray:
        return np.asarray(p.prob(first, x)) - q.prob(first, x)

    level = np.zeros(first.shape)
    if p.period is not None:
        x = np.linspace(edges[:, :-1], edges[:, 1:], PIECES + 1, axis=-1)
        middles = ((x[..., 1:] + x[..., :-1]) / 2).reshape(len(x), -1)
        level = _median(difference(middles), np.diff(x).reshape(middles.shape))
    widths = [np.ptp(one.quantile(TENTHS), axis=-1, keepdims=True) for one in (p, q)]
    return integrate(
        lambda x: np.abs(difference(x) - level),
        edges,
        tolerance=1e-10 * np.maximum(*widths),
    )


def _median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted medians of rows, (n, 1)."""
    order = np.argsort(values, axis=1)
    held = np.take_along_axis(weights, order, axis=1).cumsum(axis=1)
    at = np.argmax(held >= held[:, -1:] / 2, axis=1)[:, np.newaxis]
    return np.take_along_axis(values, np.take_along_axis(order, at, 1), 1)
