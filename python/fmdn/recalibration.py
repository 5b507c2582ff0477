"""A monotone map that makes the coverage of one-dimensional posteriors right.

Let F be the cdf of a posterior and z = Phi^-1(F(truth)) the normal score of the truth.
On rows that nothing was trained on, z should be N(0, 1). If it is distributed
otherwise, the increasing function g that makes g(z) normal gives the recalibrated
posterior, whose cdf is Phi(g(Phi^-1(F(x)))) (Kuleshov et al. 2018 in normal scores,
where the tails need no care: g goes on as a straight line).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from . import _boundary_recalibration as _boundary
from .checks import check_array, check_integer
from .information import Information
from .mixture import Mixture

FEWEST = 50  # rows that a map can be fitted to
TAIL = 25  # rows beyond the outermost knots
NEAREST = 1e-12  # that knots may be to each other


def recalibrate(posterior, truths):
    """Fit the map that makes posteriors of a target calibrated.

    Parameters
    ----------
    posterior : Mixture
        Of n observations that nothing was trained on, and of one target; of a joint
        posterior take `marginal(name)`.
    truths : array_like, shape (n,)

    Returns
    -------
    Recalibration
        Call it with a posterior of the same committee. As ``committee.recalibration_``
        it is saved with the committee, and read back.

    Examples
    --------
    >>> committee.recalibration_ = recalibrate(committee.posterior(inputs), targets)
    >>> committee.recalibration_(committee.posterior(observed)).interval(0.9)
    """
    posterior._require_one_target("recalibrate")
    truths = check_array("truths", truths, (1, 2))
    truths = truths.reshape(len(truths), -1)
    if truths.shape[1] != 1 or posterior._single or len(truths) != len(posterior):
        raise ValueError(
            f"truths must be one for each posterior of {posterior!r}, "
            f"got shape {truths.shape}"
        )
    if len(truths) < FEWEST:
        raise ValueError(f"at least {FEWEST} rows are needed, got {len(truths)}")
    z = np.sort(_normal_score(_without_axis(posterior), truths)[:, 0])
    outermost = -ndtri(TAIL / len(z)) if len(z) > 2 * TAIL else 0.0
    # about 0.6 apart: then what is fitted to noise costs p/2n = K/2n nats
    normal = np.linspace(-outermost, outermost, 2 * round(outermost / 0.6) + 1)
    shares = (np.arange(1, len(z) + 1) - 0.5) / len(z)
    scores = np.interp(ndtr(normal), shares, z)
    keep = np.concatenate([[True], np.diff(scores) > 1e-6])
    return Recalibration(scores[keep], normal[keep])


class Recalibration:
    """An increasing map of normal scores, g, through some knots.

    Between the knots it is a cubic with continuous slope (Fritsch and Butland 1984),
    beyond them a straight line; through a single knot it has slope one.

    Parameters
    ----------
    scores, normal : array_like, shape (K,)
        g(scores) = normal; both increase.
    """

    def __init__(self, scores, normal):
        x, y = (np.array(one, float) for one in (scores, normal))
        increase = (np.diff(x) > NEAREST).all() and (np.diff(y) > NEAREST).all()
        finite = np.isfinite(x).all() and np.isfinite(y).all()
        if x.ndim != 1 or x.shape != y.shape or not (len(x) and increase and finite):
            raise ValueError("scores and normal must be increasing, as many of each")
        self.scores, self.normal = x, y

    def __call__(self, posterior):
        """Give the recalibrated posterior.

        Parameters
        ----------
        posterior : Mixture
            Of one target.

        Returns
        -------
        Recalibrated
        """
        posterior._require_one_target("recalibration")
        return Recalibrated(_without_axis(posterior), self)

    def plot(self, *, ax=None):
        """Draw the map: see `fmdn.plots_calibration.plot_recalibration`."""
        from .plots_calibration import plot_recalibration

        return plot_recalibration(self, ax=ax)

    def __repr__(self) -> str:
        """Return the knots, shortly."""
        pairs = zip(self.scores, self.normal, strict=True)
        return f"<Recalibration {', '.join(f'{a:.2f} -> {b:.2f}' for a, b in pairs)}>"

    def map(self, z: np.ndarray) -> np.ndarray:
        """g(z)."""
        return _boundary.map_scores(self._knots, z)[0]

    def slope(self, z: np.ndarray) -> np.ndarray:
        """g'(z), positive."""
        return _boundary.map_scores(self._knots, z)[1]

    def inverse(self, y: np.ndarray) -> np.ndarray:
        """z with g(z) = y."""
        return _boundary.map_back(self._knots, y)

    @property
    def _knots(self) -> tuple[np.ndarray, np.ndarray]:
        return self.scores, self.normal


class Recalibrated(Information):
    """A posterior of one target, recalibrated: a distribution, not a mixture.

    It has the methods of `Mixture` that have a meaning for it, with the same axes.
    """

    space = "recalibrated"
    n_targets = 1

    def __init__(self, posterior, recalibration):
        self._posterior, self._g = posterior, recalibration
        self._single, self.target_names = posterior._single, posterior.target_names
        self.prior = posterior.prior
        self.period, self.periods = posterior.period, posterior.periods

    def __len__(self) -> int:
        return len(self._posterior)

    def __getitem__(self, index) -> Recalibrated:
        """Return some of the observations; an integer gives a single one."""
        return Recalibrated(self._posterior[index], self._g)

    def __iter__(self) -> Iterator[Recalibrated]:
        """Go through the observations."""
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<recalibrated {repr(self._posterior).lstrip('<')}"

    @property
    def members(self) -> list[Recalibrated]:
        """Each member's own posterior, by the same map."""
        return [Recalibrated(one, self._g) for one in self._posterior.members]

    def marginal(self, name: str) -> Recalibrated:
        """Return itself: there is one target."""
        self._posterior._index(name)
        return self

    def logpdf(self, x) -> np.ndarray:
        """Logarithm of the density, in nats."""
        points, shape = self._posterior._points(x)
        # So far out that nothing is left; yet no sum or product overflows.
        points = np.clip(points[..., 0], -1e150, 1e150)
        log_p = _boundary.recalibrated_log_density(*self._all, points)
        return self._posterior._values(log_p, shape)

    def pdf(self, x) -> np.ndarray:
        """Density."""
        return np.exp(self.logpdf(x))

    def cdf(self, x) -> np.ndarray:
        """Probability of a value below x."""
        return self._cdf(x, above=False)

    def sf(self, x) -> np.ndarray:
        """Probability of a value above x."""
        return self._cdf(x, above=True)

    prob = Mixture.prob

    def quantile(self, q) -> np.ndarray:
        """Value below which the probability is q."""
        q = np.asarray(q, float)
        if not ((q >= 0) & (q <= 1)).all():
            raise ValueError("q must lie between 0 and 1")
        x = _boundary.recalibrated_quantile(*self._all, q.ravel())
        x = np.where(np.abs(x) < np.finfo(float).max, x, np.copysign(np.inf, x))
        return self._posterior._values(x, q.shape)

    def median(self) -> np.ndarray:
        """Value with probability one half on either side."""
        return self.quantile(0.5)

    def interval(self, confidence=0.9) -> tuple[np.ndarray, np.ndarray]:
        """Bounds with equal probabilities outside: (low, high)."""
        bounds = self.quantile([(1 - confidence) / 2, (1 + confidence) / 2])
        return bounds[..., 0], bounds[..., 1]

    def mean(self) -> np.ndarray:
        """Mean, by quadrature over normal scores."""
        return self._posterior._out(_boundary.recalibrated_moments(*self._all)[0])

    def var(self) -> np.ndarray:
        """Variance, by quadrature over normal scores."""
        return self._posterior._out(_boundary.recalibrated_moments(*self._all)[1])

    def std(self) -> np.ndarray:
        """Standard deviation."""
        return np.sqrt(self.var())

    def sample(self, size: int, seed: int = 0) -> np.ndarray:
        """Draw samples, shape (n, size): those of `Mixture.sample`, moved."""
        size = check_integer("size", size, 0)
        seed = check_integer("seed", seed, 0, 2**63 - 1)
        samples = _boundary.recalibrated_sample(*self._all, size, seed)
        return self._posterior._out(samples)

    def support(self) -> tuple[float, float]:
        """Where the density can be positive."""
        return self._posterior.support()

    ppf, rvs = quantile, sample

    @property
    def _all(self) -> tuple:
        """What the core is asked about."""
        return self._g._knots, self._posterior._kernels, self._posterior._ranges

    def _cdf(self, x, above: bool) -> np.ndarray:
        points, shape = self._posterior._points(x)
        points = np.clip(points[..., 0], -1e300, 1e300)
        p = _boundary.recalibrated_cdf(*self._all, points, above)
        return self._posterior._values(p, shape)

    def _each(self) -> Iterator[Recalibrated]:
        """The observations as single ones."""
        return iter([self] if self._single else self)

    def _out(self, values: Any) -> Any:
        """Drop the observation axis where there is one observation."""
        return values[0] if self._single else values


def _without_axis(posterior: Any) -> Any:
    """A posterior of one target, points without a target axis."""
    return posterior.marginal(posterior.target_names[0])


def _normal_score(posterior: Any, x) -> np.ndarray:
    """Phi^-1(F(x)), from the smaller tail; finite."""
    below, above = np.asarray(posterior.cdf(x)), np.asarray(posterior.sf(x))
    score = np.where(below < above, ndtri(below), -ndtri(above))
    return np.clip(score, -38, 38)[()]  # where double precision ends
