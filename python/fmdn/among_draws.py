"""Truths beside draws from posteriors: if all is right, nobody can tell them apart.

Then the ranks of the truths among the draws are uniform, and scores have the same mean
at both. This holds for any rank and any score, and for any number of draws.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from . import scores
from .prior_density import log_prior
from .scores import Score
from .stored_prior import inside_tables

N_DRAWS = 500
N_FEW = 50  # of them, for what takes longer


def compare(
    posterior: Any, truths: np.ndarray, prior: Any = None, seed: int = 0
) -> tuple[dict[str, np.ndarray], dict[str, Score]]:
    """Ranks of the truths among draws, and scores at both.

    Ranks by the density ("HPD": the level of the highest-density region that has the
    truth on its edge), by the distance from a random point ("TARP", Lemos et al. 2023;
    the points are other rows' truths) and, of several targets, by the products of
    deviations from the mean, which notice a wrong correlation ("name x name"; Talts et
    al. 2018, Modrak et al. 2023).

    Scores: "loss", "gain", and for each target "CRPS", "P±" and "P+ - P-".

    Parameters
    ----------
    posterior : Mixture
        Of n observations and c targets; without a target axis if there is one target.
    truths : ndarray, shape (n, c)
    prior : distribution or Prior, optional
        Of the targets.
    seed : int

    Returns
    -------
    dict of str to ndarray, shape (n,)
        Ranks, between 0 and 1.
    dict of str to Score
    """
    n, c = truths.shape
    names = posterior.target_names
    rng = np.random.default_rng(seed)
    jitter = rng.uniform(size=n)
    points = truths[(np.arange(n) + rng.integers(1, n)) % n, np.newaxis]
    scale = truths.std(axis=0)
    scale[scale == 0] = 1
    priors = [scores.prior_of(prior, name) for name in names]
    marginals = [posterior.marginal(name) for name in names]
    periods = [getattr(one, "period", None) for one in marginals]
    widths = [
        scores.near_width(one, column)
        for one, column in zip(priors, truths.T, strict=True)
    ]
    ranks: dict[str, np.ndarray] = {}
    parts: dict[str, list[Score]] = {}
    for rows in scores.blocks(n, N_DRAWS * c):
        part, at = posterior[rows], truths[rows, np.newaxis]
        draws = part.sample(N_DRAWS, seed=int(rng.integers(2**62)))
        draws = draws.reshape(-1, N_DRAWS, c)
        # the centre is needed for pairs alone
        centre = part.mean()[:, np.newaxis] if c > 1 else points[rows]
        of_draws, of_truth = (
            _statistics(part, x, points[rows], centre, scale, periods)
            for x in (draws, at)
        )
        for name, values in of_draws.items():
            found = _rank(values, of_truth[name], jitter[rows])
            ranks.setdefault(name, np.empty(n))[rows] = found
        found = _densities(of_draws["HPD"], of_truth["HPD"], prior, names, draws, at)
        for j, name in enumerate(names):
            label = f" {name}" if c > 1 else ""
            one = marginals[j][rows]
            unit = getattr(priors[j], "unit", "")
            few = draws[:, :N_FEW, j]
            found[f"CRPS{label}"] = _crps(one, few, at[:, 0, j], periods[j], unit)
            near = _near(one, few, at[..., j], widths[j])
            found |= {f"{key}{label}": score for key, score in near.items()}
        for name, score in found.items():
            parts.setdefault(name, []).append(score)
    return ranks, {name: _joined(several) for name, several in parts.items()}


def _statistics(part, x, points, centre, scale, periods) -> dict[str, np.ndarray]:
    """What draws (n, m, c) are ranked by, (n, m) each."""
    c = x.shape[-1]
    names = part.target_names
    around = _difference(x, points, periods)
    found = {
        "HPD": -part.logpdf(x if c > 1 else x[..., 0]),
        "TARP": np.linalg.norm(around / scale, axis=-1),
    }
    offset = _difference(x, centre, periods)
    for i, j in combinations(range(c), 2):
        found[f"{names[i]} x {names[j]}"] = offset[..., i] * offset[..., j]
    return found


def _difference(x, centre, periods) -> np.ndarray:
    """x - centre; of a periodic target the shorter way round."""
    difference = x - centre
    for j, period in enumerate(periods):
        if period is not None:
            difference[..., j] -= period * np.round(difference[..., j] / period)
    return difference


def _rank(draws: np.ndarray, truth: np.ndarray, jitter: np.ndarray) -> np.ndarray:
    """Rank of the truth (n, 1) among draws (n, m), spread evenly over its interval."""
    below = (draws < truth).sum(axis=1)
    equal = (draws == truth).sum(axis=1)
    return (below + jitter * (1 + equal)) / (draws.shape[1] + 1)


# --- Scores ---------------------------------------------------------------------------


def _densities(of_draws, of_truth, prior, names, draws, at) -> dict[str, Score]:
    """Loss, and the gain over the prior where that is known."""
    found = {"loss": _score(of_truth[:, 0], of_draws, "nat")}
    at_truth = _log_prior(prior, names, at[:, 0])
    if not np.isnan(at_truth).any():
        at_draws = _log_prior(prior, names, draws.reshape(-1, len(names)))
        gain = -of_draws - at_draws.reshape(of_draws.shape)
        # what has leaked out of the prior's support has no part in the gain
        gain = np.ma.masked_invalid(gain)
        found["gain"] = _score(-of_truth[:, 0] - at_truth, gain, "nat")
    return found


def _log_prior(prior, names, x) -> np.ndarray:
    return log_prior(prior, names, inside_tables(prior, names, x))


def _crps(one, draws, truth, period, unit) -> Score:
    """CRPS; at a draw it is the mean distance from the others, less half its mean."""
    m = draws.shape[1]
    distances = np.abs(draws[:, :, np.newaxis] - draws[:, np.newaxis])
    if period is not None:
        distances = np.minimum(distances, period - distances)
    of_each = distances.sum(axis=2) / (m - 1)
    score = _score(scores.crps(one, truth), of_each, unit)
    return replace(score, expected=score.expected / 2)


def _near(one, draws, at, width) -> dict[str, Score]:
    """P± and P+ - P-."""
    above, below = scores.near_truth(one, np.concatenate([at, draws], axis=1), width)
    both, lean = above + below, above - below
    return {
        "P±": _score(both[:, 0], both[:, 1:]),
        "P+ - P-": _score(lean[:, 0], lean[:, 1:]),
    }


def _score(values: np.ndarray, at_draws: np.ndarray, unit: str = "") -> Score:
    """From the score at the truth (n,) and at the draws (n, m)."""
    m = at_draws.shape[1]
    sd = at_draws.std(axis=1, ddof=1) * np.sqrt(1 + 1 / m)  # the mean is not exact
    mean = at_draws.mean(axis=1)
    return Score(values, np.ma.filled(mean, 0), np.ma.filled(sd, 0), unit)


def _joined(parts: list[Score]) -> Score:
    columns = zip(*((one.values, one.expected, one.sd) for one in parts), strict=True)
    return Score(*map(np.concatenate, columns), parts[0].unit)
