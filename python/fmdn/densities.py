"""What a mixture is asked beyond the core: conditionals, modes, regions, divergence."""

from __future__ import annotations

from typing import Any

import numpy as np


def conditional(
    weights: np.ndarray,
    means: np.ndarray,
    covariances: np.ndarray,
    known: list[int],
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, means and covariances of the other targets, given values of `known`."""
    rest = [i for i in range(means.shape[-1]) if i not in known]
    between = covariances[..., rest, :][..., known]
    of_known = covariances[..., known, :][..., known]
    inverse = np.linalg.inv(of_known)
    gain = between @ inverse
    offset = values - means[..., known]
    squared = (offset[..., np.newaxis, :] @ inverse)[..., 0, :] * offset
    log_weights = (
        np.log(np.maximum(weights, np.finfo(float).tiny))
        - 0.5 * squared.sum(axis=-1)
        - 0.5 * np.linalg.slogdet(of_known)[1]
    )
    weights = np.exp(log_weights - log_weights.max(axis=-1, keepdims=True))
    return (
        weights / weights.sum(axis=-1, keepdims=True),
        means[..., rest] + (gain @ offset[..., np.newaxis])[..., 0],
        covariances[..., rest, :][..., rest] - gain @ between.swapaxes(-1, -2),
    )


def highest_mode(
    weights: np.ndarray, means: np.ndarray, factors: np.ndarray
) -> np.ndarray:
    """Highest mode of one mixture."""
    precisions = factors @ factors.swapaxes(-1, -2)
    pulled = (precisions @ means[..., np.newaxis])[..., 0]
    log_norm = np.log(np.maximum(weights, np.finfo(float).tiny)) + np.log(
        np.diagonal(factors, axis1=-2, axis2=-1)
    ).sum(axis=-1)

    def log_terms(x: np.ndarray) -> np.ndarray:
        z = np.einsum("kij,pki->pkj", factors, x[:, np.newaxis] - means)
        return log_norm - 0.5 * (z**2).sum(axis=-1)

    x = means
    if means.shape[1] > 1:
        # Where ridges cross there may be a peak that no kernel's mean leads to.
        i, j = np.triu_indices(len(means), 1)
        crossings = np.linalg.solve(
            precisions[i] + precisions[j], (pulled[i] + pulled[j])[..., np.newaxis]
        )[..., 0]
        height = log_terms(crossings).max(axis=1)
        x = np.concatenate([x, crossings[np.argsort(-height)[:20]]])
    narrowest = 1 / np.sqrt(np.diagonal(precisions, axis1=-2, axis2=-1).max(axis=0))
    for _ in range(500):
        terms = log_terms(x)
        r = np.exp(terms - terms.max(axis=1, keepdims=True))
        r /= r.sum(axis=1, keepdims=True)
        new = np.linalg.solve(
            np.einsum("pk,kij->pij", r, precisions), (r @ pulled)[..., np.newaxis]
        )[..., 0]
        moved = np.abs((new - x) / narrowest).max()
        x = new
        if moved <= 1e-12:
            break
    return x[np.argmax(np.logaddexp.reduce(log_terms(x), axis=1))]


def _knots(one: Any, per_sd: float) -> np.ndarray:
    """Points as dense as each kernel needs, out to 8 of its standard deviations."""
    steps = np.linspace(-8, 8, round(16 * per_sd) + 1)
    used = one._weights[0] > 0
    means = one._means[0, used, 0]
    sds = 1 / one._factors[0, used, 0, 0]
    return np.unique(means[:, np.newaxis] + sds[:, np.newaxis] * steps)


def highest_density(one: Any, confidence: float) -> np.ndarray:
    """Intervals of one mixture where the density exceeds the level of the region."""
    from scipy.optimize import brentq

    x = _knots(one, 8)
    log_density = one.logpdf(x)

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
    return float(weights @ (p * (log_p - prior.logpdf(points))) / mass - np.log(mass))
