"""A joint posterior from two committees: p(a, b | d) = p(a | d) p(b | a, d).

The second one has the first one's target among its inputs (de Wit et al. 2014), so that
neither has to represent a density of several targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .checks import check_array, check_integer
from .pairs import REACH, Grid

BLOCK = 10_000  # posteriors of the second committee at a time


class ChainRule:
    """Joint posterior of the targets of two committees, for one observation.

    Parameters
    ----------
    first : Committee
        For p(a | d).
    second : Committee
        For p(b | a, d): trained on ``ChainRule.inputs(data, a)``.
    observed : array_like, shape (n_inputs,)
        What the first one takes.

    Attributes
    ----------
    target_names : list of str
        Those of the first committee, then those of the second.

    Examples
    --------
    >>> first = Committee().fit(data, a, noise=0.1)
    >>> noise = np.append(np.full(data.shape[1], 0.1), 0.0)  # none is added to a
    >>> second = Committee().fit(ChainRule.inputs(data, a), b, noise=noise)
    >>> joint = ChainRule(first, second, observed)
    >>> joint.sample(1000)
    """

    def __init__(self, first: Any, second: Any, observed: Any):
        self._observed = check_array("observed", observed, (1,), "column", finite=False)
        self._first, self._second = first.posterior(self._observed), second
        self.target_names = [*self._first.target_names, *second.target_names_]
        wanted = self._inputs(self._draws(self._first, 1, 0)).shape[1]
        if second.n_features_in_ != wanted:
            raise ValueError(
                f"the second committee takes {second.n_features_in_} inputs; they must "
                f"be the {wanted} of ChainRule.inputs(data, targets of the first)"
            )

    @staticmethod
    def inputs(data: Any, values: Any, periods: Any = None) -> np.ndarray:
        """Inputs of the second committee: data, then values of the first one's targets.

        Parameters
        ----------
        data : array_like, shape (n, n_inputs)
        values : array_like, shape (n,) or (n, c)
        periods : float, or sequence of float or None, optional
            Of these targets: a periodic one goes in as cosine and sine. As in the
            prior that the first committee was trained with.

        Returns
        -------
        ndarray, shape (n, n_inputs + c or more)
        """
        data = check_array("data", data, (2,), finite=False)
        values = check_array("values", values, (1, 2))
        values = values.reshape(len(values), -1)
        if len(values) != len(data):
            raise ValueError(f"data has {len(data)} rows, values {len(values)}")
        periods = periods if np.ndim(periods) else [periods] * values.shape[1]
        columns = [data]
        for value, period in zip(values.T, periods, strict=True):
            if period is None:
                columns.append(value[:, np.newaxis])
            else:
                angle = 2 * np.pi * value / period
                columns.append(np.stack([np.cos(angle), np.sin(angle)], axis=-1))
        return np.concatenate(columns, axis=1)

    def logpdf(self, x: Any) -> np.ndarray:
        """Log density in nats at points (..., c), in order of `target_names`."""
        x = np.asarray(x, float)
        c, n_first = len(self.target_names), self._first.n_targets
        if x.shape[-1:] != (c,):
            raise ValueError(f"x must end in an axis of {c} targets, got {x.shape}")
        rows = x.reshape(-1, c)
        a, b = rows[:, :n_first], rows[:, n_first:]
        total = self._first.logpdf(a[:, 0] if self._first._flat else a)
        for block, posterior in self._given(a):
            points = b[block] if posterior._flat else b[block, np.newaxis]
            total[block] += posterior.logpdf(points)[:, 0]
        return total.reshape(x.shape[:-1])[()]

    def pdf(self, x: Any) -> np.ndarray:
        """Density at points (..., c), as for `logpdf`."""
        return np.exp(self.logpdf(x))

    def sample(self, size: int, seed: int = 0) -> np.ndarray:
        """Draw from the first posterior, then from the second given each draw.

        Parameters
        ----------
        size : int
        seed : int

        Returns
        -------
        ndarray, shape (size, c)
        """
        a = self._draws(self._first, size, seed)
        parts = [
            self._draws(posterior, 1, seed + 1 + number)[:, 0]
            for number, (_, posterior) in enumerate(self._given(a))
        ]
        return np.concatenate([a, np.concatenate(parts)], axis=1)

    def grid(self, n: int = 101) -> Grid:
        """Density of two targets on a grid that holds next to all of it.

        Parameters
        ----------
        n : int
            Points in each direction.
        """
        if len(self.target_names) != 2:
            raise ValueError(f"a grid is for two targets, not {self.target_names}")
        n = check_integer("n", n, 2)
        first = self._first.marginal(self.target_names[0])
        ends = first.quantile(REACH) if first.period is None else first.support()
        x = np.linspace(*ends, n)
        weight = first.pdf(x)
        second = self._second.posterior(self._inputs(x[:, np.newaxis]))
        second = second.marginal(self.target_names[1])
        if second.period is None:
            ends = second[weight > 1e-4 * weight.max()].quantile(REACH)
            y = np.linspace(ends[:, 0].min(), ends[:, 1].max(), n)
        else:
            y = np.linspace(*second[int(weight.argmax())].support(), n)
        return Grid(x, y, weight[:, np.newaxis] * second.pdf(y))

    # --- What the second committee says -----------------------------------------------

    def _inputs(self, a: np.ndarray) -> np.ndarray:
        data = np.tile(self._observed, (len(a), 1))
        return self.inputs(data, a, self._first.periods)

    def _given(self, a: np.ndarray) -> Iterator[tuple[slice, Any]]:
        """Rows of a, some at a time, and the posteriors of b given these."""
        for start in range(0, len(a), BLOCK):
            block = slice(start, start + BLOCK)
            yield block, self._second.posterior(self._inputs(a[block]))

    @staticmethod
    def _draws(posterior: Any, size: int, seed: int) -> np.ndarray:
        """Draws with a target axis, whether the posterior has one or not."""
        draws = posterior.sample(size, seed)
        return draws[..., np.newaxis] if posterior._flat else draws
