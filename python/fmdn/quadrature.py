"""Integrals over one number, by panels that are halved until nothing is missed.

A density says by its probabilities whether a sum over nodes has seen all of it: however
narrow a kernel, a panel that misses it does not have the probability between its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

TOLERANCE = 1e-10  # of a panel; smooth integrands are then right to far more digits
MOST_PANELS = 20_000  # at a time: what is still rough then has no end
MOST_ROUNDS = 60
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
_TAIL = np.array([1e-15, 1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 1e-2])
LEVELS = np.concatenate([_TAIL, np.linspace(0.04, 0.96, 24), 1 - _TAIL[::-1]])


def integrate(
    function: Callable[..., np.ndarray],
    edges: np.ndarray,
    densities: Sequence = (),
    tolerance: float | np.ndarray = TOLERANCE,
) -> np.ndarray:
    """Integrate from the first to the last edge, for n observations at once.

    Parameters
    ----------
    function : callable
        Of points (n, m) and the log densities there, one array for each of `densities`.
        Returns as many values.
    edges : ndarray, shape (n, k)
        Of the first panels, in order; of some no width.
    densities : sequence
        With `logpdf` and `prob`: panels are halved until all of their probability is
        seen.
    tolerance : float or ndarray, shape (n, 1)
        Between a panel and its halves; with densities relative to the integral where
        that exceeds one.

    Returns
    -------
    ndarray, shape (n,)
        Infinite where the function is.
    """

    def over(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        half = (b - a)[..., np.newaxis] / 2
        x = (a[..., np.newaxis] + half * (1 + NODES)).reshape(len(a), -1)
        logs = [np.asarray(one.logpdf(x)) for one in densities]
        values = np.stack([function(x, *logs), *map(np.exp, logs)])
        values = values.reshape(-1, *a.shape, len(NODES))
        return np.where(half > 0, half * values, 0) @ WEIGHTS

    a, b = edges[:, :-1], edges[:, 1:]
    b = np.where(_resolved(a, b), b, a)
    total, endless = np.zeros(len(edges)), np.zeros(len(edges), bool)
    with np.errstate(invalid="ignore", over="ignore"):
        whole = over(a, b)
        for _ in range(MOST_ROUNDS):
            endless |= np.isinf(whole[0]).any(axis=1)
            middle = (a + b) / 2
            left, right = over(a, middle), over(middle, b)
            halves = left + right
            scale = np.abs(total) + np.abs(halves[0]).sum(axis=1)
            scale = np.maximum(1, scale)[:, np.newaxis] if densities else 1.0
            rough = ~(np.abs(halves[0] - whole[0]) <= tolerance * scale)
            for seen, one in zip(halves[1:], densities, strict=True):
                rough |= np.abs(seen - one.prob(a, b)) > tolerance
            rough &= _resolved(a, b) & ~endless[:, np.newaxis]
            total += np.where(rough, 0, halves[0]).sum(axis=1)
            most = int(rough.sum(axis=1).max())
            if not 0 < most <= MOST_PANELS:
                total += np.where(rough, halves[0], 0).sum(axis=1)
                break
            # the rough ones of each observation, then some of no width
            first = np.argsort(~rough, axis=1, kind="stable")[:, :most]
            kept = np.take_along_axis(rough, first, axis=1)
            a, middle, b = (np.take_along_axis(x, first, 1) for x in (a, middle, b))
            a, b = np.where(kept, a, middle), np.where(kept, b, middle)
            a, b = np.hstack([a, middle]), np.hstack([middle, b])
            parts = [np.take_along_axis(x, first[np.newaxis], 2) for x in (left, right)]
            whole = np.concatenate([np.where(kept, x, 0) for x in parts], axis=2)
    return np.where(endless, np.inf, total)


def edges_of(densities: Sequence[Any], period: float | None = None) -> np.ndarray:
    """Edges of panels for densities of one number: quantiles, ends, and jumps.

    On a circle they go from where the first density begins to where it ends.

    Returns
    -------
    ndarray, shape (n, k)
        In order.
    """
    parts = [
        np.asarray(part, float)
        for one in densities
        for part in (
            one.quantile(LEVELS),
            np.stack(one.support(), axis=-1),
            getattr(one, "jumps", ()),
        )
    ]
    if period is not None:
        start, end = (np.asarray(x)[..., np.newaxis] for x in densities[0].support())
        parts = [start + np.mod(part - start, period) for part in parts]
        parts = [np.where(part < end, part, start) for part in parts] + [start, end]
    (n,) = np.broadcast_shapes((1,), *(part.shape[:-1] for part in parts))
    parts = [np.broadcast_to(part, (n, part.shape[-1])) for part in parts]
    edges = np.concatenate(parts, axis=1)
    finite = np.isfinite(edges)
    lowest = np.where(finite, edges, np.inf).min(axis=1, keepdims=True)
    return np.sort(np.where(finite, edges, lowest), axis=1)


def _resolved(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether the nodes of panels are not rounded onto their ends."""
    return b - a > 64 * np.finfo(float).eps * np.maximum(np.abs(a), np.abs(b))
