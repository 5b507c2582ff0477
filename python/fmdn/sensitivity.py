"""How posteriors change with the observations: which data matter, and how much."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from . import _boundary_sensitivity as _boundary
from .threads import count_threads


class Sensitivity:
    """Derivatives of posteriors with respect to each input, exact.

    The input is the last axis. The observation axis is absent for one observation, the
    target axis when the targets had none. Inputs that are missing have derivative zero.

    Attributes
    ----------
    mean, std : ndarray, shape (n, n_inputs) or (n, c, n_inputs)
        Of the posterior means and standard deviations, in the target's unit for one of
        the input's.
    weights : ndarray, shape (n, K, n_inputs)
        Of the kernels, as are the next two, in the space where these live
        (`Mixture.space`); computed when they are asked for.
    means : ndarray, shape (n, K, n_inputs) or (n, K, c, n_inputs)
    covariances : ndarray, shape (n, K, n_inputs) or (n, K, c, c, n_inputs)
    input_names, target_names : list of str
    """

    def __init__(self, committee: Any, inputs: Any) -> None:
        committee._require_fit()
        if committee._encoder is not None:
            raise TypeError(
                "this committee was trained behind an encoder, which has no derivatives"
            )
        rows = committee._check_inputs(inputs, (1, 2))
        self._single, self._flat = rows.ndim == 1, committee._one_target_axis
        self.input_names = list(committee.input_names_)
        self.target_names = list(committee.target_names_)
        rows = np.array(rows.reshape(-1, committee.n_features_in_), order="C")
        self._question = (
            committee.layout_,
            committee.parameters_,
            rows,
            committee.n_targets_,
        )
        self._n_kernels = sum(committee._kernels)
        self._n_threads = count_threads(committee.n_threads)
        mean, std = _boundary.moment_sensitivity(*self._question, self._n_threads)
        if self._flat:
            mean, std = mean[:, 0], std[:, 0]
        self.mean, self.std = self._out(mean), self._out(std)

    def __repr__(self) -> str:
        """Return the targets and the number of inputs."""
        targets, n = ", ".join(self.target_names), len(self.input_names)
        return f"<Sensitivity of {targets} to {n} inputs>"

    @property
    def weights(self) -> np.ndarray:
        """Of the kernels' weights."""
        return self._out(self._kernels[0])

    @property
    def means(self) -> np.ndarray:
        """Of the kernels' means."""
        means = self._kernels[1]
        return self._out(means[:, :, 0] if self._flat else means)

    @property
    def covariances(self) -> np.ndarray:
        """Of the kernels' covariances, or variances."""
        covariances = self._kernels[2]
        return self._out(covariances[:, :, 0, 0] if self._flat else covariances)

    @cached_property
    def _kernels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _boundary.kernel_sensitivity(
            *self._question, self._n_kernels, self._n_threads
        )

    def _out(self, values: np.ndarray) -> np.ndarray:
        return values[0] if self._single else values
