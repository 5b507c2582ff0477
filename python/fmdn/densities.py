"""Conditionals and modes of mixtures of Gaussian kernels."""

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
