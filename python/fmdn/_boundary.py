"""The only importer of the compiled core.

This file: status codes that become exceptions, and committees; mixtures and
files have files of their own beside it. Arrays are C-ordered float64 with the row
first; the core sees the same bytes with the row last.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .checks import Array, check_array, check_rows
from .threads import count_threads

# Threads that wait must not spin: machines are shared, with BLAS and with others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
from ._core import fmdn_c as _core  # noqa: E402
from ._core import fmdn_c_text as _texts  # noqa: E402

COVARIANCES = {"isotropic": 1, "diagonal": 2, "full": 3}
HISTORY = (
    "training_loss",
    "monitor_loss",
    "gradient_norm",
    "step",
    "evaluations",
    "seconds",
)
NO_FOLD, MONITOR, TRAINING = 0, -1, -2  # roles of rows that are in no fold
OUT_OF_MEMORY, INTERRUPTED, NOT_FINITE = 2, 3, 4  # status codes
CANNOT_OPEN, CANNOT_WRITE = 8, 9
STOPPED_MAX_ITER, STOPPED_INTERRUPTED = 4, 6
STOPPED_FAILED, STOPPED_OUT_OF_MEMORY = 7, 8


class FmdnError(RuntimeError):
    """The core could not do what it was asked to do."""


class ModelFileError(FmdnError, ValueError):
    """A model file whose contents cannot be used."""


# --- Status codes ---------------------------------------------------------------------


def check_status(status: int, detail: str = "") -> None:
    """Raise what a status code means."""
    if status == 0:
        return
    text = text_of(_texts.fmdn_status_text, status)
    message = f"{detail or text}"
    if status == OUT_OF_MEMORY:
        raise MemoryError(message)
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    raise FmdnError(message)


def text_of(function: Callable, code: int) -> str:
    buffer = np.full(200, b" ", dtype="S1")
    function(code, buffer)
    return buffer.tobytes().decode().strip()


def stop_text(code: int) -> str:
    """Say why the training of a member stopped."""
    return text_of(_texts.fmdn_stop_text, code)


# --- Committees --------------------------------------------------------------------


@dataclass
class Rows:
    """What the core trains on, one role a row."""

    inputs: Array  # (n, n_features): see _boundary_inputs
    targets: Array  # (n, n_targets)
    weights: Array  # (n,)
    roles: Array  # (n,) int32
    noise_sd: Array  # (n_features,)
    seed: int

    def arguments(self) -> tuple[Array, ...]:
        """Arrays as the core sees them, the row last."""
        return (
            self.inputs.T,
            self.targets.T,
            self.weights,
            self.roles,
            self.noise_sd,
        )

    def chosen(self, some: slice | Array) -> Rows:
        """Give some of the rows."""
        given = self.inputs, self.targets, self.weights, self.roles
        return Rows(*(one[some].copy() for one in given), self.noise_sd, self.seed)


@dataclass
class Description:
    """What a committee consists of."""

    n_inputs: int
    n_targets: int
    n_members: int
    n_kernels: int
    n_features: int
    covariance: Array  # each (n_members,)
    kernels: Array
    linear_path: Array
    layers: Array
    hidden: Array
    n_parameters: Array
    offset: Array
    weights: Array


def split_rows(
    groups: Array, seed: int, *, with_weighting: bool, with_folds: bool
) -> Array:
    """Draw the roles of rows whose groups are numbered from 0."""
    roles = np.zeros(groups.size, dtype=np.intc)
    numbered = np.ascontiguousarray(groups, dtype=np.int64) + 1
    check_status(
        _core.fmdn_split_rows(
            numbered,
            int(numbered.max()),
            seed,
            int(with_weighting),
            int(with_folds),
            roles,
        )
    )
    return roles


def plan_committee(
    seed: int,
    n_inputs: int,
    n_targets: int,
    n_members: int,
    hidden: list[tuple[int, int]],
    kernels: tuple[int, int],
    covariance: str,
    linear_path: bool,
    groups: Array | None = None,
    n_projected: int = 0,
    n_components: int = 0,
) -> tuple[Array, Array]:
    """Draw sizes, `hidden` and `kernels` as (low, high): layout, empty parameters.

    `groups`: number, from 1, of the group of each input that may be missing, or 0.
    """
    low, high = np.array(hidden, dtype=np.intc).T.copy()
    sizes = np.zeros(2, dtype=np.int64)
    arguments = (
        seed,
        n_inputs,
        n_targets,
        n_members,
        low,
        high,
        *kernels,
        COVARIANCES[covariance],
        int(linear_path),
        np.array([] if groups is None else groups, dtype=np.intc),
        n_projected,
        n_components,
    )
    check_status(
        _core.fmdn_plan_committee(*arguments, np.zeros(0, dtype=np.int64), sizes)
    )
    layout = np.zeros(sizes[0], dtype=np.int64)
    check_status(_core.fmdn_plan_committee(*arguments, layout, sizes))
    return layout, np.zeros(sizes[1])


def describe(layout: Array, parameters: Array) -> Description:
    """Say what a committee consists of."""
    sizes = np.zeros(5, dtype=np.int64)
    n_members = 1
    while n_members != sizes[2]:  # the first call tells their number
        n_members = int(sizes[2]) or n_members
        members = np.zeros((7, n_members), dtype=np.int64, order="F")
        weights = np.zeros(n_members)
        check_status(_core.fmdn_describe(layout, parameters, sizes, members, weights))
    return Description(*(int(size) for size in sizes), *members, weights)


def fit_scales(layout: Array, parameters: Array, rows: Rows) -> None:
    """Write the scales that the rows ask for into the parameters."""
    check_status(_core.fmdn_fit_scales(layout, parameters, *rows.arguments()))


@dataclass
class Training:
    """Members in training: what the core writes meanwhile, and how to stop it."""

    history: Array  # (n_members, max_iter + 1, len(HISTORY))
    outcome: Array  # (n_members, 3): why it stopped, iterations, best iteration
    interrupt: Array  # (1,), raised to stop

    @classmethod
    def of(cls, n_members: int, max_iter: int) -> Training:
        """Nothing trained yet."""
        return cls(
            np.zeros((n_members, max_iter + 1, len(HISTORY))),
            np.zeros((n_members, 3), dtype=np.int64),
            np.zeros(1, dtype=np.int64),
        )

    def finished(self) -> Array:
        """Members whose training has ended by itself, failed ones included."""
        reason = self.outcome[:, 0]
        return (reason != 0) & (reason != STOPPED_INTERRUPTED)

    def trained(self) -> Array:
        """Members that can be used."""
        return self.finished() & (self.outcome[:, 0] < STOPPED_FAILED)


def train_members(
    layout: Array,
    parameters: Array,
    rows: Rows,
    first: int,
    last: int,
    run: tuple[int, float, int, int],  # patience, decay, memory, first stride
    n_threads: int,
    training: Training,
    watch: Callable[[], None],
) -> None:
    """Train members first to last (counted from 0, `last` not included).

    The core works in a thread of its own while this one calls `watch` every 50 ms and
    listens for Ctrl-C, which ends the training: finished members keep their parameters,
    and KeyboardInterrupt is raised.
    """
    failure: list[BaseException] = []
    max_iter = training.history.shape[1] - 1

    def work() -> None:
        try:
            status = _core.fmdn_train_members(
                layout,
                parameters,
                *rows.arguments(),
                rows.seed,
                first + 1,
                last,
                max_iter,
                *run,
                n_threads,
                training.interrupt,
                training.history.T,
                training.outcome.T,
            )
            check_status(status)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            failure.append(error)

    worker = threading.Thread(target=work, name="fmdn training", daemon=True)
    stopped: BaseException | None = None
    worker.start()
    alive = True
    while alive:
        try:
            while worker.is_alive():
                worker.join(0.05)
                if stopped is None:
                    watch()
            alive = False
        except BaseException as error:  # noqa: BLE001 - Ctrl-C, or what watch raises
            training.interrupt[0] = 1
            stopped = stopped or error
    if stopped is not None:
        raise stopped
    if failure:
        raise failure[0]


def weigh_members(
    layout: Array, parameters: Array, rows: Rows, n_threads: int, stacked: bool = False
) -> Array:
    """Write the members' weights into the parameters; their mean losses in nats."""
    losses = np.zeros(describe(layout, parameters).n_members)
    how = (rows.seed, int(stacked), n_threads)
    data = rows.arguments()
    check_status(_core.fmdn_weigh_members(layout, parameters, *data, *how, losses))
    return losses


def select_members(
    layout: Array, parameters: Array, keep: Array
) -> tuple[Array, Array]:
    """Give the committee of the members with `keep`."""
    new_layout, new_parameters = layout.copy(), parameters.copy()
    sizes = np.zeros(2, dtype=np.int64)
    check_status(
        _core.fmdn_select_members(
            layout, parameters, keep.astype(np.intc), new_layout, new_parameters, sizes
        )
    )
    return new_layout[: sizes[0]].copy(), new_parameters[: sizes[1]].copy()


def loss_gradient(
    layout: Array,
    parameters: Array,
    inputs: Array,
    targets: Array,
    *,
    member: int = 0,
    sample_weight: Array | None = None,
    n_threads: int | None = None,
) -> tuple[float, Array]:
    """Mean loss of one member and its gradient, in standardised units.

    Parameters
    ----------
    layout, parameters : ndarray
        A committee, as in `Committee.layout_` and `Committee.parameters_`.
    inputs, targets : ndarray, shapes (n, n_features) and (n, n_targets)
    member, n_threads : int, optional
    sample_weight : ndarray, shape (n,), optional

    Returns
    -------
    (float, ndarray)
        Nats per row, and derivatives with respect to the member's parameters.
    """
    inputs = check_rows("inputs", inputs, finite=False)
    targets = check_rows("targets", targets, finite=False)
    weights = np.ones(len(inputs))
    if sample_weight is not None:
        weights = check_array("sample_weight", sample_weight, (1,))
    sizes = describe(layout, parameters)
    gradient = np.zeros(sizes.n_parameters[member])
    loss, status = _core.fmdn_loss_gradient(
        layout,
        parameters,
        member + 1,
        inputs.T,
        targets.T,
        weights,
        count_threads(n_threads),
        gradient,
    )
    if status == NOT_FINITE:
        check_rows("inputs", inputs)
        check_rows("targets", targets)
    check_status(status)
    return loss, gradient


def posterior(
    layout: Array,
    parameters: Array,
    inputs: Array,
    n_targets: int,
    n_kernels: int,
    n_threads: int,
) -> tuple[Array, Array, Array]:
    """Weights (n, K), means (n, K, c) and factors (n, K, c, c) of all rows."""
    n, k, c = len(inputs), n_kernels, n_targets
    weights = np.empty((n, k))
    means = np.empty((n, k, c))
    factors = np.empty((n, k, c, c))
    check_status(
        _core.fmdn_posterior(
            layout,
            parameters,
            inputs.T,
            n_threads,
            weights.T,
            means.T,
            factors.T,
        )
    )
    return weights, means, factors


def log_density(
    layout: Array, parameters: Array, inputs: Array, targets: Array, n_threads: int
) -> Array:
    """log p(target | inputs) for each row, in nats; -inf outside the ranges."""
    log_p = np.zeros(len(inputs))
    check_status(
        _core.fmdn_log_density(
            layout, parameters, inputs.T, targets.T, n_threads, log_p
        )
    )
    return np.where(log_p > -np.finfo(float).max, log_p, -np.inf)
