"""The only importer of the compiled core.

Everything that crosses is checked here: dtypes, shapes and finiteness on the way in,
status codes on the way out. Arrays are C-ordered float64 with the row first; the core
sees the same bytes with the row last.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# Threads of the core that wait must not spin: machines are shared, with BLAS and others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
from fmdn._core import fmdn_c as _core  # noqa: E402

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
MAX_THREADS = 1024  # the OpenMP runtime ends the process where it cannot make them
OUT_OF_MEMORY, INTERRUPTED, CANNOT_OPEN, CANNOT_WRITE = 2, 3, 8, 9  # status codes
STOPPED_INTERRUPTED, STOPPED_FAILED = 6, 7

Array = np.ndarray


class FmdnError(RuntimeError):
    """The core could not do what it was asked to do."""


class ModelFileError(FmdnError, ValueError):
    """A model file whose contents cannot be used."""


# --- Threads -----------------------------------------------------------------------


_forked = False


def _after_fork() -> None:
    # The OpenMP runtime's threads do not survive a fork; one thread always works.
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def count_threads(n_threads: int | None = None) -> int:
    """Threads to use: those asked for, else OMP_NUM_THREADS, else all cores."""
    if _forked:
        return 1
    if n_threads is not None:
        return check_integer("n_threads", n_threads, 1, MAX_THREADS)
    setting = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if setting.isdigit() and int(setting) > 0:
        return min(int(setting), MAX_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# --- Arguments ---------------------------------------------------------------------


def check_integer(name: str, value: Any, least: int, most: int = 2**31 - 1) -> int:
    """Give `value` as an int between `least` and `most`, or say what is wrong with it."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    number = int(value.__index__())
    if not least <= number <= most:
        bound = f"at least {least}" if number < least else f"at most {most}"
        raise ValueError(f"{name} must be {bound}, got {number}")
    return number


def check_array(name: str, value: Any, ndim: tuple[int, ...]) -> Array:
    """Give `value` as a C-ordered float64 array of finite numbers."""
    if hasattr(value, "toarray"):
        raise TypeError(f"{name} is a sparse matrix; dense data is required")
    try:
        array = np.asarray(value)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name} cannot be made an array: {error}") from None
    if array.dtype.kind == "c":
        raise ValueError(f"{name}: Complex data not supported")
    if array.dtype.kind == "O":
        array = _numbers(name, array)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be numbers, got dtype {array.dtype}")
    if array.ndim not in ndim:
        wanted = " or ".join(f"{n}-D" for n in ndim)
        hint = ""
        if array.ndim == 1 and 2 in ndim:
            hint = ". Reshape your data to (n, 1) or (1, n)"
        raise ValueError(f"{name} must be {wanted}, got shape {array.shape}{hint}")
    array = np.ascontiguousarray(array, dtype=np.float64)
    wrong = ~np.isfinite(array)
    if np.ma.isMA(value):
        wrong |= np.ma.getmaskarray(value)
    if wrong.any():
        at = np.unravel_index(np.argmax(wrong), array.shape)
        what = "NaN" if np.isnan(array[at]) else "inf"
        what = "a masked value" if np.isfinite(array[at]) else what
        raise ValueError(f"{name} contains {what} at {_place(at)}")
    return array


def _numbers(name: str, array: Array) -> Array:
    """Give an array of Python objects as one of floats, if all of them are numbers."""
    numbers = np.empty(array.shape)
    for at, entry in np.ndenumerate(array):
        try:
            if isinstance(entry, (str, bytes)):
                raise TypeError("argument must be a number, not a string")
            numbers[at] = np.nan if entry is None else float(entry)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{name} must be numbers, got {entry!r} at {_place(at)}: {error}"
            ) from None
    return numbers


def _place(at: tuple[int, ...]) -> str:
    if len(at) > 2:
        return f"index {tuple(map(int, at))}"
    names = ("row", "column")
    return ", ".join(f"{name} {i}" for name, i in zip(names, at, strict=False))


def check_rows(name: str, value: Any, n_columns: int | None = None) -> Array:
    """Give `value` as an (n, n_columns) array with at least one row and one column."""
    array = check_array(name, value, (2,))
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


def _check(status: int, detail: str = "") -> None:
    """Raise what a status code means."""
    if status == 0:
        return
    text = _text(_core.fmdn_status_text, status)
    message = f"{detail or text}"
    if status == OUT_OF_MEMORY:
        raise MemoryError(message)
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    raise FmdnError(message)


def _text(function: Callable, code: int) -> str:
    buffer = np.full(200, b" ", dtype="S1")
    function(code, buffer)
    return buffer.tobytes().decode().strip()


def stop_text(code: int) -> str:
    """Say why the training of a member stopped."""
    return _text(_core.fmdn_stop_text, code)


# --- Committees --------------------------------------------------------------------


@dataclass
class Rows:
    """What the core trains on, one role a row."""

    inputs: Array  # (n, n_inputs)
    targets: Array  # (n, n_targets)
    weights: Array  # (n,)
    roles: Array  # (n,) int32
    noise_sd: Array  # (n_inputs,)
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


@dataclass
class Description:
    """What a committee consists of."""

    n_inputs: int
    n_targets: int
    n_members: int
    n_kernels: int
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
    _check(
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
) -> tuple[Array, Array]:
    """Draw sizes; `hidden` and `kernels` as (low, high). Layout and empty parameters."""
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
    )
    _check(_core.fmdn_plan_committee(*arguments, np.zeros(0, dtype=np.int64), sizes))
    layout = np.zeros(sizes[0], dtype=np.int64)
    _check(_core.fmdn_plan_committee(*arguments, layout, sizes))
    return layout, np.zeros(sizes[1])


def describe(layout: Array, parameters: Array) -> Description:
    """Say what a committee consists of."""
    sizes = np.zeros(4, dtype=np.int64)
    n_members = 1
    while n_members != sizes[2]:  # the first call tells their number
        n_members = int(sizes[2]) or n_members
        members = np.zeros((7, n_members), dtype=np.int64, order="F")
        weights = np.zeros(n_members)
        _check(_core.fmdn_describe(layout, parameters, sizes, members, weights))
    return Description(*(int(size) for size in sizes), *members, weights)


def fit_scales(layout: Array, parameters: Array, rows: Rows) -> None:
    """Write the scales that the rows ask for into the parameters."""
    _check(_core.fmdn_fit_scales(layout, parameters, *rows.arguments()))


@dataclass
class Training:
    """Members in training: what the core writes as it goes on, and the way to stop it."""

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
        return self.finished() & (self.outcome[:, 0] != STOPPED_FAILED)


def train_members(
    layout: Array,
    parameters: Array,
    rows: Rows,
    first: int,
    last: int,
    patience: int,
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
                patience,
                n_threads,
                training.interrupt,
                training.history.T,
                training.outcome.T,
            )
            _check(status)
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
    layout: Array, parameters: Array, rows: Rows, n_threads: int
) -> Array:
    """Write the members' weights into the parameters; their mean losses in nats."""
    losses = np.zeros(describe(layout, parameters).n_members)
    _check(
        _core.fmdn_weigh_members(
            layout, parameters, *rows.arguments(), rows.seed, n_threads, losses
        )
    )
    return losses


def select_members(
    layout: Array, parameters: Array, keep: Array
) -> tuple[Array, Array]:
    """Give the committee of the members with `keep`."""
    new_layout, new_parameters = layout.copy(), parameters.copy()
    sizes = np.zeros(2, dtype=np.int64)
    _check(
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
    inputs : (n, n_inputs) array
    targets : (n, n_targets) array
    member : int
    sample_weight : (n,) array, optional
    n_threads : int, optional

    Returns
    -------
    loss : float
        Nats per row.
    gradient : ndarray
        With respect to the member's parameters.
    """
    inputs = check_rows("inputs", inputs)
    targets = check_rows("targets", targets)
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
    _check(status)
    return loss, gradient


def posterior(
    layout: Array, parameters: Array, inputs: Array, n_threads: int
) -> tuple[Array, Array, Array]:
    """Weights (n, K), means (n, K, c) and factors (n, K, c, c) of all rows."""
    sizes = describe(layout, parameters)
    n, c, k = len(inputs), sizes.n_targets, sizes.n_kernels
    weights = np.zeros((n, k))
    means = np.zeros((n, k, c))
    factors = np.zeros((n, k, c, c))
    _check(
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
    """log p(target | inputs) for each row, in nats."""
    log_p = np.zeros(len(inputs))
    _check(
        _core.fmdn_log_density(
            layout, parameters, inputs.T, targets.T, n_threads, log_p
        )
    )
    return log_p


# --- Mixtures ----------------------------------------------------------------------
# weights (n, K), means (n, K, c) and factors (n, K, c, c): the lower Cholesky factors L
# of the inverse covariances, L L^T. (The core's U is their transpose: the same bytes.)


def _mixture(weights: Array, means: Array, factors: Array) -> tuple[Array, ...]:
    return tuple(np.ascontiguousarray(a).T for a in (weights, means, factors))


def _mixture_1d(weights: Array, means: Array, factors: Array) -> tuple[Array, ...]:
    return _mixture(weights, means[..., 0], factors[..., 0, 0])


def mixture_log_density(
    weights: Array, means: Array, factors: Array, points: Array
) -> Array:
    """log p at points (n, m, c): (n, m)."""
    log_p = np.zeros(points.shape[:2])
    points = np.ascontiguousarray(points)
    _check(
        _core.fmdn_mixture_log_density(
            *_mixture(weights, means, factors),
            points.T,
            count_threads(),
            log_p.T,
        )
    )
    return log_p


def mixture_cdf(
    weights: Array, means: Array, factors: Array, points: Array, above: bool
) -> Array:
    """Probability below (or above) points (n, m), one target: (n, m)."""
    p = np.zeros(points.shape)
    points = np.ascontiguousarray(points)
    _check(
        _core.fmdn_mixture_cdf(
            *_mixture_1d(weights, means, factors),
            points.T,
            int(above),
            count_threads(),
            p.T,
        )
    )
    return p


def mixture_quantile(weights: Array, means: Array, factors: Array, q: Array) -> Array:
    """Quantiles at probabilities q (m,), one target: (n, m)."""
    x = np.zeros((len(weights), q.size))
    _check(
        _core.fmdn_mixture_quantile(
            *_mixture_1d(weights, means, factors), q, count_threads(), x.T
        )
    )
    return x


def mixture_moments(
    weights: Array, means: Array, factors: Array
) -> tuple[Array, Array]:
    """Means (n, c) and covariances (n, c, c)."""
    n, _, c = means.shape
    mean, covariance = np.zeros((n, c)), np.zeros((n, c, c))
    _check(
        _core.fmdn_mixture_moments(
            *_mixture(weights, means, factors), mean.T, covariance.T
        )
    )
    return mean, covariance


def mixture_sample(
    weights: Array, means: Array, factors: Array, size: int, seed: int
) -> Array:
    """Samples (n, size, c)."""
    n, _, c = means.shape
    samples = np.zeros((n, size, c))
    _check(
        _core.fmdn_mixture_sample(*_mixture(weights, means, factors), seed, samples.T)
    )
    return samples


# --- Files -------------------------------------------------------------------------

# A committee under a name: name, layout, parameters, text.
Entry = tuple[str, Array, Array, str]


def _characters(data: bytes) -> Array:
    return np.frombuffer(data, dtype="S1")


def _file_name(path: str | os.PathLike) -> tuple[str, Array]:
    """Path for messages, and as the core takes it."""
    name = os.fsencode(path)
    if b"\0" in name or not name.strip():
        raise ValueError(f"path {path!r} cannot be the name of a file")
    return os.fsdecode(name), _characters(name)


def _check_file(status: int, detail: Array, path: str) -> None:
    if status == 0:
        return
    text = _text(_core.fmdn_status_text, status)
    what = detail.tobytes().decode(errors="replace").strip()
    error: type[Exception] = ModelFileError
    if status in (CANNOT_OPEN, CANNOT_WRITE):
        error = OSError
    if status == CANNOT_OPEN and not os.path.exists(path):
        error = FileNotFoundError
    raise error(f"{path}: {text}" + (f" ({what})" if what else ""))


def write_file(path: str | os.PathLike, entries: list[Entry]) -> None:
    """Write committees into a model file, whole or not at all."""
    path, name = _file_name(path)
    packed = [(n.encode(), layout, p, text.encode()) for n, layout, p, text in entries]
    sizes = np.array([[len(part) for part in entry] for entry in packed], np.int64)
    names, layouts, parameters, texts = zip(*packed, strict=True)
    detail = np.full(200, b" ", dtype="S1")
    status = _core.fmdn_file_write(
        name,
        sizes.T,
        _characters(b"".join(names)),
        np.concatenate(layouts),
        np.concatenate(parameters),
        _characters(b"".join(texts)),
        detail,
    )
    _check_file(status, detail, path)


def read_file(path: str | os.PathLike) -> list[Entry]:
    """Read the committees of a model file."""
    path, name = _file_name(path)
    totals = np.zeros(5, dtype=np.int64)
    detail = np.full(200, b" ", dtype="S1")
    _check_file(_core.fmdn_file_sizes(name, totals, detail), detail, path)
    sizes = np.zeros((totals[0], 4), dtype=np.int64)
    names, text = np.zeros(totals[1], "S1"), np.zeros(totals[4], "S1")
    layout, parameters = np.zeros(totals[2], np.int64), np.zeros(totals[3])
    status = _core.fmdn_file_read(
        name, sizes.T, names, layout, parameters, text, detail
    )
    _check_file(status, detail, path)
    entries = []
    start = np.zeros(4, dtype=np.int64)
    for end in np.cumsum(sizes, axis=0):
        part = [slice(*bounds) for bounds in zip(start, end, strict=True)]
        try:
            words = names[part[0]].tobytes().decode(), text[part[3]].tobytes().decode()
        except UnicodeDecodeError as error:
            raise ModelFileError(
                f"{path}: a name or text is not UTF-8: {error}"
            ) from None
        entries.append(
            (words[0], layout[part[1]].copy(), parameters[part[2]].copy(), words[1])
        )
        start = end
    return entries
