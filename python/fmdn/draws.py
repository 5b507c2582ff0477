"""Joint distributions that are known by their draws: given models, the user's own."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .checks import check_rows
from .designs import check_draw
from .joint import Joint, own
from .parameter import Distribution
from .records import digits, qualified_name
from .tabulated import Tabulated, levels

BLOCK = 256  # samples that a sampler of the user's draws at a time
TABLE = 100_000  # draws that its marginals are made of


class Drawn(Joint):
    """A joint distribution whose marginals are made of draws."""

    def marginal(self, column: int) -> Distribution:
        """Return the distribution of one parameter: a table of the quantiles of draws.

        Its support is what the draws span.
        """
        return Empirical(
            self,
            column,
            unit=self.units[column],
            period=self.periods[column],
            description=self.descriptions[column],
        )

    @cached_property
    def _knots(self) -> np.ndarray:
        """Quantiles, a row for each of `_levels`, a column for each parameter."""
        return np.quantile(self._all_draws(), self._levels, axis=0)

    @property
    def _levels(self) -> np.ndarray:
        """Probabilities, as many as the root of the number of draws."""
        return levels(1 + math.isqrt(self._n_draws))


class GivenModels(Drawn):
    """An array of models that come from elsewhere: sample i is row i, for any seed.

    Rows that are sorted, or the steps of a chain, are better shuffled before. There is
    no density; marginals are those of the rows.

    Parameters
    ----------
    models : array_like, shape (n, k)
    units, periods, descriptions : sequence, optional
        An entry for each parameter: see `Parameter`.
    """

    def __init__(self, models, *, units=None, periods=None, descriptions=None):
        self.models = own(check_rows("GivenModels: models", models))
        super().__init__(self.models.shape[1], units, periods, descriptions)

    def __repr__(self) -> str:
        return f"GivenModels({len(self.models)} of {self.width} parameters)"

    def draw(self, n, seed, start=0, stream=0) -> np.ndarray:
        """Give rows start ... start + n - 1."""
        n, seed, start = check_draw(n, seed, start)
        if n and start + n > len(self.models):
            raise ValueError(
                f"there are {len(self.models)} given models; samples {start} to "
                f"{start + n - 1} were asked for, counted from 0"
            )
        return self.models[start : start + n]

    def logpdf(self, x):
        """Refuse: nobody knows the density."""
        raise NotImplementedError("given models have no density: logpdf is not known")

    @property
    def _n_draws(self) -> int:
        return len(self.models)

    def _all_draws(self) -> np.ndarray:
        return self.models

    def _record(self) -> dict[str, Any]:
        digest = hashlib.sha256(self.models.astype("<f8").tobytes()).hexdigest()
        parameters = {"shape": list(self.models.shape), "sha256": digest}
        return {"kind": self._kind, "parameters": parameters}


class Sampler(Drawn):
    """An object of the user's with ``sample(n, rng)`` and ``logpdf(x)``.

    It is called for one block of samples at a time, with a generator of its own, so
    that a block depends on seed and number of the block alone. It may also have
    `units`, `periods`, `descriptions`, and `bounds`, (width, 2).
    """

    def __init__(self, names: tuple[str, ...], source: Any):
        self.names, self.source = names, source
        about = ("units", "periods", "descriptions")
        super().__init__(len(names), *(getattr(source, what, None) for what in about))
        if self.bounds.shape != (self.width, 2):
            raise ValueError(
                f"{self._kind}: bounds must be ({self.width}, 2), got shape "
                f"{self.bounds.shape}"
            )

    @property
    def _kind(self) -> str:
        return type(self.source).__name__

    def __repr__(self) -> str:
        return repr(self.source)

    @property
    def bounds(self) -> np.ndarray:
        """Lowest and highest value of each parameter; infinite where not known."""
        return np.array(getattr(self.source, "bounds", super().bounds), float)

    def draw(self, n, seed, start=0, stream=0) -> np.ndarray:
        """Draw the blocks that hold the samples, and cut."""
        n, seed, start = check_draw(n, seed, start)
        first, last = start // BLOCK, -(-(start + n) // BLOCK)
        blocks = [self._block(seed, stream, number) for number in range(first, last)]
        draws = np.concatenate([np.empty((0, self.width)), *blocks])
        return draws[start - first * BLOCK :][:n]

    def _block(self, seed: int, stream: int, number: int) -> np.ndarray:
        sequence = np.random.SeedSequence(seed, spawn_key=(stream, number))
        rng = np.random.Generator(np.random.PCG64(sequence))
        draws = np.asarray(self.source.sample(BLOCK, rng))
        if draws.shape == (BLOCK,) and self.width == 1:
            draws = draws[:, np.newaxis]
        if draws.shape != (BLOCK, self.width) or draws.dtype.kind not in "fiu":
            raise ValueError(
                f"{self._kind}: sample({BLOCK}, rng) must return numbers of shape "
                f"({BLOCK}, {self.width}) for {', '.join(self.names)}, got "
                f"{draws.dtype} of shape {draws.shape}"
            )
        return draws

    def logpdf(self, x):
        """Return the logarithm of the density at `x`, shape (..., width)."""
        rows, shape = self._rows(x)
        values = np.asarray(self.source.logpdf(rows), float)
        if values.shape != (len(rows),) or np.isnan(values).any():
            what = "NaN" if np.isnan(values).any() else f"shape {values.shape}"
            raise ValueError(
                f"{self._kind}: logpdf must return one number for each of {len(rows)} "
                f"models, got {what}"
            )
        return values.reshape(shape)[()]

    _n_draws = TABLE

    def _all_draws(self) -> np.ndarray:
        return self.draw(TABLE, 0)

    def _record(self) -> dict[str, Any]:
        # what the object holds is unknown: tell it by its first draw
        first = digits(self._block(0, 0, 0)[0])
        return {"kind": qualified_name(self.source), "parameters": {"first": first}}


@dataclass(frozen=True, eq=False, repr=False)
class Empirical(Distribution):
    """A marginal of which only draws are known: a table of their quantiles.

    Between the entries of the table the density is constant.
    """

    joint: Drawn
    column: int

    def __post_init__(self) -> None:
        """Check nothing: it would take draws, which are for when they are needed."""

    def _freeze(self, stats):
        knots = self.joint._knots[:, self.column]
        if knots[0] == knots[-1]:
            raise ValueError(f"{self!r}: all draws are {knots[0]:g}, no distribution")
        return Tabulated(knots, self.joint._n_draws)._freeze(stats)

    def support(self):
        """Return the lowest and the highest of the draws."""
        knots = self.joint._knots[:, self.column]
        return float(knots[0]), float(knots[-1])

    @property
    def jumps(self) -> np.ndarray:
        """Where the density jumps."""
        return np.unique(self.joint._knots[:, self.column])

    def _record(self) -> dict[str, Any]:
        parameters = {"of": self.joint._record(), "column": self.column}
        return {"kind": "marginal", "parameters": parameters}

    def __repr__(self) -> str:
        return f"<marginal of {self.joint!r}: quantiles of {self.joint._n_draws} draws>"
