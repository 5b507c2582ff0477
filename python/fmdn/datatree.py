"""Draws as an xarray.DataTree, which ArviZ takes for its figures and numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .checks import check_integer


def to_datatree(mixtures: Iterable, prior: Any, size: int, seed: int) -> Any:
    """Draw from posteriors, and from the prior if there is one.

    Parameters
    ----------
    mixtures : iterable of Mixture
        Of the same observations.
    prior : Prior or None
    size, seed : int

    Returns
    -------
    xarray.DataTree
        With the groups posterior and prior; a variable for each target, whose axes are
        chain (of one), draw and, for several observations, observation.
    """
    try:
        from xarray import Dataset, DataTree
    except ImportError:
        raise ImportError(
            "draws for ArviZ need xarray 2024.10 or later: pip install 'fmdn[arviz]'"
        ) from None

    size = check_integer("size", size, 1)
    posterior: dict[str, tuple] = {}
    for number, mixture in enumerate(mixtures):
        draws = mixture._without_axis().sample(size, seed + number)
        columns = [draws] if mixture.n_targets == 1 else np.moveaxis(draws, -1, 0)
        for name, values in zip(mixture.target_names, columns, strict=True):
            posterior[name] = _variable(values)
    groups = {"posterior": Dataset(posterior, _coordinates(posterior))}
    known = [name for name in posterior if prior is not None and name in prior]
    if known:
        models = prior.sample(size, seed)
        columns = {name: models[:, prior.names.index(name)] for name in known}
        before = {name: _variable(values) for name, values in columns.items()}
        groups["prior"] = Dataset(before, _coordinates(before))
        for group in groups.values():
            for name in known:
                group[name].attrs = {"units": prior[name].unit}
    return DataTree.from_dict({f"/{name}": group for name, group in groups.items()})


def _variable(values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Axes and values of a target: (size,) or (n, size)."""
    if values.ndim == 1:
        return ("chain", "draw"), values[np.newaxis]
    return ("chain", "draw", "observation"), values.T[np.newaxis]


def _coordinates(variables: dict) -> dict[str, np.ndarray]:
    axes, values = next(iter(variables.values()))
    return {axis: np.arange(n) for axis, n in zip(axes, values.shape, strict=True)}
