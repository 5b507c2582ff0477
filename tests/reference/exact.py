"""Posteriors that are known: what the networks should find."""

import numpy as np


def linear_gaussian(prior_mean, prior_cov, forward, noise_sd, observed):
    """Mean (n, c) and covariance (c, c) of m given d = forward m + noise.

    m ~ N(prior_mean, prior_cov) with c targets, `forward` is (n_data, c), the noise is
    independent and Gaussian, `observed` is (n, n_data).
    """
    weighted = forward.T / np.square(noise_sd)
    precision = np.linalg.inv(prior_cov) + weighted @ forward
    cov = np.linalg.inv(precision)
    residual = observed - forward @ prior_mean
    return prior_mean + residual @ weighted.T @ cov, cov


def distance_marginal(x, observed, n_dimensions, noise_sd=0.1):
    """Density of m_1 on the even grid x over [-1, 1], given d = |m| + noise.

    m is uniform over [-1, 1]^n_dimensions: the 'cursed' problem of Kaeufl et al. 2016,
    section 3. The other coordinates are integrated over their radius,
    p(m_1 | d) ~ int rho^(c - 2) exp(-(d - sqrt(m_1^2 + rho^2))^2 / 2 sd^2) d rho, up to
    rho = 1: for d + 4 sd < 1 the corners of the cube do not matter.
    """
    n = 4000
    rho = (np.arange(n) + 0.5) / n
    radius = np.hypot(x[:, np.newaxis], rho)
    likelihood = np.exp(-0.5 * ((observed - radius) / noise_sd) ** 2)
    density = (rho ** (n_dimensions - 2) * likelihood).mean(axis=1)
    return density / np.trapezoid(density, x)


def inverse_sine(t, observed, half_width):
    """Density of t on an even grid over [0, 1], given x = t + 0.3 sin(2 pi t) + noise.

    t and the noise are uniform, the latter between -half_width and half_width
    (Bishop 1994).
    """
    inside = np.abs(observed - t - 0.3 * np.sin(2 * np.pi * t)) < half_width
    return inside / np.trapezoid(inside.astype(float), t)


def divergence(x, p, log_q):
    """KL(p || q) in nats of densities on an even grid."""
    log_p = np.log(np.where(p > 0, p, 1))
    return np.trapezoid(p * (log_p - log_q), x)


def gaussian_divergence(mean_p, cov_p, mean_q, cov_q):
    """KL(p || q) in nats of Gaussians; means (n, c), covariances ([n,] c, c)."""
    inverse = np.linalg.inv(cov_q)
    offset = mean_q - mean_p
    trace = np.trace(inverse @ cov_p, axis1=-2, axis2=-1)
    squared = np.einsum("...i,...ij,...j->...", offset, inverse, offset)
    logdets = np.linalg.slogdet(cov_q)[1] - np.linalg.slogdet(cov_p)[1]
    return 0.5 * (trace + squared - mean_p.shape[-1] + logdets)
