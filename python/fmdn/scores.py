"""Scores of posteriors at the truth, one for each observation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from .divergences import Estimate

NEGLIGIBLE = 1e-6  # part of a score
_BLOCK = 2_000_000  # numbers at a time


@dataclass(frozen=True, eq=False)
class Score:
    """A score at the truths, and what the posteriors promise of it.

    If posteriors are right, nobody can tell the truth from a draw: the score's mean at
    the truths is that at draws from the posteriors.

    Attributes
    ----------
    values : ndarray, shape (n,)
        At the truths.
    expected, sd : ndarray, shape (n,)
        Mean and standard deviation of the score at draws from each posterior.
    unit : str
    """

    values: np.ndarray
    expected: np.ndarray
    sd: np.ndarray
    unit: str = ""

    def __getitem__(self, rows: Any) -> Score:
        """Return that of some rows."""
        return Score(self.values[rows], self.expected[rows], self.sd[rows], self.unit)

    @property
    def mean(self) -> Estimate:
        """Of the score at the truths."""
        return mean_of(self.values)

    @property
    def promise(self) -> float:
        """What the mean should be."""
        return float(self.expected.mean())

    @property
    def p_value(self) -> float:
        """Probability of a mean as far from the promise, if the posteriors are right.

        The score's variance is that at the draws, so that rare events do not deceive.
        """
        if not np.isfinite(self.values).all():
            return 0.0
        off = abs(self.mean.value - self.promise)
        if off <= NEGLIGIBLE * np.abs(self.expected).mean():
            return 1.0
        error = np.sqrt((self.sd**2).sum()) / len(self.sd)
        return float(2 * ndtr(-off / error)) if error > 0 else 0.0


def mean_of(values: np.ndarray) -> Estimate:
    """Mean and standard error of independent values."""
    n = len(values)
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(n)))


def crps(posterior: Any, truths: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score, in the target's units: the lower the better.

    The integral of (F(x) - [x >= truth])^2, which is E|t - truth| - E|t - t'|/2 for
    draws t and t'. For Gaussian kernels it is a sum over pairs of them (Grimit et al.
    2006); for anything else it is integrated numerically. Of a periodic target the
    distances are those along the circle, whose cut then has no influence.

    Parameters
    ----------
    posterior : Mixture
        Of one target and n observations.
    truths : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
    """
    gaussian = getattr(posterior, "space", "") == "physical"
    low, high = posterior.support()
    if np.ndim(low):  # a circle, cut somewhere else for each observation
        return _circular_crps(posterior, truths, low, float(high[0] - low[0]))
    if not (gaussian and np.isinf([low, high]).all()):
        return _crps_by_quadrature(posterior, truths)
    means = posterior.means.reshape(len(truths), -1)
    weights = posterior.weights
    sds = np.sqrt(posterior.covariances.reshape(means.shape))
    scores = np.empty(len(truths))
    for rows in blocks(len(truths), means.shape[1] ** 2):
        w, m, s = weights[rows], means[rows], sds[rows]
        pairs = _mean_distance(
            m[:, :, np.newaxis] - m[:, np.newaxis],
            np.hypot(s[:, :, np.newaxis], s[:, np.newaxis]),
        )
        to_truth = _mean_distance(truths[rows, np.newaxis] - m, s)
        among = (pairs @ w[..., np.newaxis])[..., 0]
        scores[rows] = (w * (to_truth - 0.5 * among)).sum(axis=1)
    return scores


def _mean_distance(mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Mean of |x| for x ~ N(mean, sd^2)."""
    z = mean / sd
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return 2 * sd * density + mean * (2 * ndtr(z) - 1)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
_LEVELS = np.concatenate([[1e-12, 1e-9, 1e-6, 1e-4], np.arange(1, 63) / 126])
_LEVELS = np.concatenate([_LEVELS, [0.5], 1 - _LEVELS[::-1]])


def _between(knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of sums over the intervals of knots (n, m): (n, 4 (m - 1))."""
    half = np.diff(knots, axis=1)[..., np.newaxis] / 2
    x = (knots[:, :-1, np.newaxis] + half * (1 + _NODES)).reshape(len(knots), -1)
    return x, (half * _WEIGHTS).reshape(x.shape)


def _crps_by_quadrature(posterior: Any, truths: np.ndarray) -> np.ndarray:
    """To about four digits: Gauss-Legendre between 133 quantiles."""
    scores = np.empty(len(truths))
    for rows in blocks(len(truths), len(_NODES) * len(_LEVELS)):
        truth = truths[rows, np.newaxis]
        knots = posterior[rows].quantile(_LEVELS)
        x, weights = _between(np.sort(np.concatenate([knots, truth], axis=1), axis=1))
        # the smaller of F and 1 - F keeps its digits on the far side of the truth
        part = np.where(x < truth, posterior[rows].cdf(x), posterior[rows].sf(x))
        scores[rows] = (part**2 * weights).sum(axis=1)
    return scores


def _circular_crps(
    posterior: Any, truths: np.ndarray, cuts: np.ndarray, period: float
) -> np.ndarray:
    """The integral of P(outside of a half circle)^2 over those that hold the truth.

    For two points lie on either side of twice their distance of the half circles, so
    that E d(t, truth) - E d(t, t')/2 with the distance d along the circle (Grimit et
    al. 2006) is this. To about four digits, as above.
    """
    half = period / 2
    scores = np.empty(len(truths))
    for rows in blocks(len(truths), 2 * len(_NODES) * len(_LEVELS)):
        part, truth = posterior[rows], truths[rows, np.newaxis]
        # half circles begin or end at a quantile, or at the truth
        knots = part.quantile(_LEVELS) - (truth - half)
        knots = np.mod(np.concatenate([knots, 0 * truth], axis=1), half)
        knots = np.concatenate([knots, 0 * truth + half], axis=1)
        start, weights = _between(truth - half + np.sort(knots, axis=1))
        over_the_cut = np.mod(start - cuts[rows, np.newaxis], period) > half
        inside = part.cdf(start + half) - part.cdf(start) + over_the_cut
        scores[rows] = ((1 - inside) ** 2 * weights).sum(axis=1)
    return scores


def near_truth(
    posterior: Any, truths: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """P+ and P-: probability within `width` above and below the truth.

    Their sum says how much of the posterior is at the truth, their difference to which
    side it leans (Kaeufl et al. 2016, eqs 32 to 34).

    Parameters
    ----------
    posterior : Mixture
        Of one target and n observations.
    truths : ndarray, shape (n,) or (n, m)
    width : float
        There 5 % of the prior's range, so that the prior itself has 0.05 on each side.

    Returns
    -------
    (ndarray, ndarray), each shaped like the truths
    """
    truths = np.asarray(truths)
    at = truths.reshape(len(truths), -1)
    above = posterior.prob(at, at + width).reshape(truths.shape)
    return above, posterior.prob(at - width, at).reshape(truths.shape)


def near_width(prior: Any, truths: np.ndarray) -> float:
    """5 % of the range of a target's prior, or of the truths without one."""
    if prior is None:
        return 0.05 * float(np.ptp(truths))
    ends = np.array(prior.support(), float)
    wide = np.asarray(prior.ppf(np.array([0.005, 0.995])))
    return 0.05 * float(np.ptp(np.where(np.isfinite(ends), ends, wide)))


def prior_of(prior: Any, name: str) -> Any:
    """Prior of one of the targets; None if it is not known."""
    return prior.get(name) if isinstance(prior, Mapping) else prior


def blocks(n: int, size: int):
    """Slices of rows of `size` numbers each, as many at a time as memory likes."""
    step = max(1, _BLOCK // size)
    return [slice(i, i + step) for i in range(0, n, step)]
