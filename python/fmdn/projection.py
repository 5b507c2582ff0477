"""Principal components of the inputs, for data of thousands of channels.

Each channel is taken in units of its noise where that is known, so that the share of
the variance which a component has is a share of what the data can tell; else in the
units that were given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _boundary_inputs
from .checks import Array, check_integer
from .noise import Noise
from .raw import RawInputs

ENOUGH_ROWS = 10_000  # or four per channel: directions are known well enough
LEAST_VARIANCE = 1e-13  # of the first component; less is rounding


@dataclass(frozen=True, eq=False)
class Projection:
    """Components of (data - centre).

    Attributes
    ----------
    centre : ndarray, shape (n_channels,)
    axes : ndarray, shape (n_components, n_channels)
        A component is axes @ (data - centre).
    share : float
        Of the variance that the components have together.
    """

    centre: Array
    axes: Array
    share: float


@dataclass(frozen=True, eq=False)
class Projected:
    """Components of rows, in place of the rows.

    Attributes
    ----------
    raw : RawInputs
    scores : ndarray, shape (n, n_components)
    projection : Projection
    """

    raw: RawInputs
    scores: Array
    projection: Projection

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.scores)

    @classmethod
    def of(cls, raw: RawInputs, projection: Projection, n_threads: int) -> Projected:
        """Project all rows, block by block."""
        scores = np.empty((len(raw), len(projection.axes)))
        for first, block in raw.blocks():
            scores[first : first + len(block)] = _boundary_inputs.project(
                projection.centre, projection.axes, block, n_threads
            )
        return cls(raw, scores, projection)


def fit_projection(raw: RawInputs, components: Any, noise: Noise | None) -> Projection:
    """Find the principal components of rows that have no noise yet.

    Parameters
    ----------
    components : int or float
        Their number, or the share of the variance they have to have. There are no more
        of them than are independent.
    """
    n = raw.n_channels
    components = _check_components(components, n)
    unit = np.ones(n) if noise is None else noise.channel_sd(n)
    if unit is None or not (unit > 0).all():
        unit = np.ones(n)
    centre = raw.mean()
    variances, vectors, total = _directions(raw, centre, unit, components)
    rank = int((variances > LEAST_VARIANCE * variances[0]).sum())
    if not total > 0:
        raise ValueError("components: the inputs are the same in all rows")
    if isinstance(components, float):
        share = np.cumsum(variances[:rank]) / total
        components = int(np.searchsorted(share, components * share[-1])) + 1
    components = min(components, rank)
    axes = vectors[:, :components].T
    # The sign of a component is free; let the largest entry be positive.
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(components), largest])[:, np.newaxis]
    return Projection(centre, axes / unit, float(variances[:components].sum() / total))


def _check_components(components: Any, n_channels: int) -> int | float:
    if isinstance(components, (float, np.floating)):
        if not 0 < components < 1:
            raise ValueError(
                "components must be a number of components or a share of the variance "
                f"between 0 and 1, got {components}"
            )
        return float(components)
    return check_integer("components", components, 1, n_channels)


def _directions(
    raw: RawInputs, centre: Array, unit: Array, components: int | float
) -> tuple[Array, Array, float]:
    """Variances, the largest first, orthonormal columns, and the sum of all variances.

    The columns that are asked for; all of them where a share is.
    """
    from scipy import linalg  # takes a while to load

    n = raw.n_channels
    used = np.linspace(0, len(raw) - 1, min(len(raw), max(ENOUGH_ROWS, 4 * n)))
    used = np.unique(used.astype(int))
    few = len(used) < n
    rows: list[Array] = []
    covariance = np.zeros((0, 0) if few else (n, n))
    for first, block in raw.blocks():
        start, stop = np.searchsorted(used, [first, first + len(block)])
        here = used[start:stop]
        centred = np.nan_to_num((block[here - first] - centre) / unit)
        if few:
            rows.append(centred)
        else:
            covariance += centred.T @ centred
    if few:
        _, values, axes = linalg.svd(np.concatenate(rows), full_matrices=False)
        return values**2, axes.T, (values**2).sum()
    total = float(np.trace(covariance))
    some = [n - components, n - 1] if isinstance(components, int) else None
    values, vectors = linalg.eigh(covariance, overwrite_a=True, subset_by_index=some)
    return np.maximum(values[::-1], 0), vectors[:, ::-1], total
