"""Targets that were rounded: a density must not be as high as it likes on their marks.

Whole numbers repeat, and a kernel on one of them gains without end by growing narrower,
which says nothing of the inputs. `fit` blurs such targets by a part of the distance to
the next mark.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .checks import Array

FEWEST_REPEATS = 20  # rows for each mark, on average
WIDTH = 0.25  # of the blur's standard deviation, in distances to the next mark
SAME = 1e-9  # of the range: marks no further apart are one


class Marks(NamedTuple):
    """The values that a target has, and their distances from the nearest other one."""

    values: Array
    gaps: Array


def find_marks(targets: Array, free: Array) -> dict[int, Marks]:
    """Give the marks of the targets that have some, by column.

    `free`: which targets have no bounds, that a blur could cross.
    """
    found = {}
    for j in np.flatnonzero(free):
        values = np.unique(targets[:, j])
        apart = np.diff(values) > SAME * (values[-1] - values[0])
        values = values[np.concatenate([[True], apart])]
        if 1 < len(values) <= len(targets) / FEWEST_REPEATS:
            gaps = np.concatenate([[np.inf], np.diff(values), [np.inf]])
            found[int(j)] = Marks(values, np.minimum(gaps[:-1], gaps[1:]))
    return found


def blur(targets: Array, marks: dict[int, Marks], seed: Any) -> Array:
    """Give the targets with noise on those that have marks."""
    if not marks:
        return targets
    targets = targets.copy()
    rng = np.random.default_rng(seed)
    for j, (values, gaps) in marks.items():
        between = (values[1:] + values[:-1]) / 2
        gap = gaps[np.searchsorted(between, targets[:, j])]
        targets[:, j] += WIDTH * gap * rng.standard_normal(len(targets))
    return targets
