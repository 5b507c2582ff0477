"""Conditionals of mixtures that have ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import densities
from ._boundary_mixture import mixture_log_density
from ._boundary_targets import to_kernels
from .ranges import PERIODIC, Ranges


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
