"""A point in a cube and its distance from the middle: a posterior that is known.

The parameters m are uniform in [-1, 1]^c, and the datum is d = |m| + N(0, 0.1^2)
(Kaeufl et al. 2016, section 3). The more parameters, the fewer prior samples lie near a
small distance: the curse of dimensionality.
"""

import fmdn
import numpy as np
from scipy.signal import fftconvolve

NOISE = 0.1
GRID = np.linspace(-1, 1, 401)  # of one parameter, where densities are compared
_STEP = GRID[1] - GRID[0]


# --- The problem --------------------------------------------------------------------


def prior_of(c):
    return fmdn.Prior(**{f"m{i + 1}": fmdn.Uniform(-1, 1) for i in range(c)})


def distance(models):
    """Give the noise-free datum of models (n, c): (n, 1)."""
    return np.linalg.norm(models, axis=1, keepdims=True)


def simulate(c, n, seed):
    """Prior samples and their noise-free distances."""
    return fmdn.simulate(prior_of(c), distance, n, seed=seed, vectorised=True)


def measure(c, n, seed):
    """Draw prior samples, and noisy distances (n, 1), that nothing was trained on."""
    samples = simulate(c, n, seed)
    return samples, fmdn.GaussianNoise(NOISE).add(samples.data, seed=seed)


# --- Its solution: exact, and by McMC -----------------------------------------------


def radii(k, n_bins=4000, n_radii=500):
    """Radii sqrt(u_1^2 + ... + u_k^2) for uniform u, and their probabilities.

    Squares are summed by convolution of their distributions on a fine grid.
    """
    edges = np.linspace(0, 1, n_bins + 1)
    one = mass = np.diff(np.sqrt(edges))  # P(u^2 in a bin)
    for _ in range(k - 1):
        mass = np.maximum(fftconvolve(mass, one), 0)
    radius = np.sqrt((np.arange(len(mass)) + k / 2) / n_bins)
    bins = np.linspace(0, np.sqrt(k), n_radii + 1)
    held = np.histogram(radius, bins, weights=mass)[0]
    mean = np.histogram(radius, bins, weights=mass * radius)[0]
    return mean[held > 0] / held[held > 0], held[held > 0]


def exact_posteriors(observed, c):
    """Density of one parameter on `GRID`, given each distance (n,): (n, len(GRID))."""
    rest, mass = radii(c - 1)
    predicted = np.hypot(GRID[:, np.newaxis], rest)
    densities = []
    for d in np.ravel(observed):
        z = (d - predicted) / NOISE
        lowest = 0.5 * (z**2).min()  # far out all likelihoods underflow
        densities.append(np.exp(lowest - 0.5 * z**2) @ mass)
    densities = np.array(densities)
    return densities / _integrate(densities)[:, np.newaxis]


def walk(c, observed, n_sweeps, n_chains=20, seed=0):
    """Give draws of m1 for one datum by McMC, and the number of forward solutions.

    Metropolis steps in one parameter at a time, as in the paper's appendix A; the first
    fifth, in which lengths of steps adapt, is left out.
    """
    rng, length, kept = np.random.default_rng(seed), np.full(c, 0.5), []
    models = rng.uniform(-1, 1, (n_chains, c))
    here = (distance(models)[:, 0] - observed) ** 2
    for sweep in range(n_sweeps):
        for k in range(c):
            trial = models.copy()
            trial[:, k] += length[k] * rng.standard_normal(n_chains)
            there = (distance(trial)[:, 0] - observed) ** 2
            likelier = (here - there) / 2 / NOISE**2 > np.log(
                rng.uniform(size=n_chains)
            )
            accepted = likelier & (np.abs(trial[:, k]) < 1)
            models[accepted], here[accepted] = trial[accepted], there[accepted]
            if sweep < n_sweeps // 5:
                length[k] *= np.exp(accepted.mean() - 0.44)
        if sweep >= n_sweeps // 5:
            kept.append(models[:, 0].copy())
    return np.concatenate(kept), n_chains * c * n_sweeps


def divergence(exact, density):
    """KL(exact || density) in nats, of densities on `GRID`."""
    ratio = np.log(np.maximum(exact, 1e-300) / np.maximum(density, 1e-300))
    return _integrate(exact * ratio)


def distance_of_cdfs(exact, cdf):
    """Area between distribution functions on `GRID`, in sd of the exact posterior."""
    steps = _STEP * (exact[..., 1:] + exact[..., :-1]) / 2
    known = np.concatenate([0 * steps[..., :1], steps.cumsum(axis=-1)], axis=-1)
    mean = _integrate(exact * GRID)[..., np.newaxis]
    sd = np.sqrt(_integrate(exact * (GRID - mean) ** 2))
    return _integrate(np.abs(known - cdf)) / sd


def mean_likelihood(c):
    """Mean over the prior of the likelihood of d = 0 (eq. 28 of the paper)."""
    return 0.5**c * (2 * np.pi * NOISE**2) ** ((c - 1) / 2)


def _integrate(values):
    return np.trapezoid(values, dx=_STEP, axis=-1)
