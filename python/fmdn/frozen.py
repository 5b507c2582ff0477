"""The names that SciPy has for what a posterior can do."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .axes import Axes
from .grids import nodes
from .level_sets import log_density


class Frozen(Axes):
    """A posterior of one target as a frozen distribution of `scipy.stats`.

    With one observation it serves wherever one is expected: in tests and plots of
    SciPy, or as a `Prior`.
    """

    def ppf(self, q) -> np.ndarray:
        """`quantile`."""
        return self.quantile(q)

    def isf(self, q) -> np.ndarray:
        """Value above which the probability is q: the quantile of 1 - q."""
        return self.quantile(1 - np.asarray(q, float))

    def logcdf(self, x) -> np.ndarray:
        """Logarithm of `cdf`."""
        with np.errstate(divide="ignore"):
            return np.log(self.cdf(x))

    def logsf(self, x) -> np.ndarray:
        """Logarithm of `sf`."""
        with np.errstate(divide="ignore"):
            return np.log(self.sf(x))

    def rvs(self, size=None, random_state=None) -> np.ndarray:
        """`sample`, in SciPy's manner.

        Parameters
        ----------
        size : int or tuple of int, optional
            For each observation; one value without an axis if None.
        random_state : int, numpy.random.Generator or RandomState, optional
            A seed gives what `sample` gives; None other draws every time.
        """
        shape = () if size is None else tuple(np.atleast_1d(size).tolist())
        if random_state is None:
            random_state = np.random.default_rng()
        if hasattr(random_state, "integers"):
            random_state = int(random_state.integers(2**63))
        elif hasattr(random_state, "randint"):
            random_state = int(random_state.randint(2**31))
        draws = self.sample(math.prod(shape), random_state)
        before = 0 if self._single else 1
        shape = draws.shape[:before] + shape + draws.shape[before + 1 :]
        return draws.reshape(shape)[()]

    def stats(self, moments: str = "mv"):
        """Mean (m), variance (v), skewness (s) excess kurtosis (k): those asked for."""
        known = {
            "m": self.mean,
            "v": self.var,
            "s": self.skewness,
            "k": self.kurtosis,
        }
        if not moments or set(moments) - set(known):
            raise ValueError(f"moments must be of the letters mvsk, got {moments!r}")
        found = tuple(known[letter]() for letter in "mvsk" if letter in moments)
        return found if len(found) > 1 else found[0]

    def expect(
        self,
        func: Callable | None = None,
        lb: float | None = None,
        ub: float | None = None,
        conditional: bool = False,
    ) -> np.ndarray:
        """Mean of a function of the target, by integration.

        Parameters
        ----------
        func : callable, optional
            Of arrays; smooth on the scale of the kernels. By default the target itself.
        lb, ub : float, optional
            Bounds of the integral.
        conditional : bool
            Whether to divide by the probability between them.
        """
        self._require_one_target("expect")
        low = -math.inf if lb is None else lb
        high = math.inf if ub is None else ub
        x, weights = nodes(self, low, high)
        weights = weights * np.exp(log_density(self, x))
        values = x if func is None else np.asarray(func(x), float)
        mean = np.sum(weights * values, axis=1)
        if conditional:
            mean = mean / weights.sum(axis=1)
        return self._out(mean)

    def support(self) -> tuple:
        """Where the density can be positive: (low, high), from the cut on a circle."""
        self._require_one_target("support")
        if self.period is None:
            return self._ranges.support
        ends = self.quantile([0.0, 1.0])
        return ends[..., 0], ends[..., 1]
