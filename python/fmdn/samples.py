"""Prior samples: models, the data that each of them predicts, and those without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .priors import Prior


@dataclass(frozen=True, eq=False)
class Failure:
    """A prior sample without data.

    Attributes
    ----------
    index : int
        Its number among the prior samples: ``prior.sample(1, seed, start=index)``.
    model : numpy.ndarray, shape (n_parameters,)
    reason : str
        One line.
    traceback : str
        Where it happened, as far as that is known.
    """

    index: int
    model: np.ndarray
    reason: str
    traceback: str = ""


@dataclass(frozen=True, eq=False)
class Samples:
    """Prior samples: models and the noise-free data that each of them predicts.

    Attributes
    ----------
    models : numpy.ndarray, shape (n, n_parameters)
    data : numpy.ndarray or DataOnDisk, shape (n, n_data)
        Those of a store stay on the disk: slices of them, and ``np.asarray``, are
        arrays.
    failed : sequence of Failure
        The models without data; they are not among `models`.
    names : tuple of str
        Of the parameters; those of the prior, if there is one.
    prior : Prior or None
        What the models were drawn from.
    """

    models: np.ndarray
    data: Any
    failed: Sequence[Failure] = ()
    names: Any = None
    prior: Prior | None = None

    def __post_init__(self) -> None:
        """Check the tables and name the columns."""
        for what in ("models", "data"):
            table = getattr(self, what)
            table = table if isinstance(table, DataOnDisk) else np.asarray(table)
            if table.dtype.kind not in "iuf":
                raise TypeError(f"{what} must be real numbers, not {table.dtype}")
            if table.ndim != 2:
                raise ValueError(f"{what} must be (n, columns), got {table.shape}")
            object.__setattr__(self, what, table)
        if len(self.models) != len(self.data):
            raise ValueError(
                f"models and data must have as many rows as each other, got "
                f"{len(self.models)} and {len(self.data)}"
            )
        names, width = self.names, self.models.shape[1]
        if names is None:
            fallback = (f"parameter_{j}" for j in range(width))
            names = fallback if self.prior is None else self.prior.names
        names = tuple(names)
        if len(set(names)) != width or len(names) != width:
            raise ValueError(
                f"names must be {width} different ones, one per column of models, "
                f"got {', '.join(map(str, names))}"
            )
        object.__setattr__(self, "names", names)

    def __len__(self) -> int:
        """Return the number of models that have data."""
        return len(self.models)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one parameter of all models, shape (n,)."""
        if name not in self.names:
            known = ", ".join(self.names)
            raise KeyError(f"no parameter {name!r} in the samples; they have {known}")
        return self.models[:, self.names.index(name)]

    def __repr__(self) -> str:
        """Return the sizes."""
        return (
            f"Samples({len(self)} models of {', '.join(self.names)}; "
            f"{self.data.shape[1]} data each; {len(self.failed)} failed)"
        )


class DataOnDisk:
    """Some rows of an array on disk, read when they are asked for.

    ``data[rows]`` and ``data[rows, columns]`` give arrays, as does ``np.asarray``,
    which reads the whole; any function of NumPy therefore takes it.

    Attributes
    ----------
    shape : tuple of int
        (n, n_data)
    dtype : numpy.dtype
    """

    ndim = 2

    def __init__(self, array: Any, rows: np.ndarray) -> None:
        self._array, self._rows = array, rows
        self.shape = (len(rows), array.shape[1])
        self.dtype = array.dtype

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Return rows, by anything that indexes an array."""
        rows, *columns = key if isinstance(key, tuple) else (key,)
        wanted = self._rows[rows]
        if wanted.ndim != 1:
            return np.asarray(self._array[int(wanted)])[(..., *columns)]
        return self._read(wanted)[(slice(None), *columns)]

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Read chunk by chunk, so that no more than the result is held."""
        found = np.empty((len(rows), self.shape[1]), self.dtype)
        step = self._array.chunks[0]
        chunk = rows // step
        for k in np.unique(chunk):
            here = chunk == k
            found[here] = self._array[k * step : (k + 1) * step][rows[here] - k * step]
        return found

    def __iter__(self) -> Iterator[np.ndarray]:
        """Go through the rows."""
        return (row for i in range(0, len(self), 1000) for row in self[i : i + 1000])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read the whole."""
        if copy is False:
            raise ValueError("data on disk cannot be an array without a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def __repr__(self) -> str:
        """Return the size."""
        return f"DataOnDisk(shape={self.shape}, dtype={self.dtype})"
