"""Densities of two targets on a grid, for figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .checks import check_array, check_integer

if TYPE_CHECKING:
    from .mixture import Mixture

REACH = np.array([1e-4, 1 - 1e-4])  # probabilities between which a grid lies


class Grid(NamedTuple):
    """A density at points of two targets: `density[..., i, j]` at x[i] and y[j]."""

    x: np.ndarray
    y: np.ndarray
    density: np.ndarray

    def levels(self, shares) -> np.ndarray:
        """Densities above which there are these shares of the probability.

        Parameters
        ----------
        shares : array_like, shape (m,)
            0.683 and 0.954 for what is called one and two sigma.

        Returns
        -------
        ndarray, shape (m,), or (n, m) of several observations
        """
        rows = self.density.reshape(*self.density.shape[:-2], -1)
        falling = -np.sort(-rows, axis=-1)
        held = falling.cumsum(axis=-1) / falling.sum(axis=-1, keepdims=True)
        at = [(held < share).sum(axis=-1) for share in shares]
        at = np.minimum(np.stack(at, axis=-1), rows.shape[-1] - 1)
        return np.take_along_axis(falling, at, axis=-1)


def grid_of(pair: Mixture, x, y) -> Grid:
    """Density of two targets at points x and y."""
    _check_pair(pair)
    x, y = (check_array(name, of, (1,)) for name, of in (("x", x), ("y", y)))
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    density = pair.pdf(points)
    return Grid(x, y, density.reshape(*density.shape[:-1], len(x), len(y)))


def default_points(pair: Mixture, n: int) -> list[np.ndarray]:
    """Points where next to all of the density is; around a circle all of it."""
    _check_pair(pair)
    n = check_integer("n", n, 2)
    return [np.linspace(*_ends(pair.marginal(one)), n) for one in pair.target_names]


def _ends(one: Mixture) -> tuple[float, float]:
    if one.period is not None:
        return one.support() if one._single else one._ranges.support
    ends = one.quantile(REACH)
    return ends[..., 0].min(), ends[..., 1].max()


def _check_pair(pair: Mixture) -> None:
    if pair.n_targets != 2:
        raise ValueError(f"a grid is for two targets, not for {pair.target_names}")
