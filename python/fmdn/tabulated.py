"""A distribution that is known by its quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .parameter import Distribution


@dataclass(frozen=True, eq=False, repr=False)
class Tabulated(Distribution):
    """A table of quantiles, between which the density is constant.

    Parameters
    ----------
    quantiles : array_like, shape (m,)
        At the probabilities that `levels(m)` gives.
    n_values : int
        Number of values that they are quantiles of.
    of : str
        What these are, for people.
    unit, period, description : optional
        See `Parameter`.
    """

    quantiles: Any
    n_values: int
    of: str = "values"

    @classmethod
    def of_values(cls, values, weights=None, **about) -> Tabulated:
        """Tabulate values (n,), as many quantiles as the root of their number.

        So steps of probability and errors of the density both vanish as n grows.
        """
        n, period = len(values), about.get("period")
        if period is not None and np.ptp(values) > period:
            first = np.median(values) - period / 2
            values = first + np.mod(values - first, period)
        at = levels(1 + math.isqrt(n))
        method = "linear" if weights is None else "inverted_cdf"
        quantiles = np.quantile(values, at, weights=weights, method=method)
        return cls(quantiles, n, **about)

    def _check(self) -> None:
        q = np.array(self.quantiles, float)
        if q.ndim != 1 or len(q) < 2 or not np.isfinite(q).all():
            raise ValueError(
                "Tabulated: quantiles must be finite numbers, two at least"
            )
        if (np.diff(q) < 0).any() or q[0] == q[-1]:
            raise ValueError("Tabulated: quantiles must increase")
        q.flags.writeable = False
        object.__setattr__(self, "quantiles", q)
        object.__setattr__(self, "n_values", int(self.n_values))

    def _freeze(self, stats):
        at = levels(len(self.quantiles))
        # the mass at a value that several share goes to the interval before it
        values, first = np.unique(self.quantiles, return_index=True)
        last = np.append(first[1:], len(at)) - 1
        mass = np.diff(at[last], prepend=0)[1:]
        mass[0] += at[last[0]]
        return stats.rv_histogram((mass / np.diff(values), values), density=True)

    def support(self):
        """Return the first and the last of the quantiles."""
        return float(self.quantiles[0]), float(self.quantiles[-1])

    def inside(self, x) -> np.ndarray:
        """Move points to the support: beyond, there is no knowing."""
        low, high = self.support()  # the last of which belongs to no interval
        return np.clip(x, low, np.nextafter(high, low))

    @property
    def jumps(self) -> np.ndarray:
        """Where the density jumps, beside the ends of the support."""
        return np.unique(self.quantiles)[1:-1]

    def _parameters(self) -> dict[str, Any]:
        exact = " ".join(format(x, ".17g") for x in self.quantiles)
        return {"quantiles": exact, "n_values": self.n_values, "of": self.of}

    def _record(self) -> dict[str, Any]:
        return {"kind": "Tabulated", "parameters": self._parameters()}

    def __repr__(self) -> str:
        return f"<quantiles of {self.n_values} {self.of}>"


def levels(n: int) -> np.ndarray:
    """Probabilities of n quantiles: close at the ends, or tails would be drawn out."""
    return np.sin(np.pi / 2 * np.linspace(0, 1, n)) ** 2
