"""How far apart densities are: means of functions of log p - log q.

Of one target they are integrals, of several means over draws with standard errors. A
density is a posterior, or anything with `n_targets`, `logpdf` and, of one target,
`period`, `quantile`, `prob` and `support`, of several `sample`. Of one target they are
found for n observations at once, of several for one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .quadrature import edges_of, integrate

FEWEST = 2  # draws that a standard error can be found from


class Estimate(NamedTuple):
    """A mean and its standard error."""

    value: Any
    error: Any


class Within:
    """Posteriors cut off where a prior ends, and normalised again.

    Of one target those of n observations, of several that of one.

    Attributes
    ----------
    mass, leaked, mass_error : ndarray, shape (n,)
        Probability inside the prior's support, and outside, where even the smallest
        keeps its digits; of several targets estimates.
    """

    def __init__(self, one: Any, prior: Any, size: int, seed: int):
        self._one, self.n_targets = one, one.n_targets
        if one.n_targets == 1:
            self._low, self._high = prior.support()
            self.mass = np.atleast_1d(one.prob(self._low, self._high))
            self.leaked = 1 - self.mass
            if one.period is None:
                self.leaked = np.atleast_1d(one.cdf(self._low) + one.sf(self._high))
            self.mass_error = np.zeros(self.mass.shape)
        else:
            draws = one.sample(size, seed)
            inside = np.isfinite(prior.logpdf(draws))
            self._draws = draws[inside]
            self.mass = inside.mean(keepdims=True)
            self.leaked = 1 - self.mass
            # of what may have been missed, too
            share = (inside.sum(keepdims=True) + 1) / (size + 2)
            self.mass_error = np.sqrt(share * (1 - share) / size)
        self._unit = np.where(self.mass > 0, self.mass, 1.0)[:, np.newaxis]

    @property
    def period(self) -> float | None:
        """Of the one target."""
        return self._one.period

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        """Log density of what is left, at points inside."""
        log_p = np.asarray(self._one.logpdf(x))
        return (log_p - np.log(self._unit)).reshape(log_p.shape)

    def sample(self, size: int, seed: int = 0) -> np.ndarray:
        """Those draws that are inside."""
        return self._draws

    def support(self) -> tuple[float, float]:
        """The prior's."""
        return self._low, self._high

    def prob(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Probability between a and b."""
        return np.asarray(self._one.prob(a, b)) / self._unit

    def quantile(self, q: np.ndarray) -> np.ndarray:
        """Quantiles of the whole, moved inside: enough to tell where to look."""
        x = np.asarray(self._one.quantile(q))
        return x if self.period is not None else np.clip(x, self._low, self._high)


# --- Functions of t = log p - log q ---------------------------------------------------


def _log_ratio(t: np.ndarray) -> np.ndarray:
    return t


def _to_the_middle(t: np.ndarray) -> np.ndarray:
    """log p - log (p + q)/2."""
    return np.log(2) - np.logaddexp(0, -t)


def _half_difference(t: np.ndarray) -> np.ndarray:
    """|p - q| / (p + q)."""
    return np.abs(np.tanh(t / 2))


def kl(p: Any, q: Any, size: int, seed: int) -> Estimate:
    """KL(p || q) in nats."""
    return _mean_of(_log_ratio, p, q, False, size, seed)


def jensen_shannon(p: Any, q: Any, size: int, seed: int) -> Estimate:
    """Mean of KL(p || m) and KL(q || m), m = (p + q)/2, in nats."""
    return _mean_of(_to_the_middle, p, q, True, size, seed)


def total_variation(p: Any, q: Any, size: int, seed: int) -> Estimate:
    """Half of the integral of |p - q|."""
    return _mean_of(_half_difference, p, q, True, size, seed)


def _mean_of(
    function: Callable, p: Any, q: Any, both: bool, size: int, seed: int
) -> Estimate:
    """Mean of function(log p - log q) under p; with `both` of the means under each."""
    if p.n_targets == 1:
        values = _integral_of(function, p, q, both)
        return Estimate(values, np.zeros(values.shape))
    one = _drawn(function, p, q, size, seed)
    if not both:
        return one
    other = _drawn(function, q, p, size, seed + 2**31)
    value = (one.value + other.value) / 2
    return Estimate(value, np.hypot(one.error, other.error) / 2)


def _integral_of(function: Callable, p: Any, q: Any, both: bool) -> np.ndarray:
    def integrand(x, log_p, log_q):
        value = _weighed(function, log_p, log_q)
        return (value + _weighed(function, log_q, log_p)) / 2 if both else value

    return integrate(integrand, edges_of([p, q], p.period), [p, q])


def _weighed(function: Callable, log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    """p times the function of log p - log q; nothing where p is nothing."""
    p = np.exp(log_p)
    return np.where(p > 0, p * function(log_p - log_q), 0.0)


def _drawn(function: Callable, p: Any, q: Any, size: int, seed: int) -> Estimate:
    x = p.sample(size, seed)
    endless = Estimate(np.array([np.inf]), np.array([np.inf]))
    if len(x) < FEWEST:
        return endless
    values = function(p.logpdf(x) - q.logpdf(x))
    if np.isinf(values).any():
        return endless
    errors = [values.std(ddof=1, keepdims=True) / np.sqrt(len(x))]
    errors += [one.mass_error / one.mass for one in (p, q) if isinstance(one, Within)]
    return Estimate(values.mean(keepdims=True), np.linalg.norm(errors, axis=0))


def disagreement(posterior: Any, size: int, seed: int) -> Estimate:
    """Mean under the committee of what tells the members apart.

    sum_k w_k KL(p_k || p) is the generalised Jensen-Shannon divergence of the members.
    """
    starts = np.cumsum([0, *posterior._member_kernels[:-1]])
    weights = np.add.reduceat(posterior._weights, starts, axis=1)
    members = posterior.members

    def integrand(x, log_p):
        total = np.zeros(np.shape(log_p))
        for weight, member in zip(weights.T[..., np.newaxis], members, strict=True):
            part = _weighed(_log_ratio, np.asarray(member.logpdf(x)), log_p)
            total += np.where(weight > 0, weight * part, 0).reshape(total.shape)
        return total

    if posterior.n_targets == 1:
        edges = edges_of([posterior], posterior.period)
        values = integrate(integrand, edges, [posterior])
        return Estimate(values, np.zeros(values.shape))
    x = posterior.sample(size, seed)
    log_p = posterior.logpdf(x)
    values = integrand(x, log_p) / np.exp(log_p)
    error = values.std(ddof=1, keepdims=True) / np.sqrt(size)
    return Estimate(values.mean(keepdims=True), error)
