"""Where targets can lie: what a prior says of it, and what the kernels make of that.

`docs/bounds.md` says why which kind of range serves which kind of prior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .distributions import LogUniform
from .draws import Empirical

FREE, TRUNCATED, LOG_TRUNCATED, HALF_LINE, PROBIT, LOG_PROBIT, PERIODIC = range(7)
MAX_PERIODIC = 4  # kernels are wrapped three times for each
NONE = np.finfo(float).max  # an end that does not exist, for the core


@dataclass(frozen=True)
class Ranges:
    """Kinds and ends of the ranges of targets, as the core takes them."""

    kinds: np.ndarray  # (c,) intc
    low: np.ndarray  # (c,)
    high: np.ndarray

    @classmethod
    def free(cls, n: int) -> Ranges:
        """Ranges that say nothing."""
        return cls(np.zeros(n, np.intc), np.full(n, -NONE), np.full(n, NONE))

    @classmethod
    def of_priors(cls, priors: Sequence, covariance: str) -> Ranges:
        """Choose the ranges of targets with these priors."""
        joint = covariance == "full" and len(priors) > 1
        ranges = [_range_of(one, joint) for one in priors]
        kinds, low, high = zip(*ranges, strict=True)
        if kinds.count(PERIODIC) > MAX_PERIODIC:
            raise ValueError(
                f"prior: at most {MAX_PERIODIC} targets of one committee can be "
                f"periodic, not {kinds.count(PERIODIC)}"
            )
        ends = np.clip([low, high], -NONE, NONE)
        return cls(np.array(kinds, np.intc), *ends)

    def of(self, columns: Sequence[int]) -> Ranges:
        """Ranges of some of the targets."""
        at = list(columns)
        return Ranges(self.kinds[at], self.low[at], self.high[at])

    def same_as(self, other: Ranges) -> bool:
        """Whether kinds and ends are the same."""
        fields = "kinds", "low", "high"
        pairs = [(getattr(self, name), getattr(other, name)) for name in fields]
        return all(np.array_equal(*pair) for pair in pairs)

    @property
    def any(self) -> bool:
        """Whether they say anything."""
        return bool((self.kinds != FREE).any())

    @property
    def mapped(self) -> bool:
        """Whether a target's kernels live in other units than its own."""
        return bool(((self.kinds >= LOG_TRUNCATED) & (self.kinds <= LOG_PROBIT)).any())

    @property
    def period(self) -> float | None:
        """Of the one target."""
        return float(self.high[0] - self.low[0]) if self.kinds[0] == PERIODIC else None

    @property
    def periods(self) -> list[float | None]:
        """Of each target, if it has one."""
        columns = range(len(self.kinds))
        return [self.of([j]).period for j in columns]

    @property
    def support(self) -> tuple[float, float]:
        """Of the one target."""
        ends = float(self.low[0]), float(self.high[0])
        return tuple(math.copysign(math.inf, x) if abs(x) >= NONE else x for x in ends)


def _range_of(prior: Any, joint: bool) -> tuple[int, float, float]:
    """Kind and ends of a target's range; joint: its kernels have full covariance."""
    low, high = ends(prior)
    period = getattr(prior, "period", None)
    if period is not None and high - low > period * (1 - 1e-9):
        if not math.isfinite(low):
            low = high - period if math.isfinite(high) else _centre(prior) - period / 2
        return PERIODIC, low, low + period
    if math.isfinite(low) and math.isfinite(high):
        if low > 0 and _is_log_uniform(prior):
            return LOG_PROBIT if joint else LOG_TRUNCATED, low, high
        return PROBIT if joint else TRUNCATED, low, high
    if math.isinf(low) and math.isinf(high):
        return FREE, low, high
    end = low if math.isfinite(low) else high
    # A density that is zero or infinite at the end is smooth in the logarithm.
    smooth = not joint and math.isfinite(float(prior.logpdf(end)))
    return TRUNCATED if smooth else HALF_LINE, low, high


def ends(prior: Any) -> tuple[float, float]:
    """Lowest and highest value that a prior allows: not those of draws."""
    if isinstance(prior, Empirical):
        low, high = prior.joint.bounds[prior.column]
    elif hasattr(prior, "support"):
        low, high = prior.support()
    else:
        low, high = prior.ppf(np.array([0.0, 1.0]))
    return float(low), float(high)


def _centre(prior: Any) -> float:
    return float(prior.ppf(0.5))


def _is_log_uniform(prior: Any) -> bool:
    prior = getattr(prior, "distribution", prior)
    if isinstance(prior, LogUniform):
        return True
    family = getattr(getattr(prior, "dist", None), "name", "")
    placed = prior.kwds.get("loc", 0) or len(prior.args) > 2 if family else True
    return family in ("loguniform", "reciprocal") and not placed


def check_inside(
    what: str, targets: np.ndarray, ranges: Ranges, names: list[str], priors: Sequence
) -> np.ndarray:
    """Give the targets, moved to the ends where single precision put them outside."""
    targets = targets.copy()
    for j in np.flatnonzero((ranges.kinds != FREE) & (ranges.kinds != PERIODIC)):
        column, low, high = targets[:, j], ranges.low[j], ranges.high[j]
        slack = 1e-6 * np.ptp(column)
        outside = (column < low - slack) | (column > high + slack)
        if outside.any():
            row = int(np.argmax(outside))
            raise ValueError(
                f"{what}targets: {column[row]:g} at row {row}, column {j} "
                f"({names[j]!r}) lies outside its prior {priors[j]!r}"
            )
        np.clip(column, low, high, out=column)
    return targets
