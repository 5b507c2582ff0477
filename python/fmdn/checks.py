"""What arguments have to be: integers within bounds, arrays of finite numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray


def check_integer(name: str, value: Any, least: int, most: float = 2**31 - 1) -> int:
    """Give `value` as an int between `least` and `most`, or say what is wrong."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    number = int(value.__index__())
    if not least <= number <= most:
        bound = f"at least {least}" if number < least else f"at most {most}"
        raise ValueError(f"{name} must be {bound}, got {number}")
    return number


def check_number(name: str, value: Any, *, infinite: bool = False) -> float:
    """Give `value` as a float, finite unless `infinite`, or say what is wrong."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {value!r}") from None
    if math.isnan(number) or (math.isinf(number) and not infinite):
        raise ValueError(f"{name} must be finite, got {number}")
    return number


def check_array(
    name: str,
    value: Any,
    ndim: tuple[int, ...],
    only_axis: str = "row",
    *,
    finite: bool = True,
) -> Array:
    """Give `value` as a C-ordered float64 array of finite numbers.

    `only_axis` says, for messages, what the axis of a one-dimensional array is. With
    finite=False the core is left to find what is not finite, which is faster; then
    check again to say where.
    """
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} is a sparse matrix; dense data is required")
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} cannot be made an array: {error}") from None
    if array.dtype.kind == "c":
        raise ValueError(f"{name}: Complex data not supported")
    if array.dtype.kind == "O":
        array = _numbers(name, array, only_axis)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be numbers, got dtype {array.dtype}")
    if array.ndim not in ndim:
        wanted = " or ".join(f"{n}-D" for n in ndim)
        hint = ""
        if array.ndim == 1 and 2 in ndim:
            hint = ". Reshape your data to (n, 1) or (1, n)"
        raise ValueError(f"{name} must be {wanted}, got shape {array.shape}{hint}")
    array = np.ascontiguousarray(array, dtype=np.float64)
    masked = np.ma.isMA(value)
    if not (finite or masked):
        return array
    wrong = ~np.isfinite(array)
    if masked:
        wrong |= np.ma.getmaskarray(value)
    if wrong.any():
        at = np.unravel_index(np.argmax(wrong), array.shape)
        what = "NaN" if np.isnan(array[at]) else "inf"
        what = "a masked value" if np.isfinite(array[at]) else what
        raise ValueError(f"{name} contains {what} at {_place(at, only_axis)}")
    return array


def _numbers(name: str, array: Array, only_axis: str) -> Array:
    """Give an array of Python objects as one of floats, if all of them are numbers."""
    numbers = np.empty(array.shape)
    for at, entry in np.ndenumerate(array):
        try:
            if isinstance(entry, (str, bytes)):
                raise TypeError("argument must be a number, not a string")
            numbers[at] = np.nan if entry is None else float(entry)
        except (TypeError, ValueError) as error:
            where = f" at {_place(at, only_axis)}" if at else ""
            raise TypeError(
                f"{name} must be numbers, got {entry!r}{where}: {error}"
            ) from None
    return numbers


def _place(at: tuple[int, ...], only_axis: str) -> str:
    if len(at) > 2:
        return f"index {tuple(map(int, at))}"
    names = ("row", "column") if len(at) == 2 else (only_axis,)
    return ", ".join(f"{name} {i}" for name, i in zip(names, at, strict=False))


def check_rows(
    name: str, value: Any, n_columns: int | None = None, *, finite: bool = True
) -> Array:
    """Give `value` as an (n, n_columns) array with at least one row and one column."""
    array = check_array(name, value, (2,), finite=finite)
    if array.shape[0] == 0:
        raise ValueError(f"{name} is empty: 0 sample(s) (shape={array.shape})")
    if array.shape[1] == 0:
        raise ValueError(
            f"{name} is empty: 0 feature(s) (shape={array.shape}) while a minimum of 1 "
            "is required."
        )
    if n_columns is not None and array.shape[1] != n_columns:
        raise ValueError(
            f"{name} has {array.shape[1]} features, but {n_columns} features are "
            "expected as input"
        )
    return array
