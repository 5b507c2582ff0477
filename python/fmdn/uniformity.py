"""Are numbers uniform between 0 and 1? Counts, simultaneous bands and a test.

If posteriors are right, then the cdf at the truth, the probability of denser points,
and every rank of the truth among draws are uniform (see `calibration`). Deviations of
the counts are measured in their own standard deviation; what the largest of them may
be is found by simulating counts of uniform numbers, so that bands hold for all bins or
levels together, for any number of rows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtr

N_BINS = 20
LEVELS = np.arange(1, N_BINS) / N_BINS
N_SIMULATED = 20_000


def histogram(u: np.ndarray) -> np.ndarray:
    """Count the numbers in each of `N_BINS` bins."""
    return np.bincount(
        np.minimum((np.asarray(u) * N_BINS).astype(int), N_BINS - 1), minlength=N_BINS
    )


def coverage(u: np.ndarray) -> np.ndarray:
    """Share of the numbers below each of the `LEVELS`."""
    return histogram(u).cumsum()[:-1] / len(u)


def histogram_band(n: int, level: float) -> tuple[float, float]:
    """Counts that all bins together keep to, but for a probability `level`."""
    return _band(n, 1 / N_BINS, _largest(n)[0], level)


def coverage_band(n: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Shares that all levels together keep to, but for a probability `level`."""
    low, high = _band(n, LEVELS, _largest(n)[1], level)
    return low / n, high / n


def histogram_test(u: np.ndarray) -> float:
    """Probability that some bin of uniform numbers deviates as much as the worst."""
    counts, n = histogram(u), len(u)
    return _p_value(_deviation(counts, n, 1 / N_BINS), _largest(n)[0])


def coverage_test(u: np.ndarray) -> float:
    """Probability that uniform numbers deviate as much at some level."""
    counts, n = histogram(u).cumsum()[:-1], len(u)
    return _p_value(_deviation(counts, n, LEVELS), _largest(n)[1])


def format_p(p: float) -> str:
    """A probability, to what can be told from simulations."""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}" if p < 0.1 else f"{p:.2f}"


def say_p(p: float) -> str:
    """`format_p` with the name of what it is."""
    return f"p {format_p(p)}" if p < 1e-4 else f"p = {format_p(p)}"


def _deviation(counts: np.ndarray, n: int, share) -> np.ndarray:
    """Largest deviation from what is expected, in standard deviations."""
    return np.abs((counts - n * share) / np.sqrt(n * share * (1 - share))).max(axis=-1)


@lru_cache(maxsize=64)
def _largest(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest deviations of bins and of levels in simulated uniform numbers, sorted."""
    rng = np.random.default_rng(n)
    counts = rng.multinomial(n, np.full(N_BINS, 1 / N_BINS), size=N_SIMULATED)
    of_bins = _deviation(counts, n, 1 / N_BINS)
    of_levels = _deviation(counts.cumsum(axis=1)[:, :-1], n, LEVELS)
    return np.sort(of_bins), np.sort(of_levels)


def _band(n: int, share, simulated: np.ndarray, level: float):
    allowed = np.quantile(simulated, 1 - level, method="higher")
    half = allowed * np.sqrt(n * share * (1 - share))
    return np.maximum(n * share - half, 0), np.minimum(n * share + half, n)


def _p_value(deviation: float, simulated: np.ndarray) -> float:
    # rounding must not make a deviation larger than its equal
    above = len(simulated) - np.searchsorted(simulated, deviation * (1 - 1e-12))
    if above:
        return float((above + 1) / (len(simulated) + 1))
    # beyond all that was simulated: the bound of Bonferroni, for normal deviates
    return float(min(1 / len(simulated), 2 * N_BINS * ndtr(-deviation)))
