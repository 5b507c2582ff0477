"""The boundary for derivatives with respect to the inputs."""

from __future__ import annotations

import numpy as np

from ._boundary import check_status
from ._core import fmdn_c_sensitivity as _core
from .checks import Array


def moment_sensitivity(
    layout: Array, parameters: Array, inputs: Array, n_targets: int, n_threads: int
) -> tuple[Array, Array]:
    """Derivatives of posterior means and standard deviations, (n, c, n_inputs) each."""
    n, n_inputs = inputs.shape
    mean, std = (np.empty((n, n_targets, n_inputs)) for _ in range(2))
    check_status(
        _core.fmdn_moment_sensitivity(
            layout, parameters, inputs.T, n_threads, mean.T, std.T
        )
    )
    return mean, std


def kernel_sensitivity(
    layout: Array,
    parameters: Array,
    inputs: Array,
    n_targets: int,
    n_kernels: int,
    n_threads: int,
) -> tuple[Array, Array, Array]:
    """Of weights (n, K, n_inputs), means and covariances (n, K, c, c, n_inputs)."""
    n, n_inputs = inputs.shape
    k, c = n_kernels, n_targets
    weights = np.empty((n, k, n_inputs))
    means = np.empty((n, k, c, n_inputs))
    covariances = np.empty((n, k, c, c, n_inputs))
    check_status(
        _core.fmdn_kernel_sensitivity(
            layout,
            parameters,
            inputs.T,
            n_threads,
            weights.T,
            means.T,
            covariances.T,
        )
    )
    return weights, means, covariances
