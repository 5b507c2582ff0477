"""The boundary for tables of numbers as text."""

from __future__ import annotations

import os

import numpy as np

from ._boundary import check_status
from ._boundary_file import check_file, file_name
from ._core import fmdn_c_legacy as _core
from .checks import Array

WIDTH_OF_NUMBER = 26  # bytes


def table_sizes(path: str | os.PathLike) -> tuple[int, int, int]:
    """Columns, rows and first line with numbers of a table as text."""
    path, name = file_name(path)
    sizes, detail = np.zeros(3, dtype=np.int64), np.full(200, b" ", dtype="S1")
    check_file(_core.fmdn_table_sizes(name, sizes, detail), detail, path)
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def read_table(path: str | os.PathLike) -> Array:
    """Read a table as text: (n_rows, n_columns)."""
    n_columns, n_rows, _ = table_sizes(path)
    path, name = file_name(path)
    values, detail = np.empty((n_rows, n_columns)), np.full(200, b" ", dtype="S1")
    check_file(_core.fmdn_table_read(name, values.T, detail), detail, path)
    return values


def format_rows(values: Array) -> bytes:
    """Write rows (n_rows, n_columns) as text, 17 significant digits a number."""
    values = np.ascontiguousarray(values, dtype=float)
    n_rows, n_columns = values.shape
    text = np.empty(n_rows * (WIDTH_OF_NUMBER * n_columns + 1), dtype="S1")
    check_status(_core.fmdn_table_format(values.T, text))
    return text.tobytes()
