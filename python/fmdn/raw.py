"""Raw inputs: simulated data wherever they are, read and checked block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .checks import Array, check_array

BLOCK_NUMBERS = 2**21  # of a block: 16 MB as float64
BLOCK_ROWS = 8192  # at most


class RawInputs:
    """Rows that stay as they were given until they are asked for.

    Parameters
    ----------
    name : str
        For messages.
    value : array_like, shape (n, n_channels)
        An array in memory or on disk, of any kind of numbers: whatever has a shape, a
        dtype and gives arrays by slices of rows; else it is made an array.
    may_be_nan : ndarray of bool, shape (n_channels,), optional
        Channels in which NaN stands for what is missing.
    """

    def __init__(self, name: str, value: Any, may_be_nan: Array | None = None) -> None:
        if not _is_table(value):
            value = check_array(name, value, (2,), finite=False)
        self.name, self.value, self.may_be_nan = name, value, may_be_nan
        self.n, self.n_channels = value.shape
        if not (self.n and self.n_channels):
            raise ValueError(f"{name} is empty: shape {tuple(value.shape)}")

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.n

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """Go through all rows: the number of the first one, and some rows as float64.

        Raises
        ------
        ValueError
            Where a number is not finite, and not a NaN that may be there.
        """
        step = max(1, min(BLOCK_ROWS, BLOCK_NUMBERS // self.n_channels))
        for first in range(0, self.n, step):
            block = np.asarray(self.value[first : first + step], dtype=np.float64)
            self._check(first, block)
            yield first, block

    def _check(self, first: int, block: Array) -> None:
        wrong = ~np.isfinite(block)
        if self.may_be_nan is not None:
            wrong &= ~(np.isnan(block) & self.may_be_nan)
        if wrong.any():
            row, column = np.unravel_index(np.argmax(wrong), block.shape)
            what = "NaN" if np.isnan(block[row, column]) else "inf"
            raise ValueError(
                f"{self.name} contains {what} at row {first + row}, column {column}"
            )

    def mean(self) -> Array:
        """Give the mean of each channel where it is not missing."""
        total, count = np.zeros(self.n_channels), np.zeros(self.n_channels)
        for _, block in self.blocks():
            total += np.nansum(block, axis=0)
            count += (~np.isnan(block)).sum(axis=0)
        if not count.all():
            where = int(np.argmin(count))
            raise ValueError(f"{self.name}: column {where} is missing in all rows")
        return total / count


def _is_table(value: Any) -> bool:
    """Whether it can be read by blocks as it is."""
    if np.ma.isMA(value) or hasattr(value, "iloc") or not hasattr(value, "__getitem__"):
        return False
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    return kind in tuple("fiu") and len(getattr(value, "shape", ())) == 2
