"""Priors: what is known about the parameters before the data are seen.

A draw is made by inversion, m = F^-1(u), from one uniform number u per sample and
parameter. The uniforms come from a counter-based generator (Philox: Salmon et al.
2011, doi:10.1145/2063384.2063405), so sample i depends on (seed, i) alone: a run can
be extended later, or split over machines, and the parts make up the whole.
"""

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np


class Distribution:
    """What the package's own distributions of one parameter have in common.

    The methods have the names and the meaning of those in `scipy.stats`, which does
    the work; a frozen distribution from there stands wherever one of these does.
    """

    period: float | None = None
    unit: str = ""

    def __post_init__(self):
        """Check that the numbers are numbers."""
        kind = type(self).__name__
        if not isinstance(self.unit, str):
            raise TypeError(f"{kind}: unit must be a text, not {self.unit!r}")
        for name in (entry.name for entry in fields(self)):
            value = getattr(self, name)
            if name != "unit" and not (name == "period" and value is None):
                number = _number(f"{kind}: {name}", value)
                object.__setattr__(self, name, number)
        if self.period is not None and self.period <= 0:
            raise ValueError(f"{kind}: period must be positive, got {self.period:g}")

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

    def support(self):
        """Return the lowest and the highest possible value."""
        return self._frozen.support()

    def mean(self):
        """Return the expected value."""
        return float(self._frozen.mean())

    def median(self):
        """Return the value that divides the probability in halves."""
        return float(self.ppf(0.5))

    def std(self):
        """Return the standard deviation."""
        return float(self._frozen.std())

    def sample(self, n, seed=0, *, start=0):
        """Draw values number start ... start + n - 1 of a run, shape (n,)."""
        return self.ppf(_uniforms(n, seed, start))


@dataclass(frozen=True)
class Uniform(Distribution):
    """Every value between two bounds is as likely as any other.

    Parameters
    ----------
    low, high : float
        The bounds; both belong to the support.
    period : float, optional
        The parameter is an angle or a phase: values that differ by `period` are the
        same. At least as long as the interval.
    unit : str, optional
        For tables and figures.

    Examples
    --------
    >>> float(Uniform(0, 360, period=360, unit="degrees").cdf(90))
    0.25
    """

    low: float
    high: float
    period: float | None = field(default=None, kw_only=True)
    unit: str = field(default="", kw_only=True)

    def __post_init__(self):
        """Check that there is an interval, and that the period covers it."""
        super().__post_init__()
        width = self.high - self.low
        if not 0 < width < math.inf:
            raise ValueError(
                f"Uniform: low must be below high, got {self.low:g} and {self.high:g}"
            )
        if self.period is not None and self.period < width:
            raise ValueError(
                f"Uniform: period {self.period:g} is shorter than the interval "
                f"from {self.low:g} to {self.high:g}"
            )

    def _freeze(self, stats):
        return stats.uniform(self.low, self.high - self.low)

    def support(self):
        """Return the lowest and the highest possible value."""
        return self.low, self.high


@dataclass(frozen=True)
class Normal(Distribution):
    """The Gaussian distribution.

    Parameters
    ----------
    centre : float
        The mean.
    sd : float
        The standard deviation, positive.
    period : float, optional
        The parameter is an angle or a phase: values that differ by `period` are the
        same. Draws are not wrapped.
    unit : str, optional
        For tables and figures.
    """

    centre: float
    sd: float
    period: float | None = field(default=None, kw_only=True)
    unit: str = field(default="", kw_only=True)

    def __post_init__(self):
        """Check that there is a width."""
        super().__post_init__()
        if self.sd <= 0:
            raise ValueError(f"Normal: sd must be positive, got {self.sd:g}")

    def _freeze(self, stats):
        return stats.norm(self.centre, self.sd)


@dataclass(frozen=True)
class LogUniform(Distribution):
    """The logarithm is uniform: the density is proportional to 1 / x.

    Parameters
    ----------
    low, high : float
        The bounds, positive; both belong to the support.
    unit : str, optional
        For tables and figures.
    """

    low: float
    high: float
    unit: str = field(default="", kw_only=True)

    def __post_init__(self):
        """Check that there is an interval of positive numbers."""
        super().__post_init__()
        if not (0 < self.low < self.high and math.log(self.low) < math.log(self.high)):
            raise ValueError(
                "LogUniform: both bounds must be positive and low below high, "
                f"got {self.low:g} and {self.high:g}"
            )

    def _freeze(self, stats):
        return stats.loguniform(self.low, self.high)


class Prior(Mapping):
    """Independent parameters, each with its name and its distribution.

    A mapping from name to distribution, in the order given, which is the order of
    the columns of every array of models.

    Parameters
    ----------
    **named
        name=distribution: `Uniform`, `Normal`, `LogUniform`, or any frozen
        continuous distribution of `scipy.stats`.

    Attributes
    ----------
    names : tuple of str
    periods : tuple of float or None
    units : tuple of str

    Examples
    --------
    >>> prior = Prior(magnitude=Uniform(6.5, 7.7), depth=LogUniform(1, 30, unit="km"))
    >>> prior.sample(1000, seed=1).shape
    (1000, 2)
    >>> prior["magnitude"].mean()
    7.1
    """

    def __init__(self, /, **named):
        if not named:
            raise ValueError("Prior: give at least one name=distribution")
        for name, distribution in named.items():
            _check_distribution(name, distribution)
        self._named = named
        self.names = tuple(named)
        self.periods = tuple(getattr(one, "period", None) for one in named.values())
        self.units = tuple(getattr(one, "unit", "") for one in named.values())

    @property
    def bounds(self):
        """Lowest and highest value of each parameter, shape (n_parameters, 2)."""
        ends = [
            one.support() if hasattr(one, "support") else one.ppf(np.array([0.0, 1.0]))
            for one in self.values()
        ]
        return np.array(ends, float)

    def __getitem__(self, name):
        """Return the distribution of one parameter."""
        try:
            return self._named[name]
        except KeyError:
            known = ", ".join(self.names)
            raise KeyError(
                f"no parameter {name!r} in the prior; it has {known}"
            ) from None

    def __iter__(self):
        """Go through the names."""
        return iter(self._named)

    def __len__(self):
        """Return the number of parameters."""
        return len(self._named)

    def __repr__(self):
        """Return the names with their distributions."""
        return f"Prior({', '.join(f'{name}={one!r}' for name, one in self.items())})"

    def sample(self, n, seed=0, *, start=0):
        """Draw models.

        Parameters
        ----------
        n : int
            How many.
        seed : int
            Sample i depends on the seed and i alone.
        start : int
            Number of the first one: ``sample(5)`` is ``sample(3)`` followed by
            ``sample(2, start=3)``.

        Returns
        -------
        numpy.ndarray, shape (n, n_parameters)
        """
        n = _whole("n", n)
        models = np.empty((n, len(self)))
        for column, (name, one) in enumerate(self.items()):
            models[:, column] = one.ppf(_uniforms(n, seed, start, column))
            if not np.isfinite(models[:, column]).all():
                raise ValueError(
                    f"prior: {name!r} drew a value that is NaN or infinite"
                )
        return models

    def logpdf(self, models):
        """Logarithm of the joint density, in nats; -inf outside the support.

        Parameters
        ----------
        models : array_like, shape (n_parameters,) or (n, n_parameters)

        Returns
        -------
        float or numpy.ndarray, shape (n,)
        """
        models = np.asarray(models, float)
        if models.shape[-1:] != (len(self),):
            raise ValueError(
                f"models must have {len(self)} columns ({', '.join(self.names)}); "
                f"got shape {models.shape}"
            )
        return sum(one.logpdf(models[..., j]) for j, one in enumerate(self.values()))


def _uniforms(n, seed, start=0, stream=0):
    """Return the numbers in (0, 1) that belong to samples start ... start + n - 1."""
    n, seed, start = _whole("n", n), _whole("seed", seed), _whole("start", start)
    bits = np.random.Philox(np.random.SeedSequence(seed, spawn_key=(stream,)))
    bits.advance(start // 4)  # one step of the counter makes four words
    words = bits.random_raw(start % 4 + n)[start % 4 :]
    return ((words >> np.uint64(12)) + 0.5) * 2.0**-52  # exact, and neither 0 nor 1


def _whole(name, value):
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < 0:
        raise ValueError(f"{name} must not be negative, got {number}")
    return number


def _number(name, value):
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}")
    return number


def _check_distribution(name, one):
    if isinstance(one, Distribution):
        return
    where = f"Prior: {name!r}"
    if isinstance(one, type) or hasattr(one, "freeze"):
        raise TypeError(
            f"{where} needs a distribution with its parameters, not {one!r}"
        )
    missing = [m for m in ("logpdf", "cdf", "ppf") if not hasattr(one, m)]
    if missing:
        raise TypeError(
            f"{where} must be Uniform, Normal, LogUniform or a frozen continuous "
            f"scipy.stats distribution; {one!r} has no {', '.join(missing)}"
        )
    median = np.asarray(one.ppf(0.5))
    if median.shape != () or not np.isfinite(median):
        raise ValueError(f"{where} is no distribution of one number: median {median}")
