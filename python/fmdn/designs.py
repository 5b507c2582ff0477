"""Designs: points in the unit cube, which priors turn into models by inversion.

The random ones come from a counter-based generator (Philox: Salmon et al. 2011,
doi:10.1145/2063384.2063405), so number i depends on (seed, i) alone: a run can be
extended later, or split over machines, and the parts make up the whole.
"""

from __future__ import annotations

import math

import numpy as np

from .checks import check_integer

DESIGNS = ("random", "sobol", "latin_hypercube")


def uniforms(n: int, seed: int, start: int = 0, stream: int = 0) -> np.ndarray:
    """Give the random numbers in (0, 1) of samples start ... start + n - 1."""
    n, seed, start = check_draw(n, seed, start)
    bits = np.random.Philox(np.random.SeedSequence(seed, spawn_key=(stream,)))
    bits.advance(start // 4)  # one step of the counter makes four words
    words = bits.random_raw(start % 4 + n)[start % 4 :]
    return ((words >> np.uint64(12)) + 0.5) * 2.0**-52  # exact, and neither 0 nor 1


def even_points(n: int, width: int, seed: int, start: int, design: str) -> np.ndarray:
    """Give points that fill the unit cube evenly, shape (n, width), none on a face."""
    from scipy.stats import qmc

    rng = np.random.default_rng(np.random.SeedSequence(seed))
    if design == "sobol":
        # 32 bits are the most with which scipy's fast_forward works
        engine = qmc.Sobol(width, bits=32, seed=rng)
        if start:
            engine.fast_forward(start)
        first = min(n, 1)  # scipy warns of a first call for other than 2**m points
        points = [engine.random(first), engine.random(n - first)]
        return np.concatenate(points) + 2.0**-33  # the middle of a cell
    if start:
        raise ValueError(
            "a latin_hypercube has a fixed n and cannot be extended or split: start "
            f"must be 0, got {start}. 'random' and 'sobol' can"
        )
    points = qmc.LatinHypercube(width, seed=rng).random(n)
    return np.clip(points, 2.0**-53, 1 - 2.0**-53)


def check_draw(n: int, seed: int, start: int) -> tuple[int, int, int]:
    """Check what says which samples are wanted."""
    return (
        check_integer("n", n, 0, math.inf),
        check_integer("seed", seed, 0, math.inf),
        check_integer("start", start, 0, math.inf),
    )


def check_design(design: str) -> str:
    """Check that there is such a design."""
    if design not in DESIGNS:
        raise ValueError(f"design must be one of {', '.join(DESIGNS)}, got {design!r}")
    return design
