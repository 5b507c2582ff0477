"""Reference solvers: posteriors of one observation by other ways, to check against.

All need the likelihood, that is the forward model and Gaussian noise, and take one
observation at a time. What the networks gave is compared with them by `compare`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .checks import check_array, check_integer
from .noise import as_noise
from .tables import Table

MOST_POINTS = 2_000_000  # of a grid


@dataclass(frozen=True, eq=False)
class Reference:
    """Weighted models that stand for a posterior.

    Attributes
    ----------
    models : ndarray, shape (n, n_parameters)
    weights : ndarray, shape (n,)
        They sum to one.
    effective_size : float
        Number of independent draws that are as good: below some hundreds, do not trust.
    names : tuple of str
    """

    models: np.ndarray
    weights: np.ndarray
    effective_size: float
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one parameter of all models."""
        if name not in self.names:
            raise KeyError(f"no parameter {name!r}; there is {', '.join(self.names)}")
        return self.models[:, self.names.index(name)]

    def mean(self) -> np.ndarray:
        """Posterior mean of each parameter."""
        return self.weights @ self.models

    def cov(self) -> np.ndarray:
        """Posterior covariance."""
        deviations = self.models - self.mean()
        return (self.weights[:, np.newaxis] * deviations).T @ deviations

    def std(self) -> np.ndarray:
        """Posterior standard deviation of each parameter."""
        return np.sqrt(np.diag(self.cov()))

    def quantile(self, name: str, q) -> np.ndarray:
        """Quantiles of a parameter."""
        order = np.argsort(self[name])
        held = self.weights[order].cumsum() - 0.5 * self.weights[order]
        return np.interp(q, held, self[name][order])

    def sample(self, size: int, seed: int = 0) -> np.ndarray:
        """Draw models, (size, n_parameters)."""
        rng = np.random.default_rng(seed)
        return self.models[rng.choice(len(self.models), size, p=self.weights)]

    def compare(self, posteriors) -> ComparedTable:
        """Compare with posteriors of the same observation, target by target.

        Parameters
        ----------
        posteriors : mapping of str to Mixture
            What an inversion gives, or {name: Mixture}; names that are no parameters
            here are left out.

        Returns
        -------
        ComparedTable
            A list of `ComparedRow`s that prints as a table.
        """
        of_all = getattr(posteriors, "marginals", lambda: posteriors)()
        table = ComparedTable()
        for name, mixture in of_all.items():
            if name not in self.names:
                continue
            k = self.names.index(name)
            mean, sd = float(self.mean()[k]), float(self.std()[k])
            found = (float(np.ravel(one())[0]) for one in (mixture.mean, mixture.std))
            found_mean, found_sd = found
            difference = (found_mean - mean) / sd, found_sd / sd
            table.append(ComparedRow(name, mean, sd, found_mean, found_sd, *difference))
        return table

    def plot(self, posteriors, prior=None, **options):
        """Draw this reference as histograms over posteriors of the same observation.

        Parameters
        ----------
        posteriors : mapping of str to Mixture
            As for `compare`.
        prior, **options
            As for `fmdn.plots.plot_posteriors`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from .plots import plot_posteriors

        of_all = getattr(posteriors, "marginals", lambda: posteriors)()
        known = {name: one for name, one in of_all.items() if name in self.names}
        return plot_posteriors(known, prior, reference=self, **options)


class ComparedRow(NamedTuple):
    """One target: by the reference, by the networks, and how they differ."""

    target: str
    reference_mean: float
    reference_sd: float
    mean: float
    sd: float
    shift: float
    sd_ratio: float


class ComparedTable(Table):
    """A comparison with a reference, printed as a table."""

    texts = ("target",)

    def cells(self):
        """Give the lines."""
        yield "target", "reference", "sd", "found", "sd", "shift (sd)", "sd ratio"
        for row in self:
            numbers = [f"{x:.4g}" for x in row[1:5]]
            yield row.target, *numbers, f"{row.shift:+.2f}", f"{row.sd_ratio:.2f}"


def importance(samples, noise, observed) -> Reference:
    """Weigh prior samples by their likelihood: no further simulation is needed.

    Parameters
    ----------
    samples : Samples
    noise : GaussianNoise, CorrelatedNoise, float or array_like
    observed : array_like, shape (n_data,)

    Returns
    -------
    Reference
        With the effective size (sum w)^2 / sum w^2, which the number of data, and what
        they tell, soon make small.
    """
    log_likelihood = _likelihood(noise, observed)
    values = [
        log_likelihood(np.asarray(samples.data[i : i + 10_000]))
        for i in range(0, len(samples), 10_000)
    ]
    return _weighted(samples.models, np.concatenate(values), samples.names)


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
    Reference
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
    return _weighted(models, np.concatenate(values), prior.names)


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
) -> Reference:
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
    Reference
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
    return Reference(models, weights, min(size, len(models)), prior.names)


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


def _weighted(models: np.ndarray, log_weights: np.ndarray, names: Any) -> Reference:
    log_weights = np.where(np.isnan(log_weights), -np.inf, log_weights)
    highest = log_weights.max()
    if not np.isfinite(highest):
        raise ValueError("no model has any likelihood")
    weights = np.exp(log_weights - highest)
    weights /= weights.sum()
    return Reference(models, weights, float(1 / (weights**2).sum()), tuple(names))
