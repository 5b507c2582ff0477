"""Conditionals of mixtures of Gaussian kernels."""

from __future__ import annotations

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
