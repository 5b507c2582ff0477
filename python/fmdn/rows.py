"""The rows of a simulation as they fill up, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .forward import Fault, Outcome
from .samples import Failure, Samples

TO_DO, GOOD, FAILED = 0, 1, 2


class Rows:
    """Rows in memory.

    Parameters
    ----------
    models : numpy.ndarray, shape (n, n_parameters)

    Attributes
    ----------
    state : numpy.ndarray of uint8, shape (n,)
        TO_DO, GOOD or FAILED.
    data : array or None
        (n, n_data); None until there are any.
    """

    def __init__(self, models: np.ndarray) -> None:
        self.models = models
        self.state = np.zeros(len(models), np.uint8)
        self.faults: dict[int, Fault] = {}
        self.data: Any = None

    @property
    def n_data(self) -> int | None:
        """Data of a model; None until the first one has some."""
        return None if self.data is None else self.data.shape[1]

    def put(self, indices: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        """Take what became of some models; the first data set their number."""
        outcomes = [self._judge(outcome) for outcome in outcomes]
        self._write(np.asarray(indices), outcomes)
        for i, outcome in zip(indices, outcomes, strict=True):
            failed = isinstance(outcome, Fault)
            self.state[i] = FAILED if failed else GOOD
            if failed:
                self.faults[int(i)] = outcome

    def flush(self) -> None:
        """See to it that all is where it is kept."""

    def close(self) -> None:
        """Let others in."""

    def samples(self, names: Any, prior: Any) -> Samples:
        """Give what is there as prior samples."""
        good = np.flatnonzero(self.state == GOOD)
        models = self.models if len(good) == len(self.state) else self.models[good]
        failed = [Failure(i, self.models[i], *self.faults[i]) for i in self.faults]
        failed.sort(key=lambda failure: failure.index)
        return Samples(models, self._rows_of(good), failed, names, prior)

    def _judge(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Fault):
            return outcome
        if self.data is None:
            self.data = self._allocate(len(outcome), outcome.dtype)
        if len(outcome) == self.n_data:
            return outcome
        return Fault(
            f"returned {len(outcome)} data where the first model has {self.n_data}"
        )

    def _allocate(self, n_data: int, dtype: np.dtype) -> Any:
        return np.empty((len(self.models), n_data), dtype)

    def _write(self, indices: np.ndarray, outcomes: list[Outcome]) -> None:
        for i, outcome in zip(indices, outcomes, strict=True):
            if not isinstance(outcome, Fault):
                self.data[i] = outcome

    def _rows_of(self, good: np.ndarray) -> Any:
        return self.data if len(good) == len(self.state) else self.data[good]
