"""How a forward model is called, and what counts as data."""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

HERE = os.path.dirname(__file__)
# Generators of a forward model are told from those of the prior by a longer key.
_OF_FORWARD = (2**32 - 1, 0)


class Fault(NamedTuple):
    """Why a model has no data."""

    reason: str
    traceback: str = ""


Outcome = np.ndarray | Fault


class Forward:
    """A forward model with the numbers of the prior samples it is called for.

    Parameters
    ----------
    function : callable
        ``function(model)``, or ``function(models)`` if vectorised; with a parameter
        `rng` it is given a generator made from (seed, i), or a list of them.
    vectorised : bool
    seed : int
    """

    def __init__(self, function: Callable, vectorised: bool, seed: int) -> None:
        self.function, self.vectorised, self.seed = function, vectorised, seed
        try:
            self.takes_rng = "rng" in inspect.signature(function).parameters
        except (TypeError, ValueError):  # what C made need not have a signature
            self.takes_rng = False

    def __call__(self, indices: np.ndarray, models: np.ndarray) -> list[Outcome]:
        """Return for each model its data or why it has none.

        Parameters
        ----------
        indices : numpy.ndarray, shape (n,)
            The numbers of the models among the prior samples.
        models : numpy.ndarray, shape (n, n_parameters)
        """
        if not self.vectorised:
            pairs = zip(indices, models, strict=True)
            return [self._simulate_one(index, model) for index, model in pairs]
        try:
            data = np.asarray(self._call(models, list(map(self._rng, indices))))
        except (Exception, SystemExit) as error:
            if len(models) == 1:
                return [_fault(error)]
            # one model at a time, so that only those at fault are lost
            ones = [slice(i, i + 1) for i in range(len(models))]
            return [self(indices[one], models[one])[0] for one in ones]
        if data.ndim not in (1, 2) or len(data) != len(models):
            raise ValueError(
                f"forward with vectorised=True was given {len(models)} models and must "
                f"return one row of data for each, but returned shape {data.shape}"
            )
        data = data.reshape(len(models), -1)
        if data.dtype.kind in "biuf" and data.size and np.isfinite(data).all():
            return list(_real(data))  # the usual case, fast
        return [_check(row) for row in data]

    def _simulate_one(self, index: int, model: np.ndarray) -> Outcome:
        try:
            data = np.asarray(self._call(model, self._rng(index)))
        except (Exception, SystemExit) as error:
            return _fault(error)
        if data.ndim > 1:
            return Fault(f"returned data of shape {data.shape}; one axis is wanted")
        return _check(np.atleast_1d(data))

    def _rng(self, index: int) -> np.random.Generator | None:
        if not self.takes_rng:
            return None
        key = (*_OF_FORWARD, int(index))
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def _call(self, models: np.ndarray, rng: Any) -> Any:
        if self.takes_rng:
            return self.function(models.copy(), rng=rng)
        return self.function(models.copy())


def _fault(error: BaseException) -> Fault:
    reason, *_ = f"{type(error).__name__}: {error}".splitlines()
    return Fault(reason.strip(), where(error))


def where(error: BaseException) -> str:
    """Give the traceback from where it leaves this package."""
    trace = error.__traceback__
    while trace and os.path.dirname(trace.tb_frame.f_code.co_filename) == HERE:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def _real(data: np.ndarray) -> np.ndarray:
    """Copy the data as float32 if they are that, else as float64."""
    return data.astype(np.float32 if data.dtype == np.float32 else np.float64)


def _check(data: np.ndarray) -> Outcome:
    if data.dtype.kind not in "biuf":
        return Fault(f"returned {data.dtype} data; real numbers are wanted")
    if data.size == 0:
        return Fault("returned no data")
    data = _real(data)
    finite = np.isfinite(data)
    if not finite.all():
        wrong = np.flatnonzero(~finite)
        value = data[wrong[0]]
        return Fault(
            f"returned {value} in {wrong.size} data, first in number {wrong[0]}"
        )
    return data
