"""The boundary for what is done to raw inputs: missing channels and projections."""

from __future__ import annotations

import numpy as np

from ._boundary import check_status, describe, plan_committee
from ._core import fmdn_c_inputs as _core
from .checks import Array


def find_block(layout: Array, name: str) -> tuple[slice, slice]:
    """Where the block's integers are in the layout, and its reals in the parameters."""
    place = np.zeros(4, dtype=np.int64)
    _core.fmdn_find_block(layout, np.frombuffer(name.encode(), "S1"), place)
    first, n_integers, offset, n_reals = place.tolist()
    return slice(first, first + n_integers), slice(offset, offset + n_reals)


def add_knots(
    layout: Array, parameters: Array, *, in_pieces: bool
) -> tuple[Array, Array]:
    """Give a planned committee inputs that are bent, and seen in pieces as well."""
    sizes = np.zeros(2, dtype=np.int64)
    for _ in range(2):  # the first call tells the sizes
        longer, more = np.zeros(sizes[0], dtype=np.int64), np.zeros(sizes[1])
        check_status(
            _core.fmdn_add_knots(
                int(in_pieces), layout, parameters, longer, more, sizes
            )
        )
    return longer, more


def missing_groups(layout: Array, n_inputs: int) -> Array:
    """Give the group of each input that may be missing, from 1; 0 for the others."""
    integers, _ = find_block(layout, "input mask")
    groups = layout[integers]
    return groups if groups.size else np.zeros(n_inputs, dtype=np.int64)


def n_projected(layout: Array) -> int:
    """Give the number of inputs, the first ones, that are projected."""
    integers, _ = find_block(layout, "projection")
    return int(layout[integers][1]) if layout[integers].size else 0


def write_projection(
    layout: Array, parameters: Array, centre: Array, axes: Array
) -> None:
    """Write centre (n_projected,) and axes (n_components, n_projected)."""
    _, reals = find_block(layout, "projection")
    parameters[reals] = np.concatenate([centre, axes.ravel(order="F")])


def write_input_centre(layout: Array, parameters: Array, centre: Array) -> None:
    """Write what a missing input counts as, where there is no projection."""
    _, reals = find_block(layout, "input scale")
    parameters[reals][: len(centre)] = centre


def prepare_inputs(
    layout: Array, parameters: Array, inputs: Array, n_threads: int
) -> Array:
    """Features (n, n_features) of raw inputs (n, n_inputs), as training takes them."""
    features = np.empty((len(inputs), describe(layout, parameters).n_features))
    check_status(
        _core.fmdn_prepare_inputs(layout, parameters, inputs.T, n_threads, features.T)
    )
    return features


def project(centre: Array, axes: Array, inputs: Array, n_threads: int) -> Array:
    """Components (n, n_components) of raw inputs (n, n_channels), which are finite."""
    n_components, n_channels = axes.shape
    layout, parameters = plan_committee(
        0, n_channels, 1, 1, [(1, 1)], (1, 1), "full", False, None, n_channels,
        n_components,
    )  # fmt: skip
    write_projection(layout, parameters, centre, axes)
    return prepare_inputs(layout, parameters, inputs, n_threads)


def target_scale(layout: Array, parameters: Array) -> Array:
    """Give the scale of each target: what a network's unit stands for."""
    _, reals = find_block(layout, "target scale")
    return parameters[reals][parameters[reals].size // 2 :]
