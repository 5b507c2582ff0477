"""Problems whose posterior is known: what is left between it and the committee."""

import time

import fmdn
import numpy as np
from scipy import stats

MODELS = np.linspace(-1, 1, 2001)
NOISE = 0.1  # of the distance
VARIANCE = 0.1  # of prior and noise of the linear problem
DIMENSIONS = 10
N_TESTS = 20_000


def distance(n, seed):
    """Models of the 'cursed' problem (Kaeufl et al. 2016, section 3) in two dimensions.

    The datum is their distance from the origin; the target is one coordinate.
    """
    models = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return np.linalg.norm(models, axis=1)[:, np.newaxis], models[:, 0]


def distance_posterior(observed):
    """Density over MODELS of one coordinate, the other integrated out."""
    other = (np.arange(4000) + 0.5) / 4000
    radius = np.hypot(MODELS[:, np.newaxis], other)
    density = np.exp(-0.5 * ((observed - radius) / NOISE) ** 2).mean(axis=1)
    return density / np.trapezoid(density, MODELS)


def run_distance(n, seed, settings):
    """KL(exact || committee) at two data, and coverage."""
    inputs, targets = distance(n, seed)
    prior = fmdn.Prior(coordinate=fmdn.Uniform(-1, 1))
    committee = fmdn.Committee(seed=seed, **settings)
    committee.fit(inputs, targets, noise=NOISE, prior=prior)
    found = {}
    for observed in (0.7, 0.0):
        exact = distance_posterior(observed)
        log_p = committee.posterior([observed]).logpdf(MODELS)
        ratio = np.log(np.maximum(exact, 1e-300)) - log_p
        found[f"KL at {observed}"] = np.trapezoid(exact * ratio, MODELS)
    data, models = distance(2000, seed + 1000)
    data += NOISE * np.random.default_rng(seed + 2000).standard_normal(data.shape)
    found["coverage"] = coverage(committee, data, models)
    return found


def linear(n, seed):
    """Data and models of d = m + e, both N(0, VARIANCE)."""
    rng = np.random.default_rng(seed)
    models = np.sqrt(VARIANCE) * rng.standard_normal((n, DIMENSIONS))
    noise = np.sqrt(VARIANCE) * rng.standard_normal((n, DIMENSIONS))
    return models + noise, models


def run_linear(n, seed, settings):
    """Mean KL(exact || committee) over the data, and coverage."""
    committee = fmdn.Committee(seed=seed, **settings).fit(*linear(n, seed))
    data, models = linear(N_TESTS, seed + 1000)
    offset = models - data / 2
    log_exact = -np.square(offset).sum(axis=1) / VARIANCE
    log_exact -= 0.5 * DIMENSIONS * np.log(np.pi * VARIANCE)
    ratio = log_exact - committee.log_density(data, models)
    return {
        "KL": ratio.mean(),
        "error": ratio.std() / np.sqrt(N_TESTS),
        "coverage": coverage(committee, data[:2000], models[:2000]),
    }


def coverage(committee, data, models, level=0.9, n_samples=999):
    """Fraction of the models that lie in their region of highest density.

    A truth that is one more draw from its posterior has any rank among the samples
    with the same probability, so that this is `level` on average.
    """
    models = models.reshape(len(data), -1)
    inside = []
    for rows in np.array_split(np.arange(len(data)), 20):
        post = committee.posterior(data[rows])
        samples = post.sample(n_samples, seed=int(rows[0]))
        truth = models[rows] if samples.ndim == 2 else models[rows][:, np.newaxis]
        denser = post.logpdf(samples) > post.logpdf(truth).reshape(len(rows), 1)
        inside.append(denser.sum(axis=1) < level * (n_samples + 1))
    return float(np.concatenate(inside).mean())


def run_shuffled(n, seed, settings):
    """Gain over the prior where inputs say nothing about the targets."""
    rng = np.random.default_rng(seed)
    models = rng.gamma(3, size=2 * n)
    data = rng.permutation(models)[:, np.newaxis] + rng.standard_normal((2 * n, 3))
    committee = fmdn.Committee(seed=seed, **settings).fit(data[:n], models[:n])
    prior = fmdn.Prior(model=stats.gamma(3))
    gain = committee.log_density(data[n:], models[n:]) - stats.gamma(3).logpdf(
        models[n:]
    )
    information = committee.posterior(data[n : n + 500]).information_gain(
        prior["model"]
    )
    return {"gain over the prior": gain.mean(), "information gain": information.mean()}


def run_time(n, seed, settings):
    """Seconds of `fit` with 10 inputs and 2 targets, or at a million rows 30 and 1."""
    rng = np.random.default_rng(seed)
    n_inputs, n_targets = (30, 1) if n >= 1_000_000 else (10, 2)
    data = rng.standard_normal((n + 10_000, n_inputs))
    signal = np.sin(data[:, :n_targets]) + data[:, n_targets : 2 * n_targets] / 2
    spread = 0.2 + 0.1 * np.tanh(data[:, -1:])
    models = signal + spread * rng.standard_normal(signal.shape)
    exact = stats.norm.logpdf(models[n:], signal[n:], spread[n:]).sum(axis=1)
    begin = time.perf_counter()
    committee = fmdn.Committee(seed=seed, **settings).fit(data[:n], models[:n])
    seconds = time.perf_counter() - begin
    return {
        "s": seconds,
        "KL": (exact - committee.log_density(data[n:], models[n:])).mean(),
    }
