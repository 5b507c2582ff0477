"""A posterior as a value: a mixture of Gaussian kernels for each observation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from . import _boundary_mixture as _boundary
from . import divergences, regions
from .checks import check_array, check_integer
from .frozen import Frozen
from .information import Information
from .kernel_space import unmapped
from .pairs import Grid, default_points, grid_of
from .priors import Prior
from .shape import Shape, check_confidence
from .stored_prior import part_of


class Mixture(Shape, Information, Frozen):
    """Posterior densities, one for each observation, in the targets' units.

    Axes are observation, point, target. The observation axis is absent for a single
    observation, the target axis when the targets had none. Points broadcast against the
    observations: a scalar or (m,) serves all of them, (n, m) gives each its own.

    A mixture with one target has the methods of a frozen SciPy distribution (`Frozen`).
    Its moments, modes and regions are in `Shape`.

    Where `Committee.fit` was given a prior, there is no mass outside of it, and a
    periodic target is wrapped: x and x + period are the same. Its distribution function
    and quantiles are counted from the cut opposite to its circular mean, so that an
    interval may reach past the ends of the prior; the mode and samples do not.

    Attributes
    ----------
    weights : ndarray, shape (n, K)
        Of the kernels; they sum to one.
    means : ndarray, shape (n, K) or (n, K, c)
        Of the Gaussian kernels, before they are cut off or wrapped.
    covariances : ndarray, shape (n, K) or (n, K, c, c)
        Variances where there is no target axis.
    target_names : list of str
    prior : Prior or None
        Of the targets, as the committee knows it: what it was trained with where that
        could be written down, else quantiles of its training targets.
    members : list of Mixture
        Of a committee's posterior, one for each member.
    space : str
        Where the kernels live: "physical", the targets' own units, or "mapped":
        weights, means and covariances are those of mapped targets (docs/bounds.md).
    """

    # --- Density ----------------------------------------------------------------------

    def logpdf(self, x) -> np.ndarray:
        """Logarithm of the density at points, in nats.

        Parameters
        ----------
        x : array_like
            Points: a scalar, (m,) or (n, m); with a target axis (c,), (m, c) or
            (n, m, c). With a single observation any shape.

        Returns
        -------
        ndarray
            One value for each observation and point.
        """
        points, shape = self._points(x)
        finite = np.isfinite(points).all(axis=-1)
        # So far out that nothing is left; yet no sum or product overflows.
        points = np.clip(points, -1e150, 1e150)
        log_p = _boundary.mixture_log_density(self._kernels, self._ranges, points)
        if not finite.all():
            log_p = np.where(finite, log_p, -np.inf)
        return self._values(log_p, shape)

    def pdf(self, x) -> np.ndarray:
        """Density at points, as for `logpdf`."""
        return np.exp(self.logpdf(x))

    # --- Probability, one target ------------------------------------------------------

    def cdf(self, x) -> np.ndarray:
        """Probability of a value below x; of a periodic target, from the cut to x."""
        return self._cdf(x, above=False)

    def sf(self, x) -> np.ndarray:
        """Probability of a value above x, exact in the upper tail."""
        return self._cdf(x, above=True)

    def quantile(self, q) -> np.ndarray:
        """Value below which the probability is q.

        Parameters
        ----------
        q : array_like
            Probabilities, any shape.

        Returns
        -------
        ndarray, shape (n,) + q.shape
        """
        self._require_one_target("quantile")
        q = np.asarray(q, dtype=float)
        if not ((q >= 0) & (q <= 1)).all():
            raise ValueError("q must lie between 0 and 1")
        order = np.argsort(q, axis=None)
        x = np.empty((len(self._weights), q.size))
        x[:, order] = np.maximum.accumulate(  # rounding must not put them out of order
            _boundary.mixture_quantile(self._kernels, self._ranges, q.ravel()[order]),
            axis=1,
        )
        x = np.where(np.abs(x) < np.finfo(float).max, x, np.copysign(np.inf, x))
        return self._values(x, q.shape)

    def prob(self, a, b) -> np.ndarray:
        """Probability of a value between a and b; on a circle, on the way up from a."""
        if self.period is not None:
            way = np.subtract(b, a)
            arc = np.subtract(self.cdf(b), self.cdf(a))
            middle = np.asarray(self.median())
            if middle.ndim < max(np.ndim(arc), np.ndim(way)) and not self._single:
                middle = middle[:, np.newaxis]
            # next to nothing or next to all of it: where is the middle?
            within = np.mod(middle - a, self.period) < way
            whole = np.where(np.abs(arc) < 1e-9, within, arc < 0)
            return np.where(way >= self.period, 1.0, np.clip(arc + whole, 0, 1))[()]
        # The difference of the smaller tails keeps its digits.
        below = np.asarray(self.cdf(a))
        above = np.asarray(self.sf(a)) - self.sf(b)
        return np.where(below > 0.5, above, np.asarray(self.cdf(b)) - below)[()]

    def median(self) -> np.ndarray:
        """Value with probability one half on either side."""
        return self.quantile(0.5)

    def interval(self, confidence=0.9) -> tuple[np.ndarray, np.ndarray]:
        """Bounds with equal probabilities outside: (low, high)."""
        check_confidence(confidence)
        tail = (1 - confidence) / 2
        bounds = self.quantile([tail, 1 - tail])
        return bounds[..., 0], bounds[..., 1]

    # --- Samples ----------------------------------------------------------------------

    def sample(self, size: int, seed: int = 0) -> np.ndarray:
        """Draw samples.

        Parameters
        ----------
        size : int
            Number for each observation.
        seed : int
            The same seed gives the same samples.

        Returns
        -------
        ndarray, shape (n, size) or (n, size, c)
        """
        size = check_integer("size", size, 0)
        seed = check_integer("seed", seed, 0, 2**63 - 1)
        samples = _boundary.mixture_sample(self._kernels, self._ranges, size, seed)
        return self._out(samples[..., 0] if self._flat else samples)

    # --- Targets ----------------------------------------------------------------------

    def marginal(self, *names: str) -> Mixture:
        """Posterior of one target by itself, or of several together.

        Examples
        --------
        >>> posterior.marginal("depth")
        >>> posterior.marginal("strike", "dip")
        """
        at = [self._index(name) for name in names]
        if not at or len(set(at)) < len(at):
            raise ValueError(f"marginal needs different names, got {names}")
        if len(at) == 1:
            covariances = self._covariances()[..., at, :][..., at]
            factors = 1 / np.sqrt(covariances)
        elif at == list(range(self.n_targets)):
            factors = self._factors
        else:
            covariances = self._covariances()[..., at, :][..., at]
            factors = np.linalg.cholesky(np.linalg.inv(covariances))
        return self._like(
            self._weights,
            self._means[..., at],
            factors,
            target_names=list(names),
            one_target_axis=len(at) == 1,
            member_kernels=self._member_kernels,
            ranges=self._ranges.of(at),
            prior=part_of(self.prior, list(names)),
        )

    def conditional(self, **given: float) -> Mixture:
        """Posterior of the other targets, given values of some of them.

        Examples
        --------
        >>> posterior.conditional(depth=12.0)
        """
        known = [self._index(name) for name in given]
        rest = [i for i in range(self.n_targets) if i not in known]
        if not rest or not known:
            raise ValueError("give values for some of the targets, not for none or all")
        values = check_array("given", list(given.values()), (1,))
        weights, means, covariances = regions.conditional(self, known, values)
        return self._like(
            weights,
            means,
            np.linalg.cholesky(np.linalg.inv(covariances)),
            target_names=[self.target_names[i] for i in rest],
            one_target_axis=len(rest) == 1,
            ranges=self._ranges.of(rest),
            prior=None,
        )

    def grid(self, *names: str, n: int = 101, points=None) -> Grid:
        """Density of two targets on a grid, for figures.

        Parameters
        ----------
        *names : str
            The two; not needed where there are no others.
        n : int
            Points in each direction, between the probabilities 1e-4 and 1 - 1e-4 of
            each target, or all around a circle, from the cut of a single observation;
            for several observations the same points.
        points : pair of array_like, optional
            Points of the two targets, instead.

        Returns
        -------
        Grid
            x (n,), y (n,) and density (n, n), or (n_observations, n, n): density[i, j]
            is at x[i] and y[j].
        """
        pair = self.marginal(*names) if names else self
        return grid_of(pair, *(default_points(pair, n) if points is None else points))

    # --- Members ----------------------------------------------------------------------

    def disagreement(self, *, size=10_000, seed=0) -> np.ndarray | divergences.Estimate:
        """By how much the members differ: their generalised Jensen-Shannon divergence.

        sum_k w_k KL(p_k || p) in nats, with the committee's weights w_k: the mutual
        information of the target and the member that is asked. It is zero if all agree,
        and at most the entropy of the weights, log(n_members) or less.

        Parameters
        ----------
        size, seed : int
            Of the draws, of several targets.
        """
        parts = self._parts()
        if self.n_targets == 1:
            parts = [unmapped(one) for one in parts]
        parts = enumerate(parts)
        return self._join(
            [divergences.disagreement(one, size, seed + i) for i, one in parts]
        )

    # --- For others -------------------------------------------------------------------

    def summary(self, prior=None, confidence=0.9):
        """Return a table of medians, intervals and, with a prior, information gains.

        Parameters
        ----------
        prior : Prior or distribution, optional
        confidence : float
            Probability within the interval, half of the rest on either side.

        Returns
        -------
        Summary
            A list with a `SummaryRow` per target (and observation) that prints as a
            table; ``pandas.DataFrame(summary)`` takes it as it is.
        """
        from .summary import summarise

        marginals = {name: self.marginal(name) for name in self.target_names}
        return summarise(marginals, self._named(prior), confidence)

    def to_datatree(self, prior=None, size=4000, seed=0):
        """Draws as ArviZ takes them; its figures and numbers then work.

        Parameters
        ----------
        prior : Prior, optional
            For a group of its draws.
        size : int
            Number of draws for each observation.
        seed : int

        Returns
        -------
        xarray.DataTree
            With the groups posterior and prior; a variable for each target, whose axes
            are chain (of one), draw and, for several observations, observation.
        """
        from .datatree import to_datatree

        return to_datatree([self], self._named(prior), size, seed)

    to_arviz = to_datatree

    def plot(self, prior=None, **options):
        """Draw the posterior of one observation: see `fmdn.plots.plot_posterior`.

        Several targets have a panel each, and `prior` is a `Prior` that knows their
        names: see `fmdn.plots.plot_posteriors`.
        """
        from . import plots

        if self.n_targets == 1:
            return plots.plot_posterior(self, self._distribution(prior), **options)
        marginals = {name: self.marginal(name) for name in self.target_names}
        return plots.plot_posteriors(marginals, prior, **options)

    # --- Checks -----------------------------------------------------------------------

    def _distribution(self, prior):
        """Prior of the one target."""
        return prior[self.target_names[0]] if isinstance(prior, Mapping) else prior

    def _named(self, prior):
        """Prior of the targets, by their names; by default what is known."""
        prior = self.prior if prior is None else prior
        one = prior is not None and not isinstance(prior, Mapping)
        return Prior({self.target_names[0]: prior}) if one else prior

    def _cdf(self, x, above: bool) -> np.ndarray:
        self._require_one_target("cdf")
        points, shape = self._points(x)
        # Beyond this every kernel's tail is zero; infinities stay out of the core.
        points = np.clip(points[..., 0], -1e300, 1e300)
        p = _boundary.mixture_cdf(self._kernels, self._ranges, points, above)
        return self._values(p, shape)
