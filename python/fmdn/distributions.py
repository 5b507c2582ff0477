"""Distributions of one parameter that have a short name here."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .parameter import Distribution


@dataclass(frozen=True, eq=False, repr=False)
class Uniform(Distribution):
    """Every value between two bounds is as likely as any other.

    Parameters
    ----------
    low, high : float
        The bounds; both belong to the support.
    unit, period, description : optional
        See `Parameter`.

    Examples
    --------
    >>> float(Uniform(0, 360, period=360, unit="degrees").cdf(90))
    0.25
    """

    low: float
    high: float

    def _check(self) -> None:
        super()._check()
        if not 0 < self.high - self.low < math.inf:
            raise ValueError(
                f"Uniform: low must be below high, got {self.low:g} and {self.high:g}"
            )

    def _freeze(self, stats):
        return stats.uniform(self.low, self.high - self.low)

    def support(self):
        """Return the lowest and the highest possible value."""
        return self.low, self.high


@dataclass(frozen=True, eq=False, repr=False)
class Normal(Distribution):
    """The Gaussian distribution.

    Parameters
    ----------
    centre : float
        The mean.
    sd : float
        The standard deviation, positive.
    unit, period, description : optional
        See `Parameter`.
    """

    centre: float
    sd: float

    def _check(self) -> None:
        super()._check()
        if self.sd <= 0:
            raise ValueError(f"Normal: sd must be positive, got {self.sd:g}")

    def _freeze(self, stats):
        return stats.norm(self.centre, self.sd)


@dataclass(frozen=True, eq=False, repr=False)
class LogUniform(Distribution):
    """The logarithm is uniform: the density is proportional to 1 / x.

    Parameters
    ----------
    low, high : float
        The bounds, positive; both belong to the support.
    unit, period, description : optional
        See `Parameter`.
    """

    low: float
    high: float

    def _check(self) -> None:
        super()._check()
        if not (0 < self.low < self.high and math.log(self.low) < math.log(self.high)):
            raise ValueError(
                "LogUniform: both bounds must be positive and low below high, "
                f"got {self.low:g} and {self.high:g}"
            )

    def _freeze(self, stats):
        return stats.loguniform(self.low, self.high)

    def support(self):
        """Return the lowest and the highest possible value."""
        return self.low, self.high


@dataclass(frozen=True, eq=False, repr=False)
class TruncatedNormal(Distribution):
    """A Gaussian of which only the part between two bounds is left.

    Parameters
    ----------
    centre, sd : float
        Mean and standard deviation of the whole Gaussian.
    low, high : float
        The bounds, in units of the parameter (those of `scipy.stats.truncnorm` count
        standard deviations). Infinite by default.
    unit, period, description : optional
        See `Parameter`.

    Examples
    --------
    >>> TruncatedNormal(10, 4, low=0, unit="km").support()
    (0.0, inf)
    """

    centre: float
    sd: float
    low: float = -math.inf
    high: float = math.inf

    def _check(self) -> None:
        for name in self._parameters():
            self._set_number(name, infinite=name in ("low", "high"))
        if self.sd <= 0:
            raise ValueError(f"TruncatedNormal: sd must be positive, got {self.sd:g}")
        if not self.low < self.high:
            raise ValueError(
                "TruncatedNormal: low must be below high, got "
                f"{self.low:g} and {self.high:g}"
            )
        away = max(self.low - self.centre, self.centre - self.high) / self.sd
        if away > 1000:  # rounding of the values themselves begins to show
            raise ValueError(
                f"TruncatedNormal: the interval is {away:g} sd away from the centre"
            )

    def _freeze(self, stats):
        ends = (self.low - self.centre) / self.sd, (self.high - self.centre) / self.sd
        return stats.truncnorm(*ends, loc=self.centre, scale=self.sd)

    def support(self):
        """Return the lowest and the highest possible value."""
        return self.low, self.high

    def mean(self) -> float:
        """Return the expected value."""
        return self._moments()[0]

    def std(self) -> float:
        """Return the standard deviation."""
        return self._moments()[1]

    def _moments(self) -> tuple[float, float]:
        """Integrate about the mode: differences lose no digits, as those of scipy do.

        The density falls at least as exp(-x**2 / 2) and exp(-away * x), x in sd.
        """
        mode = min(max(self.centre, self.low), self.high)
        away = abs(mode - self.centre) / self.sd
        reach = self.sd * min(9.0, 40 / away if away else 9.0)
        left = max(self.low - mode, -reach)
        right = min(self.high - mode, reach)
        nodes, weights = np.polynomial.legendre.leggauss(100)
        x = left + (right - left) * (nodes + 1) / 2
        weights *= np.exp(-x * (x + 2 * (mode - self.centre)) / (2 * self.sd**2))
        weights /= weights.sum()
        mean = weights @ x
        return float(mode + mean), math.sqrt(weights @ (x - mean) ** 2)
