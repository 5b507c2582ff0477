"""Rows from files: text, NumPy's own, HDF5; results to a file, whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ._boundary_table import read_table, table_sizes
from .checks import check_rows

HDF5 = {".h5", ".hdf5", ".hdf"}


def read_rows(
    path: str, n_columns: int | None, columns: str, with_target: bool
) -> np.ndarray:
    """Read rows of `n_columns` numbers, which `columns` explains, or of two or more.

    A file of several arrays has one called "inputs", and one called "targets" that is
    put behind it where `with_target`.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in {".npy", ".npz"} | HDF5:
        n_found, _, line = table_sizes(path)
        _check_columns(f"{path}: line {line}: ", n_found, n_columns, columns)
        return read_table(path)
    if suffix in HDF5:
        arrays = _read_hdf5(path)
    else:
        try:
            loaded = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{path}: not a NumPy file: {error}") from None
        arrays = {"": loaded} if suffix == ".npy" else dict(loaded)
    rows = check_rows(f"{path}:", _stack(path, arrays, with_target))
    _check_columns(f"{path}: ", rows.shape[1], n_columns, columns)
    return rows


def _check_columns(
    where: str, n_found: int, n_columns: int | None, columns: str
) -> None:
    if n_found != n_columns if n_columns else n_found < 2:
        expected = n_columns or "at least 2"
        raise ValueError(
            f"{where}expected {expected} numbers ({columns}), found {n_found}"
        )


def _stack(path: str, arrays: dict[str, Any], with_target: bool) -> Any:
    if "inputs" in arrays:
        names = ["inputs", "targets"] if with_target else ["inputs"]
        if not set(names) <= set(arrays):
            raise ValueError(f"{path}: there is no array 'targets'")
        try:
            return np.column_stack([arrays[name] for name in names])
        except ValueError as error:
            raise ValueError(f"{path}: inputs and targets: {error}") from None
    if len(arrays) != 1:
        names = ", ".join(map(repr, arrays)) or "none"
        raise ValueError(f"{path}: expected one array, or 'inputs', found {names}")
    return next(iter(arrays.values()))


def _read_hdf5(path: str) -> dict[str, Any]:
    """Read the datasets at the top of a file."""
    try:
        import h5py
    except ImportError:
        raise ImportError(
            f"{path}: HDF5 needs the package h5py: pip install 'fmdn[hdf5]'"
        ) from None
    try:
        with h5py.File(path, "r") as file:
            return {
                name: dataset[()]
                for name, dataset in file.items()
                if isinstance(dataset, h5py.Dataset)
            }
    except OSError as error:  # it does not say which file
        raise OSError(f"{path}: {error}") from None


def write_whole(path: str, parts: Iterable[bytes]) -> None:
    """Write to standard output (""), a device, or a file that appears when whole."""
    if not path:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.flush()
        return
    device = os.path.exists(path) and not os.path.isfile(path)
    temporary = path if device else f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            if not device:
                os.fsync(file.fileno())
        if not device:
            os.replace(temporary, path)
    except BaseException:
        if not device and os.path.exists(temporary):
            os.remove(temporary)
        raise
