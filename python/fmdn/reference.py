"""Reference solvers: posteriors of one observation by other ways, to check against.

All need the likelihood, that is the forward model and Gaussian noise, and take one
observation at a time. What the networks gave is compared with them by `compare`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import check_array, check_integer
from .noise import as_noise
from .weighted import WeightedModels

MOST_POINTS = 2_000_000  # of a grid


def importance(samples, noise, observed) -> WeightedModels:
    """Weigh prior samples by their likelihood: no further simulation is needed.

    Parameters
    ----------
    samples : Samples
    noise : GaussianNoise, CorrelatedNoise, float or array_like
    observed : array_like, shape (n_data,)

    Returns
    -------
    WeightedModels
        With the effective size (sum w)^2 / sum w^2, which the number of data, and what
        they tell, soon make small.
    """
    log_likelihood = _likelihood(noise, observed)
    values = [
        log_likelihood(np.asarray(samples.data[i : i + 10_000]))
        for i in range(0, len(samples), 10_000)
    ]
    return WeightedModels.of(samples.models, np.concatenate(values), samples.names)


def grid(prior, forward, noise, observed, n_points=50, *, vectorised=False):
    """Evaluate the posterior on a grid of up to three parameters.

    Parameters
    ----------
    prior : Prior
        Each parameter has its points at equal steps of probability, in the middle of
        cells that all have the same; so the prior must be of independent parameters.
    forward, vectorised
        As for `simulate`.
    noise : GaussianNoise, CorrelatedNoise, float or array_like
    observed : array_like, shape (n_data,)
    n_points : int
        In each direction.

    Returns
    -------
    WeightedModels
    """
    n_points = check_integer("n_points", n_points, 1)
    if len(prior) > 3 or n_points ** len(prior) > MOST_POINTS:
        raise ValueError(
            f"a grid is for up to three parameters and {MOST_POINTS} points, not for "
            f"{n_points}^{len(prior)}"
        )
    joint = [key for key in prior._blocks if isinstance(key, tuple)]
    if joint:
        raise ValueError(f"a grid needs independent parameters, not {joint[0]}")
    shares = (np.arange(n_points) + 0.5) / n_points
    axes = [np.asarray(prior[name].ppf(shares)) for name in prior]
    models = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(prior))
    log_likelihood = _likelihood(noise, observed)
    blocks = np.array_split(models, max(1, len(models) // 10_000))
    values = [log_likelihood(_run(forward, block, vectorised)) for block in blocks]
    return WeightedModels.of(models, np.concatenate(values), prior.names)


def mcmc(
    prior,
    forward,
    noise,
    observed,
    *,
    n_steps=2000,
    n_walkers=None,
    seed=0,
    vectorised=False,
    progress=False,
) -> WeightedModels:
    """Sample the posterior with emcee (Foreman-Mackey et al. 2013).

    Walkers start at the likeliest of some prior samples; the first half of the steps is
    left out, and the rest kept at the interval of its correlation.

    Parameters
    ----------
    prior : Prior
    forward, vectorised
        As for `simulate`.
    noise : GaussianNoise, CorrelatedNoise, float or array_like
    observed : array_like, shape (n_data,)
    n_steps : int
        Of each walker.
    n_walkers : int, optional
        By default four for each parameter, at least 32.
    seed : int
    progress : bool

    Returns
    -------
    WeightedModels
        With the number of draws divided by the autocorrelation time as effective size.
    """
    try:
        import emcee
    except ImportError:
        raise ImportError("mcmc needs emcee: pip install emcee") from None

    log_likelihood = _likelihood(noise, observed)
    n_steps = check_integer("n_steps", n_steps, 10)
    c = len(prior)
    n_walkers = check_integer("n_walkers", n_walkers or max(32, 4 * c), 2 * c)

    def log_posterior(models):
        log_p = np.asarray(prior.logpdf(models), float)
        inside = np.isfinite(log_p)
        if inside.any():
            log_p[inside] += log_likelihood(_run(forward, models[inside], vectorised))
        return np.where(np.isnan(log_p), -np.inf, log_p)

    first = prior.sample(20 * n_walkers, seed=seed)
    start = first[np.argsort(-log_posterior(first))[:n_walkers]]
    sampler = emcee.EnsembleSampler(
        n_walkers, c, log_posterior, vectorize=True, moves=_moves(emcee)
    )
    sampler.random_state = np.random.RandomState(seed % 2**32).get_state()
    sampler.run_mcmc(start, n_steps, progress=progress)
    half = n_steps // 2
    time = float(np.max(sampler.get_autocorr_time(discard=half, tol=0)))
    time = time if np.isfinite(time) else float(half)
    models = sampler.get_chain(discard=half, thin=max(1, int(time / 2)), flat=True)
    size = (n_steps - half) * n_walkers / max(1.0, time)
    weights = np.full(len(models), 1 / len(models))
    return WeightedModels(models, weights, min(size, len(models)), prior.names)


def _moves(emcee: Any) -> list[tuple[Any, float]]:
    # Now and then from mode to mode. (Not the snooker move: up to emcee 3.1.6 it makes
    # posteriors too narrow.)
    return [(emcee.moves.DEMove(), 0.9), (emcee.moves.DEMove(gamma0=1.0), 0.1)]


def _likelihood(noise: Any, observed: Any):
    """Log likelihood of data (n, n_data), but for a constant: (n,)."""
    observed = check_array("observed", observed, (1,), "column")
    noise = as_noise(noise)
    if not getattr(noise, "is_gaussian", False):
        raise TypeError(f"noise: the likelihood of {noise!r} is not known")
    sd = noise.channel_sd(len(observed))
    if not (sd > 0).all():
        raise ValueError(f"noise: channel {np.argmin(sd > 0)} has none, no likelihood")
    covariance = getattr(noise, "covariance", np.diag(sd**2))
    correlation = covariance / sd / sd[:, np.newaxis]
    whiten = np.linalg.inv(np.linalg.cholesky(correlation)).T

    def log_likelihood(data: np.ndarray) -> np.ndarray:
        data = np.asarray(data, float)
        if data.shape[-1] != len(observed):
            raise ValueError(
                f"observed has {len(observed)} channels, the simulations "
                f"{data.shape[-1]}"
            )
        with np.errstate(over="ignore"):  # then there is no likelihood
            return -0.5 * np.square((data - observed) / sd @ whiten).sum(axis=-1)

    return log_likelihood


def _run(forward: Any, models: np.ndarray, vectorised: bool) -> np.ndarray:
    if vectorised:
        return np.asarray(forward(models), float)
    return np.array([np.asarray(forward(model), float) for model in models])
