"""Priors: what is known about the parameters before the data are seen.

Wherever it can, a draw is made by inversion, m = F^-1(u), from one uniform number u
per sample and parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .designs import check_design, check_draw, even_points
from .draws import Sampler
from .joint import Joint
from .parameter import Distribution, Parameter, check_distribution
from .records import short
from .tables import Table


class Prior(Mapping):
    """Named parameters and their distributions, independent or joint.

    A mapping from name to distribution, in the order given, which is the order of
    the columns of every array of models. The tuple of names of a joint distribution
    gives that; each of its names gives a marginal.

    Parameters
    ----------
    blocks : mapping, optional
        {name: distribution} or {tuple of names: joint distribution}, before those
        that have names as arguments. A joint one is `MultivariateNormal`,
        `GivenModels`, or an object with ``sample(n, rng)``, (n, k), and
        ``logpdf(x)``, (n, k) to (n,); it may have `units`, `periods`, `descriptions`
        and `bounds`. It is asked for blocks of 256 samples, each with a
        `numpy.random.Generator` of its own.
    **named
        name=distribution: `Uniform`, `Normal`, `LogUniform`, `TruncatedNormal`, or
        any frozen continuous distribution of `scipy.stats`, bare or as a `Parameter`.

    Attributes
    ----------
    names : tuple of str
    units, descriptions : tuple of str
    periods : tuple of float or None
    bounds : numpy.ndarray, shape (n_parameters, 2)
        Lowest and highest value of each parameter; infinite where there is none, or
        where a joint distribution does not tell.

    Examples
    --------
    >>> prior = Prior(magnitude=Uniform(6.5, 7.7), depth=LogUniform(1, 30, unit="km"))
    >>> prior.sample(1000, seed=1).shape
    (1000, 2)
    >>> prior["magnitude"].mean()
    7.1
    >>> centre = MultivariateNormal([0, 0], [[4, 1], [1, 9]], units=("km", "km"))
    >>> prior = Prior({("east", "north"): centre}, depth=Uniform(1, 30, unit="km"))
    >>> prior.names
    ('east', 'north', 'depth')
    >>> prior["north"]
    Normal(0, 3, unit='km')
    """

    def __init__(self, blocks: Mapping | None = None, /, **named: Any) -> None:
        if blocks is not None and not isinstance(blocks, Mapping):
            raise TypeError(f"Prior: give {{name: distribution}}, not {blocks!r}")
        given = [*(blocks or {}).items(), *named.items()]
        if not given:
            raise ValueError("Prior: give at least one name=distribution")
        self._blocks: dict[str | tuple[str, ...], Distribution | Joint] = {}
        self._named: dict[str, Distribution] = {}
        for key, one in given:
            names = _check_names(key)
            for name in names:
                if name in self._named:
                    raise ValueError(f"Prior: {name!r} is there twice")
                self._named[name] = None
            if isinstance(key, tuple):
                block = _as_joint(names, one)
                self._named.update({n: block.marginal(j) for j, n in enumerate(names)})
            else:
                block = self._named[key] = _as_distribution(key, one)
            self._blocks[key] = block
        self.names = tuple(self._named)
        self.units = tuple(one.unit for one in self._named.values())
        self.periods = tuple(one.period for one in self._named.values())
        self.descriptions = tuple(one.description for one in self._named.values())

    def _placed(self):
        """Give name or names, distribution, and column or columns of each block."""
        first = 0
        for key, one in self._blocks.items():
            if isinstance(key, tuple):
                yield key, one, slice(first, first + len(key))
                first += len(key)
            else:
                yield key, one, first
                first += 1

    @property
    def bounds(self) -> np.ndarray:
        """Lowest and highest value of each parameter, shape (n_parameters, 2)."""
        bounds = np.empty((len(self), 2))
        for _, one, columns in self._placed():
            joint = isinstance(one, Joint)
            bounds[columns] = one.bounds if joint else one.support()
        return bounds

    def __getitem__(self, name):
        """Return the distribution of one parameter, or the joint one of several."""
        known = self._blocks if isinstance(name, tuple) else self._named
        try:
            return known[name]
        except (KeyError, TypeError):
            if isinstance(name, tuple):
                joint = [str(key) for key in self._blocks if isinstance(key, tuple)]
                text = f"no joint distribution of {name}; there is "
                raise KeyError(text + (", ".join(joint) or "none")) from None
            raise KeyError(
                f"no parameter {name!r} in the prior; it has {', '.join(self.names)}"
            ) from None

    def __iter__(self):
        """Go through the names."""
        return iter(self._named)

    def __len__(self) -> int:
        """Return the number of parameters."""
        return len(self._named)

    def __eq__(self, other: object) -> bool:
        """Say whether names, order, distributions, units and periods are the same."""
        if not isinstance(other, Prior):
            return NotImplemented
        return list(self._blocks.items()) == list(other._blocks.items())

    def __repr__(self) -> str:
        """Return the names with their distributions."""
        keys = list(self._blocks)
        plain = [isinstance(key, str) and key.isidentifier() for key in keys]
        last = max((i + 1 for i, one in enumerate(plain) if not one), default=0)
        texts = [f"{key!r}: {self._blocks[key]!r}" for key in keys[:last]]
        shown = [f"{{{', '.join(texts)}}}"] * (last > 0)
        shown += [f"{key}={self._blocks[key]!r}" for key in keys[last:]]
        return f"Prior({', '.join(shown)})"

    def summary(self) -> PriorTable:
        """Return a table of the parameters: a list of `PriorRow` that prints as one."""
        bounds, table = self.bounds, PriorTable()
        for key, one, _ in self._placed():
            for name in _check_names(key):
                kind = one._record()["kind"].rpartition(".")[2]
                kind += f" {key}" if isinstance(key, tuple) else ""
                about = self._named[name]
                low, high = map(float, bounds[len(table)])
                more = about.unit, low, high, about.period, about.description
                table.append(PriorRow(name, kind, *more))
        return table

    def describe(self) -> list[dict[str, Any]]:
        """Return what the prior consists of, in the types of JSON.

        Two priors with the same description draw the same models. Of an object whose
        inside is unknown it holds the name of its class and a few numbers that it
        returns, nine digits each; of given models their shape and the SHA-256 of
        their bytes.

        Returns
        -------
        list of dict
            One for each distribution, in order: "names", "kind", "parameters", and
            "units", "periods" and "descriptions" with an entry for each name.
        """
        described = []
        for key, one, _ in self._placed():
            names = _check_names(key)
            about = [self._named[name] for name in names]
            described.append(
                {
                    "names": list(names),
                    **one._record(),
                    "units": [marginal.unit for marginal in about],
                    "periods": [marginal.period for marginal in about],
                    "descriptions": [marginal.description for marginal in about],
                }
            )
        return described

    def sample(self, n, seed=0, *, start=0, design="random") -> np.ndarray:
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
        design : {"random", "sobol", "latin_hypercube"}
            How the models fill the space. The last two do so more evenly than random
            numbers (`scipy.stats.qmc`, scrambled by the seed), for distributions that
            are drawn by inversion: not for given models or samplers of your own. A
            Latin hypercube depends on n and has no `start`; a Sobol sequence does
            best when the whole run has a power of two.

        Returns
        -------
        numpy.ndarray, shape (n, n_parameters)
        """
        n, seed, start = check_draw(n, seed, start)
        points = None
        if check_design(design) != "random":
            for key, one in self._blocks.items():
                if not one.invertible:
                    raise ValueError(
                        f"design={design!r} needs distributions that are drawn by "
                        f"inversion; {key} is drawn by {one!r}: use design='random'"
                    )
            points = even_points(n, len(self), seed, start, design)
        models = np.empty((n, len(self)))
        for key, one, at in self._placed():
            if points is None:
                first = at.start if isinstance(at, slice) else at
                models[:, at] = one.draw(n, seed, start, first)
            else:
                models[:, at] = one.invert(points[:, at])
            if not np.isfinite(models[:, at]).all():
                raise ValueError(f"prior: {key!r} drew a value that is NaN or infinite")
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
        return sum(one.logpdf(models[..., at]) for _, one, at in self._placed())


class PriorRow(NamedTuple):
    """One line of a prior's summary."""

    name: str
    distribution: str
    unit: str
    low: float
    high: float
    period: float | None
    description: str


class PriorTable(Table):
    """Rows of a prior's summary, printed as a table."""

    texts = "parameter", "distribution", "unit", "description"

    def cells(self):
        """Give the lines; columns that would be empty are left out."""
        numbers = "low", "high", "period"
        lines = [("parameter", "distribution", "unit", *numbers, "description")]
        for row in self:
            ends = f"{row.low:g}", f"{row.high:g}"
            period = "" if row.period is None else short(row.period)
            lines.append((*row[:3], *ends, period, row.description))
        filled = [j for j in range(7) if any(line[j] for line in lines[1:])]
        return [[line[j] for j in filled] for line in lines]


def _check_names(key: Any) -> tuple[str, ...]:
    """Give the names that a key of a prior stands for."""
    names = key if isinstance(key, tuple) else (key,)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise TypeError(f"Prior: a key is a name or a tuple of names, not {key!r}")
    return names


def _as_distribution(name: str, one: Any) -> Distribution:
    if isinstance(one, Distribution):
        return one
    if isinstance(one, Joint):
        raise TypeError(
            f"Prior: {one!r} is of {one.width} parameters and needs a tuple of names, "
            f"not {name!r}"
        )
    check_distribution(f"Prior: {name!r}", one)
    return Parameter(one)


def _as_joint(names: tuple[str, ...], one: Any) -> Joint:
    where = f"Prior: {names}"
    if isinstance(one, type):
        raise TypeError(f"{where} needs an object, not the class {one!r}")
    if isinstance(one, Joint):
        if one.width != len(names):
            raise ValueError(
                f"{where} are {len(names)} names for the {one.width} parameters of "
                f"{one!r}"
            )
        return one
    missing = [m for m in ("sample", "logpdf") if not callable(getattr(one, m, None))]
    if missing or isinstance(one, Distribution):
        raise TypeError(
            f"{where} must be MultivariateNormal, GivenModels or an object with "
            f"sample(n, rng) and logpdf(x), not {one!r}"
        )
    return Sampler(names, one)
