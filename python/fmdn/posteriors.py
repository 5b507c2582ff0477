"""The posteriors of an inversion, and their table."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .stored_prior import part_of, together
from .tables import Table

TABLE = "<quantiles"  # how a table's name begins


class Posteriors(Mapping):
    """The posteriors of an inversion: a mapping from target to `Mixture`.

    A target that was inferred jointly with others is also found by its own name,
    which gives its marginal.

    Attributes
    ----------
    prior : Prior or None
        What was given, and what the posteriors know of other targets.
    """

    def __init__(self, mixtures, prior=None):
        self._mixtures = mixtures
        self.prior = together(prior, [one.prior for one in mixtures.values()])

    def __getitem__(self, key):
        """Return the posterior of a target."""
        if key in self._mixtures:
            return self._mixtures[key]
        for names, mixture in self._mixtures.items():
            if isinstance(names, tuple) and key in names:
                return mixture.marginal(key)
        known = ", ".join(map(repr, self._mixtures))
        raise KeyError(f"no posterior of {key!r}; there is {known}")

    def __iter__(self):
        """Go through the targets."""
        return iter(self._mixtures)

    def __len__(self):
        """Return the number of targets."""
        return len(self._mixtures)

    def __repr__(self):
        """Return the targets."""
        return f"<Posteriors of {', '.join(map(repr, self))}>"

    def marginals(self):
        """Return {name: Mixture} with the joint ones taken apart."""
        keys = [k if isinstance(k, tuple) else (k,) for k in self]
        return {name: self[name] for names in keys for name in names}

    def summary(self, confidence=0.9):
        """Return a table of medians, intervals and information gains.

        Parameters
        ----------
        confidence : float
            Probability within the interval, half of the rest on either side.

        Returns
        -------
        Summary
            A list with a `SummaryRow` per target (and observation) that prints as a
            table; ``pandas.DataFrame(summary)`` takes it as it is.
        """
        table = Summary()
        for name, mixture in self.marginals().items():
            prior = part_of(self.prior, (name,))
            unit, shown = (prior.units[0], repr(prior[name])) if prior else ("", "")
            low, high = mixture.interval(confidence)
            gain = mixture.information_gain(prior[name]) if prior else np.nan
            columns = np.broadcast_arrays(mixture.median(), low, high, gain)
            for i, values in enumerate(zip(*map(np.ravel, columns), strict=True)):
                table.append(SummaryRow(name, unit, i, *map(float, values), shown))
        return table

    def plot(self, **options):
        """Draw prior, members and posterior of each target, one panel each.

        Takes what `fmdn.plots.plot_posteriors` does; returns its Figure.
        """
        from .plots import plot_posteriors

        return plot_posteriors(self.marginals(), self.prior, **options)


class SummaryRow(NamedTuple):
    """One line of a summary; `gain` is the information over `prior`, in nats."""

    target: str
    unit: str
    observation: int
    median: float
    low: float
    high: float
    gain: float
    prior: str = ""


class Summary(Table):
    """Rows of a summary, printed as a table."""

    texts = "target", "unit"

    def cells(self):
        """Give the lines; numbers with the digits that the interval leaves sense."""
        several = any(row.observation for row in self)
        yield ["target", "unit", *["no."] * several, "median", "low", "high", "gain"]
        for row in self:
            spread = abs(row.high - row.low) or 1.0
            digits = int(np.clip(2 - np.floor(np.log10(spread)), 0, 12))
            numbers = [f"{x:.{digits}f}" for x in (row.median, row.low, row.high)]
            gain = "" if np.isnan(row.gain) else f"{row.gain:.2f} nat"
            gain += "*" * row.prior.startswith(TABLE)
            number = [str(row.observation)] * several
            yield [row.target, row.unit, *number, *numbers, gain]

    def __str__(self):
        """Return the table, and a note where priors are tables themselves."""
        noted = any(row.prior.startswith(TABLE) for row in self)
        return (
            super().__str__() + "\n* over the quantiles of the training targets" * noted
        )

    __repr__ = __str__
