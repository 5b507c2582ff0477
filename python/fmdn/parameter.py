"""A parameter: its distribution, with unit, period and description."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from .checks import check_number
from .designs import uniforms
from .records import digits, plain, qualified_name, short

FINGERPRINT = (0.01, 0.25, 0.5, 0.75, 0.99)


@dataclass(frozen=True, eq=False, repr=False)
class Distribution:
    """What distributions of one parameter have in common.

    The methods have the names and the meaning of those in `scipy.stats`, which does
    the work.

    Parameters
    ----------
    unit : str
        For tables and figures.
    period : float, optional
        The parameter is an angle or a phase: values that differ by `period` are the
        same. At least as long as the support, where that is bounded; draws are not
        wrapped.
    description : str
        For tables and figures: what the parameter is.
    """

    unit: str = field(default="", kw_only=True)
    period: float | None = field(default=None, kw_only=True)
    description: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        kind = type(self).__name__
        for name in ("unit", "description"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(
                    f"{kind}: {name} must be a text, not {getattr(self, name)!r}"
                )
        period = check_period(kind, self.period)
        object.__setattr__(self, "period", period)
        self._check()
        if period is None:
            return
        low, high = map(float, self.support())
        if math.inf > high - low > period:
            raise ValueError(
                f"{kind}: period {period:g} is shorter than the interval from "
                f"{low:g} to {high:g}"
            )

    def _check(self) -> None:
        """Check the parameters: numbers, finite ones."""
        for name in self._parameters():
            self._set_number(name)

    def _set_number(self, name: str, *, infinite: bool = False) -> None:
        what = f"{type(self).__name__}: {name}"
        number = check_number(what, getattr(self, name), infinite=infinite)
        object.__setattr__(self, name, number)

    def _parameters(self) -> dict[str, Any]:
        """Give what the distribution itself consists of."""
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.kw_only}

    def _record(self) -> dict[str, Any]:
        """Give kind and parameters in the types of JSON."""
        parameters = {name: plain(value) for name, value in self._parameters().items()}
        return {"kind": type(self).__name__, "parameters": parameters}

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        about = [
            (one._record(), one.unit, one.period, one.description)
            for one in (self, other)
        ]
        return about[0] == about[1]

    def __hash__(self) -> int:
        return hash((repr(self._record()), self.unit, self.period, self.description))

    def __repr__(self) -> str:
        shown = [short(value) for value in self._parameters().values()]
        for name in ("unit", "period", "description"):
            if getattr(self, name):
                shown.append(f"{name}={short(getattr(self, name))}")
        return f"{type(self).__name__}({', '.join(shown)})"

    @cached_property
    def _frozen(self):
        from scipy import stats  # takes a while: not at `import fmdn`

        return self._freeze(stats)

    def pdf(self, x):
        """Return the probability density at `x`."""
        return self._frozen.pdf(x)

    def logpdf(self, x):
        """Return the logarithm of the density at `x`."""
        return self._frozen.logpdf(x)

    def cdf(self, x):
        """Return the probability of at most `x`."""
        return self._frozen.cdf(x)

    def sf(self, x):
        """Return the probability of more than `x`."""
        return self._frozen.sf(x)

    def ppf(self, q):
        """Return the value below which lies the probability `q`."""
        return np.clip(self._frozen.ppf(q), *self.support())  # rounding stays inside

    def support(self) -> tuple[float, float]:
        """Return the lowest and the highest possible value."""
        return self._frozen.support()

    def mean(self) -> float:
        """Return the expected value."""
        return float(self._frozen.mean())

    def median(self) -> float:
        """Return the value that divides the probability in halves."""
        return float(self.ppf(0.5))

    def std(self) -> float:
        """Return the standard deviation."""
        return float(self._frozen.std())

    def sample(self, n, seed=0, *, start=0) -> np.ndarray:
        """Draw values number start ... start + n - 1 of a run, shape (n,)."""
        return self.draw(n, seed, start)

    # --- What a prior asks of its blocks ------------------------------------------

    invertible = True

    def draw(self, n, seed, start=0, stream=0) -> np.ndarray:
        """Draw by inversion from one uniform number per sample."""
        return self.invert(uniforms(n, seed, start, stream))

    def invert(self, points) -> np.ndarray:
        """Turn uniform numbers into values."""
        return self.ppf(points)


@dataclass(frozen=True, eq=False, repr=False)
class Parameter(Distribution):
    """A distribution of `scipy.stats`, with what it does not know of the parameter.

    Parameters
    ----------
    distribution : frozen continuous distribution of `scipy.stats`
        Or anything else with its methods logpdf, cdf and ppf.
    unit : str
        For tables and figures.
    period : float, optional
        The parameter is an angle or a phase: values that differ by `period` are the
        same. At least as long as the support, where that is bounded; draws are not
        wrapped.
    description : str
        For tables and figures: what the parameter is.

    Examples
    --------
    >>> from scipy import stats
    >>> Parameter(stats.gamma(3, scale=4), unit="km").mean()
    12.0
    """

    distribution: Any

    def _check(self) -> None:
        check_distribution("Parameter", self.distribution)

    def _freeze(self, stats):
        return self.distribution

    def support(self):
        """Return the lowest and the highest possible value."""
        if hasattr(self.distribution, "support"):
            return self.distribution.support()
        return tuple(self.distribution.ppf(np.array([0.0, 1.0])))

    def _record(self) -> dict[str, Any]:
        one, family = self.distribution, getattr(self.distribution, "dist", None)
        parameters = {}
        if family is not None:
            parameters["args"] = [plain(value) for value in one.args]
            parameters["kwds"] = {k: plain(value) for k, value in one.kwds.items()}
            from scipy import stats

            if type(family) is type(getattr(stats, str(family.name), None)):
                return {"kind": f"scipy.stats.{family.name}", "parameters": parameters}
        # what an object of another's class holds is unknown: tell it by what it does
        parameters["quantiles"] = digits(one.ppf(np.array(FINGERPRINT)))
        return {"kind": qualified_name(family or one), "parameters": parameters}


def check_distribution(where: str, one: Any) -> None:
    """Refuse what is no distribution of one number."""
    if isinstance(one, type) or hasattr(one, "freeze"):
        raise TypeError(
            f"{where} needs a distribution with its parameters, not {one!r}"
        )
    if isinstance(one, Distribution):
        raise TypeError(f"{where}: {one!r} takes unit, period and description itself")
    missing = [m for m in ("logpdf", "cdf", "ppf") if not hasattr(one, m)]
    if missing:
        raise TypeError(
            f"{where} must be Uniform, Normal, LogUniform, TruncatedNormal or a frozen "
            f"continuous scipy.stats distribution; {one!r} has no {', '.join(missing)}"
        )
    median = np.asarray(one.ppf(0.5))
    if median.shape != () or not np.isfinite(median):
        raise ValueError(f"{where} is no distribution of one number: median {median}")


def check_period(where: str, period: Any) -> float | None:
    """Give a period as a float."""
    if period is None:
        return None
    period = check_number(f"{where}: period", period)
    if period <= 0:
        raise ValueError(f"{where}: period must be positive, got {period:g}")
    return period
