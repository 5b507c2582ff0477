"""The boundary for the ranges of targets, and the space in which their kernels live."""

from __future__ import annotations

import numpy as np

from ._boundary import check_status
from ._core import fmdn_c_targets as _core
from .checks import Array
from .ranges import Ranges


def add_ranges(layout: Array, parameters: Array, ranges: Ranges) -> tuple[Array, Array]:
    """Give a planned committee the ranges of its targets."""
    if not ranges.any:
        return layout, parameters
    c = len(ranges.kinds)
    longer = np.zeros(len(layout) + 7 + c, dtype=np.int64)  # a block's head, its kinds
    more = np.zeros(len(parameters) + 2 * c)
    check_status(
        _core.fmdn_add_ranges(
            layout, parameters, ranges.kinds, ranges.low, ranges.high, longer, more
        )
    )
    return longer, more


def get_ranges(layout: Array, parameters: Array, n_targets: int) -> Ranges:
    """Give the ranges of a committee's targets."""
    ranges = Ranges.free(n_targets)
    check_status(
        _core.fmdn_get_ranges(layout, parameters, ranges.kinds, ranges.low, ranges.high)
    )
    return ranges


def to_kernels(ranges: Ranges, targets: Array) -> Array:
    """Targets (n, c) as their kernels see them."""
    return _map(ranges, targets, back=False)


def from_kernels(ranges: Ranges, points: Array) -> Array:
    """And back."""
    return _map(ranges, points, back=True)


def _map(ranges: Ranges, values: Array, *, back: bool) -> Array:
    mapped = np.array(values, dtype=float, order="C")
    if ranges.any:
        check_status(
            _core.fmdn_map_targets(
                ranges.kinds, ranges.low, ranges.high, int(back), mapped.T
            )
        )
    return mapped
