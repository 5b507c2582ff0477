"""Joint distributions of several parameters, and the Gaussian one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .checks import check_array
from .designs import uniforms
from .distributions import Normal
from .parameter import check_period
from .records import plain


class Joint:
    """What joint distributions have in common.

    Attributes
    ----------
    units, periods, descriptions : tuple
        An entry for each parameter.
    """

    invertible = False

    def __init__(self, width: int, units=None, periods=None, descriptions=None):
        self.width = width
        self.units = self._texts("units", units)
        self.descriptions = self._texts("descriptions", descriptions)
        periods = self._each("periods", periods, None)
        self.periods = tuple(check_period(self._kind, one) for one in periods)

    @property
    def _kind(self) -> str:
        return type(self).__name__

    def _each(self, what: str, values: Any, missing: Any) -> tuple:
        if values is None:
            return (missing,) * self.width
        if isinstance(values, str) or len(tuple(values)) != self.width:
            raise ValueError(
                f"{self._kind}: {what} must have an entry for each of {self.width} "
                f"parameters, got {values!r}"
            )
        return tuple(values)

    def _texts(self, what: str, values: Any) -> tuple[str, ...]:
        texts = self._each(what, values, "")
        if not all(isinstance(one, str) for one in texts):
            raise TypeError(f"{self._kind}: {what} must be texts, got {values!r}")
        return texts

    @property
    def bounds(self) -> np.ndarray:
        """Lowest and highest value of each parameter; infinite where not known."""
        return np.tile([-np.inf, np.inf], (self.width, 1))

    def _rows(self, x: Any) -> tuple[np.ndarray, tuple[int, ...]]:
        """Give points as rows, and the shape of what there is one of for each."""
        x = np.asarray(x, float)
        if x.shape[-1:] != (self.width,):
            raise ValueError(
                f"{self._kind}: x must end in an axis of {self.width} parameters, got "
                f"shape {x.shape}"
            )
        return x.reshape(-1, self.width), x.shape[:-1]

    def sample(self, n, seed=0, *, start=0) -> np.ndarray:
        """Draw samples number start ... start + n - 1 of a run, shape (n, width)."""
        return self.draw(n, seed, start)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self._about() == other._about()

    def __hash__(self) -> int:
        return hash(repr(self._about()))

    def _about(self) -> tuple:
        return self._record(), self.units, self.periods, self.descriptions


class MultivariateNormal(Joint):
    """The Gaussian distribution of several parameters.

    Parameters
    ----------
    mean : array_like, shape (k,)
    covariance : array_like, shape (k, k)
        Symmetric and positive definite.
    units, periods, descriptions : sequence, optional
        An entry for each parameter: see `Parameter`.

    Examples
    --------
    >>> slip = MultivariateNormal([1, 2], [[4, 1], [1, 9]], units=("m", "m"))
    >>> slip.marginal(1)
    Normal(2, 3, unit='m')
    """

    invertible = True

    def __init__(
        self, mean, covariance, *, units=None, periods=None, descriptions=None
    ):
        self.mean = own(check_array("MultivariateNormal: mean", mean, (1,)))
        covariance = check_array("MultivariateNormal: covariance", covariance, (2,))
        self.covariance, k = own(covariance), len(self.mean)
        if self.covariance.shape != (k, k) or k == 0:
            raise ValueError(
                f"MultivariateNormal: covariance must be ({k}, {k}) as mean is ({k},), "
                f"got {self.covariance.shape}"
            )
        sd = np.sqrt(np.abs(np.diag(self.covariance)))
        asymmetry = np.abs(self.covariance - self.covariance.T)
        if (asymmetry > 1e-10 * np.outer(sd, sd)).any():
            raise ValueError("MultivariateNormal: covariance is not symmetric")
        try:
            self._factor = np.linalg.cholesky(self.covariance)
        except np.linalg.LinAlgError:
            raise ValueError(
                "MultivariateNormal: covariance is not positive definite"
            ) from None
        super().__init__(k, units, periods, descriptions)

    def __repr__(self) -> str:
        return f"MultivariateNormal({self.mean.tolist()}, {self.covariance.tolist()})"

    def draw(self, n, seed, start=0, stream=0) -> np.ndarray:
        """Draw by inversion from one uniform number per sample and parameter."""
        columns = range(stream, stream + self.width)
        points = [uniforms(n, seed, start, column) for column in columns]
        return self.invert(np.column_stack(points))

    def invert(self, points) -> np.ndarray:
        """Turn uniform numbers into values: mean + L z, with z = Phi^-1(u)."""
        from scipy.special import ndtri

        values = np.repeat(self.mean[:, np.newaxis], len(points), axis=1)
        # column by column: a matrix product may round a row by how many there are
        for j, z in enumerate(ndtri(points).T):
            values[j:] += self._factor[j:, j, np.newaxis] * z
        return values.T

    def logpdf(self, x):
        """Return the logarithm of the density at `x`, shape (..., width)."""
        from scipy.linalg import solve_triangular

        rows, shape = self._rows(x)
        z = solve_triangular(
            self._factor, (rows - self.mean).T, lower=True, check_finite=False
        )
        constant = np.log(np.diag(self._factor) * math.sqrt(2 * math.pi)).sum()
        return (-0.5 * (z * z).sum(axis=0) - constant).reshape(shape)[()]

    def marginal(self, column: int) -> Normal:
        """Return the distribution of one parameter."""
        return Normal(
            self.mean[column],
            math.sqrt(self.covariance[column, column]),
            unit=self.units[column],
            period=self.periods[column],
            description=self.descriptions[column],
        )

    def _record(self) -> dict[str, Any]:
        parameters = {"mean": plain(self.mean), "covariance": plain(self.covariance)}
        return {"kind": self._kind, "parameters": parameters}


def own(array: np.ndarray) -> np.ndarray:
    """Give a copy that nobody changes."""
    array = array.copy()
    array.flags.writeable = False
    return array
