"""Scores of posteriors at the truth, one for each observation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import ndtr

N_DRAWS = 500  # ranks are uniform among any number, if the posterior is right
_BLOCK = 2_000_000  # numbers at a time


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
    for rows in _blocks(len(truths), means.shape[1] ** 2):
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
    for rows in _blocks(len(truths), len(_NODES) * len(_LEVELS)):
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
    for rows in _blocks(len(truths), 2 * len(_NODES) * len(_LEVELS)):
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
    truths : ndarray, shape (n,)
    width : float
        There 5 % of the prior's range, so that the prior itself has 0.05 on each side.

    Returns
    -------
    (ndarray, ndarray), shapes (n,)
    """
    truth = np.asarray(truths)[:, np.newaxis]
    above = posterior.prob(truth, truth + width)[:, 0]
    return above, posterior.prob(truth - width, truth)[:, 0]


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


def ranks(posterior: Any, truths: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Ranks of the truth among draws from the posterior, between 0 and 1.

    By the density (the level of the highest-density region that has the truth on its
    edge), by the distance from a random point ("TARP", Lemos et al. 2023; the points
    are other rows' truths) and, of several targets, by the products of deviations from
    the mean, which notice a wrong correlation. All are uniform if the posterior is
    right (Talts et al. 2018; Modrak et al. 2023).

    Parameters
    ----------
    posterior : Mixture
        Of n observations and c targets, with a target axis.
    truths : ndarray, shape (n, c)
    seed : int

    Returns
    -------
    dict of str to ndarray, shape (n,)
    """
    n, c = truths.shape
    rng = np.random.default_rng(seed)
    jitter = rng.uniform(size=n)
    points = truths[(np.arange(n) + rng.integers(1, n)) % n]
    scale = truths.std(axis=0)
    scale[scale == 0] = 1
    found: dict[str, np.ndarray] = {}
    for rows in _blocks(n, N_DRAWS * c):
        part = posterior[rows]
        draws = part.sample(N_DRAWS, seed=int(rng.integers(2**62)))
        of_draws = _statistics(part, draws.reshape(-1, N_DRAWS, c), points[rows], scale)
        of_truth = _statistics(part, truths[rows, np.newaxis], points[rows], scale)
        for name, values in of_draws.items():
            ranked = _rank(values, of_truth[name], jitter[rows])
            found.setdefault(name, np.empty(n))[rows] = ranked
    return found


def _statistics(part, x, points, scale) -> dict[str, np.ndarray]:
    """What draws (n, m, c) are ranked by, (n, m) each."""
    c = x.shape[-1]
    mean = part.mean().reshape(-1, 1, c)
    names = part.target_names
    return {
        "HPD": -part.logpdf(x if c > 1 else x[..., 0]),
        "TARP": np.linalg.norm((x - points[:, np.newaxis]) / scale, axis=-1),
    } | {
        f"{names[i]} x {names[j]}": (x - mean)[..., i] * (x - mean)[..., j]
        for i, j in combinations(range(c), 2)
    }


def _rank(draws: np.ndarray, truth: np.ndarray, jitter: np.ndarray) -> np.ndarray:
    """Rank of the truth (n, 1) among draws (n, m), spread evenly over its interval."""
    below = (draws < truth).sum(axis=1)
    equal = (draws == truth).sum(axis=1)
    return (below + jitter * (1 + equal)) / (draws.shape[1] + 1)


def _blocks(n: int, size: int):
    """Slices of rows of `size` numbers each, as many at a time as memory likes."""
    step = max(1, _BLOCK // size)
    return [slice(i, i + step) for i in range(0, n, step)]
