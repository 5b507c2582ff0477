"""Tables of calibrations: all about one posterior, and many side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from .tables import Table
from .uniformity import format_p


class CalibrationRow(NamedTuple):
    """One quantity, and what is expected if the posteriors are right.

    `p` is that of its test, NaN where there is none.
    """

    quantity: str
    value: float
    error: float
    expected: float
    unit: str
    p: float


class CalibrationTable(Table):
    """All quantities of one calibration, printed as a table."""

    texts = "quantity", "unit"

    def cells(self):
        """Give the lines; numbers with the digits that their error leaves sense."""
        yield "quantity", "value", "error", "if right", "unit", "p"
        for row in self:
            p = "" if np.isnan(row.p) else format_p(row.p)
            value, error = format_estimate(row.value, row.error)
            expected, _ = format_estimate(row.expected, row.error)
            yield row.quantity, value, error, expected, row.unit, p


class Calibrations(Mapping):
    """Calibrations under names: of an inversion's targets, or of groups of rows."""

    def __init__(self, calibrations: Mapping[str, Any]):
        self._calibrations = dict(calibrations)

    def __getitem__(self, name: str) -> Any:
        """Return one of them."""
        if name not in self._calibrations:
            known = ", ".join(self._calibrations)
            raise KeyError(f"no calibration of {name!r}; there is {known}")
        return self._calibrations[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._calibrations)

    def __len__(self) -> int:
        """Return their number."""
        return len(self._calibrations)

    def __repr__(self) -> str:
        """Return what was tested and the outcomes."""
        verdicts = (f"{name}: {one.verdict}" for name, one in self.items())
        return f"<Calibrations of {', '.join(verdicts)}>"

    def plot(self):
        """Draw a line of panels for each: see `plots_calibration`."""
        from .plots_calibration import plot_calibrations

        return plot_calibrations(self)

    def summary(self) -> ComparisonTable:
        """Return a table with a `ComparisonRow` for each."""
        table = ComparisonTable()
        for name, one in self.items():
            biases, spreads = one.bias.values(), one.spread.values()
            numbers = [
                one.loss.value,
                *one.gain,
                max((b.value for b in biases), key=abs),
                max((s.value for s in spreads), key=lambda x: abs(np.log(x))),
                float(one.coverage(0.5)),
                float(one.coverage(0.9)),
                *one.excess_coverage,
                one.p_value,
            ]
            table.append(ComparisonRow(name, len(one), *numbers, one.verdict))
        return table


class ComparisonRow(NamedTuple):
    """One calibration among others; of a joint one the worst bias and spread."""

    name: str
    n: int
    loss: float
    gain: float
    gain_error: float
    bias: float
    spread: float
    coverage_50: float
    coverage_90: float
    excess: float
    excess_error: float
    p: float
    verdict: str


class ComparisonTable(Table):
    """Calibrations side by side, printed as a table."""

    texts = "posterior", "verdict"

    def cells(self):
        """Give the lines; without gains where no prior is known."""
        known = any(not np.isnan(row.gain) for row in self)
        gain = ["gain (nat)"] * known
        shares = "50 %", "90 %", "excess (%)"
        yield ["posterior", "n", *gain, "bias", "spread", *shares, "p", "verdict"]
        for row in self:
            gain = [" ± ".join(format_estimate(row.gain, row.gain_error))] * known
            inside = f"{100 * row.coverage_50:.1f}", f"{100 * row.coverage_90:.1f}"
            excess = f"{100 * row.excess:+.1f} ± {100 * row.excess_error:.1f}"
            scatter = f"{row.bias:+.2f}", f"{row.spread:.2f}"
            last = format_p(row.p), row.verdict
            yield [row.name, str(row.n), *gain, *scatter, *inside, excess, *last]


def format_estimate(value: float, error: float) -> tuple[str, str]:
    """Value and error, to two digits of the error."""
    if np.isnan(value):
        return "", ""
    if not (np.isfinite(error) and error > 0):
        return f"{value:.4g}", f"{error:.2g}"
    digits = int(np.clip(1 - np.floor(np.log10(error)), 0, 12))
    return f"{value:.{digits}f}", f"{error:.{digits}f}"
