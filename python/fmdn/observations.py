"""Observations, as a committee is given them, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arguments import columns
from .checks import Array, check_array, check_rows


def check_observations(
    inputs: Any,
    n_inputs: int,
    names: Any,
    may_be_nan: Array | None,
    ndim: tuple[int, ...],
) -> Array:
    """Give one observation (n_inputs,), or several (n, n_inputs), as float64.

    Parameters
    ----------
    names : sequence of str or None
        Columns that a data frame must have.
    may_be_nan : ndarray of bool, shape (n_inputs,), or None
        Inputs in which NaN stands for what is missing.
    """
    found = columns(inputs)
    if getattr(inputs, "ndim", 2) == 1 and hasattr(inputs, "iloc"):
        found = columns(inputs.to_frame().T)  # one observation, a pandas Series
    if found is not None and names is not None and list(found) != list(names):
        raise ValueError(
            "The feature names should match those that were passed during fit: "
            f"expected {list(names)}, got {list(found)}"
        )
    finite = may_be_nan is None
    rows = check_array("inputs", inputs, ndim, only_axis="column", finite=finite)
    if rows.shape[-1] != n_inputs:
        raise ValueError(
            f"X has {rows.shape[-1]} features, but Committee is expecting {n_inputs} "
            "features as input"
        )
    if rows.size == 0:
        check_rows("inputs", rows)  # says what is missing
    if not finite:
        known = np.where(np.isnan(rows) & may_be_nan, 0.0, rows)
        check_array("inputs", known, ndim, only_axis="column")
    return rows
