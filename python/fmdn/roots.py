"""Roots of many functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MOST_STEPS = 100


def solve(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    a: np.ndarray,
    b: np.ndarray,
    fa: np.ndarray,
    fb: np.ndarray,
    tolerance: float,
) -> np.ndarray:
    """Roots between a and b, where values fa and fb differ in sign (Chandrupatla 1997).

    Each step is inverse quadratic interpolation where that can be trusted, else a half.

    Parameters
    ----------
    function : callable
        Of points (k, ...) and the rows (k,) that they belong to; rows that are done
        are not asked for again.
    a, b, fa, fb : ndarray, shape (n, ...)
        Nothing is done where both values are zero.
    tolerance : float
        Of the values; or the points differ by rounding.

    Returns
    -------
    ndarray, shape (n, ...)
    """
    roots, rows = np.array(a), np.arange(len(a))
    c, fc, part = b, fb, np.full(a.shape, 0.5)
    for _ in range(MOST_STEPS):
        best = np.where(np.abs(fa) < np.abs(fb), a, b)
        close = np.minimum(np.abs(fa), np.abs(fb)) <= tolerance
        close |= np.abs(b - a) <= 4 * np.finfo(float).eps * np.abs(best)
        roots[rows] = best
        open_rows = ~close.reshape(len(rows), -1).all(axis=1)
        if not open_rows.any():
            break
        rows, a, b, c, fa, fb, fc, part, best, close = (
            of[open_rows] for of in (rows, a, b, c, fa, fb, fc, part, best, close)
        )
        x = np.where(close, best, a + part * (b - a))
        fx = np.where(close, 0.0, function(x, rows))
        same = np.sign(fx) == np.sign(fa)
        c, fc = np.where(same, a, b), np.where(same, fa, fb)
        b, fb = np.where(same, b, a), np.where(same, fb, fa)
        a, fa = x, fx
        with np.errstate(all="ignore"):
            xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
            trusted = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
            part = fa / (fb - fa) * fc / (fb - fc)
            part += (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        part = np.where(trusted & np.isfinite(part), np.clip(part, 1e-9, 1 - 1e-9), 0.5)
    return roots
