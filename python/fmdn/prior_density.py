"""A prior as posteriors are compared with it: of their targets, wrapped as they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from .priors import Prior
from .tabulated import Tabulated

FAR = 1e-15  # probability beyond which a tail does not come round again


class PriorDensity:
    """Density of the prior of some targets.

    Parameters
    ----------
    prior : distribution or mapping of str to distribution
        A `Prior` may have other names too.
    names : sequence of str
        Of the targets, in order.
    periods : sequence of float or None
        Of the posteriors' targets: there the prior is wrapped too.
    """

    def __init__(self, prior: Any, names: Sequence[str], periods: Sequence):
        if isinstance(prior, Mapping):
            missing = [name for name in names if name not in prior]
            if missing:
                raise ValueError(
                    f"the prior has no {missing[0]!r}; it has {', '.join(prior)}"
                )
            self._each = [prior[name] for name in names]
        elif len(names) == 1:
            self._each = [prior]
        else:
            raise TypeError(
                f"the prior of {', '.join(names)} must be a Prior, not {prior!r}"
            )
        self._prior, self._names, self._periods = prior, list(names), list(periods)
        circles = zip(self._each, periods, strict=True)
        around = [_circle(one, period) for one, period in circles]
        self._starts, self._images = zip(*around, strict=True)
        self.n_targets, self.period = len(names), periods[0]

    @property
    def is_table(self) -> bool:
        """Whether a distribution is known by its quantiles alone."""
        return any(isinstance(one, Tabulated) for one in self._each)

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        """Log density at points (...,), of several targets (..., c)."""
        x = np.asarray(x, float)
        shape = x.shape if self.n_targets == 1 else x.shape[:-1]
        rows = x.reshape(-1, self.n_targets).copy()
        for j, period in enumerate(self._periods):
            if period is not None:
                rows[:, j] = self._moved(rows[:, j], j)
        steps = np.array([period or 0.0 for period in self._periods])
        total = np.full(len(rows), -np.inf)
        for turns in product(*self._images):
            moved = rows + np.array(turns) * steps
            log_p = log_prior(self._prior, self._names, moved)
            if np.isnan(log_p).any():
                names = ", ".join(self._names)
                raise ValueError(f"the prior's joint density of {names} is not known")
            total = np.logaddexp(total, log_p)
        return total.reshape(shape)

    def sample(self, size: int, seed: int = 0) -> np.ndarray:
        """Draws (size,), of several targets (size, c)."""
        if self.n_targets == 1:
            q = np.random.default_rng(seed).uniform(size=size)
            return np.asarray(self._each[0].ppf(q), float)
        prior = self._prior
        prior = prior if isinstance(prior, Prior) else Prior(prior)
        columns = [prior.names.index(name) for name in self._names]
        return prior.sample(size, seed)[:, columns]

    # --- One target -------------------------------------------------------------------

    def support(self) -> tuple[float, float]:
        """Where the density can be positive; all of the circle if nothing ends."""
        low, high = _support(self._each[0])
        if self.period is None or math.isfinite(high - low):
            return low, high
        return self._starts[0], self._starts[0] + self.period

    def quantile(self, q: np.ndarray) -> np.ndarray:
        """Quantiles, before they are wrapped."""
        return np.asarray(self._each[0].ppf(q), float)

    def prob(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Probability between a and b, on the way up from a."""
        cdf = self._each[0].cdf
        if self.period is None:
            return np.asarray(cdf(b)) - cdf(a)
        start = self._moved(a, 0)
        turns = (min(self._images[0]) - 1, *self._images[0])
        moved = [start + turn * self.period for turn in turns]
        return sum(np.asarray(cdf(x + (b - a))) - cdf(x) for x in moved)

    @property
    def jumps(self) -> np.ndarray:
        """Where the density jumps, beside its ends."""
        return getattr(self._each[0], "jumps", np.array([]))

    def _moved(self, x: np.ndarray, j: int) -> np.ndarray:
        """Points of a circle, where its prior begins."""
        return self._starts[j] + np.mod(x - self._starts[j], self._periods[j])


def _support(one: Any) -> tuple[float, float]:
    if hasattr(one, "support"):
        low, high = one.support()
    else:
        low, high = one.ppf(np.array([0.0, 1.0]))
    return float(low), float(high)


def _circle(one: Any, period: float | None) -> tuple[float, tuple[int, ...]]:
    """Where to begin on a circle, and how often a prior goes around it."""
    if period is None:
        return 0.0, (0,)
    low, high = _support(one)
    if math.isfinite(high - low):
        return low, (0,)
    low, middle, high = map(float, one.ppf(np.array([FAR, 0.5, 1 - FAR])))
    turns = 1 + int((high - low) / (2 * period))
    return middle - period / 2, tuple(range(-turns, turns + 1))


def log_prior(prior: Any, names: list[str], truths: np.ndarray) -> np.ndarray:
    """Log density of the prior at the truths, NaN where it is not known."""
    unknown = np.full(len(truths), np.nan)
    if prior is None:
        return unknown
    if not isinstance(prior, Mapping):
        if len(names) > 1:
            raise TypeError(f"the prior of {names} must be a Prior, not {prior!r}")
        return np.asarray(prior.logpdf(truths[:, 0]))
    columns = dict(zip(names, truths.T, strict=True))
    missing = [name for name in names if name not in prior]
    if missing:
        raise ValueError(f"the prior has no {missing[0]!r}; it has {list(prior)}")
    total = np.zeros(len(truths))
    for key in getattr(prior, "_blocks", prior):
        block = key if isinstance(key, tuple) else (key,)
        inside = [name for name in block if name in columns]
        if len(inside) == 1:
            total += prior[inside[0]].logpdf(columns[inside[0]])
        elif inside and len(inside) == len(block):
            try:
                total += prior[key].logpdf(np.stack([columns[n] for n in block], -1))
            except NotImplementedError:  # models that were given have no joint density
                return unknown
        elif inside:
            return unknown
    return total
