"""Posteriors in numbers: a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .tables import Table

TABLE = "<quantiles"  # how the name of a table begins


def summarise(mixtures: Mapping, prior: Any, confidence: float) -> Summary:
    """Give a row for each target and observation; without gains if prior is None."""
    table = Summary()
    for name, mixture in mixtures.items():
        of_prior = None if prior is None else prior.get(name)
        low, high = mixture.interval(confidence)
        gain = np.nan if of_prior is None else mixture.information_gain(of_prior)
        columns = np.broadcast_arrays(mixture.median(), low, high, gain)
        unit = getattr(of_prior, "unit", "")
        shown = "" if of_prior is None else repr(of_prior)
        for i, values in enumerate(zip(*map(np.ravel, columns), strict=True)):
            table.append(SummaryRow(name, unit, i, *map(float, values), shown))
    return table


class SummaryRow(NamedTuple):
    """One line of a summary; `gain` is KL(posterior || `prior`) in nats."""

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
        numbers = "median", "low", "high", "KL(posterior||prior)"
        yield ["target", "unit", *["no."] * several, *numbers]
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
