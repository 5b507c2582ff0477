"""Training the members of a plan: in threads or by an executor, with checkpoints."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from . import _boundary
from ._boundary import Rows, Training
from .checkpoints import read_checkpoint, write_checkpoint
from .plan import Plan
from .progress import BAR, label, progress_bar, show
from .recipe import choose, pilot_rounds, undecided

# A plan, what has been trained of it, and its checkpoint.
Fit = tuple[Plan, Training, "str | os.PathLike | None"]


def train(
    plan: Plan,
    training: Training,
    checkpoint: str | os.PathLike | None,
    executor: Executor | None,
    progress: bool,
) -> None:
    """Train the members that the checkpoint does not hold yet.

    Of a plan with several kinds pilots of each are trained first; plan and training
    become those of the best.
    """
    fit = plan, training, checkpoint
    if executor is not None:
        train_together([fit], executor, progress)
        return
    for some in _rounds(fit):
        for one, n_members in some:
            _train_in_threads(one, progress, n_members)


def _train_in_threads(fit: Fit, progress: bool, n_members: int) -> None:
    plan, training, _ = fit
    with _watched(*fit, progress, n_members) as (wanted, watch):
        if plan.rows is None:
            _train_each(plan, training, wanted, watch)
            return
        for first, last in _runs(wanted):
            _train_some(plan, plan.rows, first, last, training, watch)


def train_together(fits: list[Fit], executor: Executor, progress: bool) -> None:
    """Train the members of several plans, all of them tasks of an executor at once."""
    for some in zip_longest(*map(_rounds, fits), fillvalue=()):
        with ExitStack() as watched:
            jobs = [
                (*fit[:2], *watched.enter_context(_watched(*fit, progress, n_members)))
                for fit, n_members in chain.from_iterable(some)
            ]
            _train_by_executor(jobs, executor)


# --- Kinds of network ---------------------------------------------------------------


def _rounds(fit: Fit) -> Iterator[list[tuple[Fit, int]]]:
    """Yield what to train next, and up to which member: pilots, then the best kind."""
    pilots, n_members = _pilots(fit), fit[0].n_members
    for n_pilots in pilot_rounds(fit[0].n_pilots) if pilots else []:
        yield [(one, n_pilots) for one in pilots.values()]
        n_monitored = next(iter(pilots.values()))[0].n_monitored()
        losses = {kind: _losses(one) for kind, one in pilots.items()}
        pilots = {kind: pilots[kind] for kind in undecided(losses, n_monitored)}
        if len(pilots) == 1:
            break
    if pilots:
        number = choose({kind: losses[kind] for kind in pilots}, n_monitored)
        fit = _become(fit, number, pilots[number])
    yield [(fit, n_members)]


def _pilots(fit: Fit) -> dict[int, Fit]:
    """Give the pilots of each kind to be tried, with a checkpoint of their own.

    Those that see all rows are the first members of their kind.
    """
    plan, training, checkpoint = fit
    fits: dict[int, Fit] = {}
    for number in plan.networks if len(plan.networks) > 1 else ():
        kind, path = plan.of_pilots(number), checkpoint
        if checkpoint is not None and (number > 0 or plan.step > 1):
            path = Path(checkpoint)
            path = path.with_name(f"{path.stem}-{number + 1}{path.suffix}")
        own = training  # so that an interruption leaves these
        if number > 0 or plan.step > 1:
            own = Training.of(kind.n_members, kind.max_iter)
            own.interrupt = training.interrupt
        fits[number] = kind, own, path
    return fits


def _become(fit: Fit, number: int, pilots: Fit) -> Fit:
    """Let plan and training become those of the kind that was chosen."""
    plan, training, checkpoint = fit
    kind, trained, path = pilots
    if plan.step > 1:
        kind = plan.of_kind(number)
        trained = Training.of(kind.n_members, kind.max_iter)
        trained.interrupt = training.interrupt
        path = checkpoint
    plan.become(kind)
    vars(training).update(vars(trained))
    return plan, training, path


def _losses(pilots: Fit) -> np.ndarray:
    """Give the pilots' best monitor losses; NaN of those not trained, or failed."""
    plan, training, _ = pilots
    each = np.arange(plan.n_pilots)
    losses = training.history[each, training.outcome[each, 2], 1]
    return np.where(training.trained()[each], losses, np.nan)


# --- Members --------------------------------------------------------------------------


@contextmanager
def _watched(
    plan: Plan,
    training: Training,
    checkpoint: str | os.PathLike | None,
    progress: bool,
    n_members: int,
) -> Iterator[tuple[np.ndarray, Callable[[], None]]]:
    """Give which of the first members to train, and what shows and keeps those done."""
    mark = "" if checkpoint is None else plan.fingerprint()
    done = read_checkpoint(plan, training, mark, checkpoint) | training.finished()
    if checkpoint is not None:  # where it cannot be written, say so now
        write_checkpoint(plan, training, mark, done, checkpoint)
    options = {
        "total": n_members,
        "initial": int(done.sum()),
        "desc": label(plan.target_names),
        "bar_format": BAR,
    }
    seen = done.copy()

    with progress_bar(progress, **options) as bar:

        def watch() -> None:
            """Show and keep what has been finished since the last look."""
            finished = training.finished()
            fresh = finished & ~seen
            if fresh.any():
                seen[fresh] = True
                if checkpoint is not None:
                    write_checkpoint(plan, training, mark, finished, checkpoint)
            if bar is not None:
                show(bar, training, int(fresh.sum()), plan.run.first_stride == 1)

        yield ~done & (np.arange(plan.n_members) < n_members), watch
        watch()


def _train_some(
    plan: Plan,
    rows: Rows,
    first: int,
    last: int,
    training: Training,
    watch: Callable[[], None],
) -> None:
    """Train members on the same rows, on all processors."""
    _boundary.train_members(
        plan.layout,
        plan.parameters,
        rows,
        first,
        last,
        plan.run,
        plan.n_threads,
        training,
        watch,
    )


def _train_each(
    plan: Plan, training: Training, wanted: np.ndarray, watch: Callable[[], None]
) -> None:
    """Train each member on rows of its own: side by side, those left over by all."""
    members = np.flatnonzero(wanted)
    n_threads = plan.n_threads if plan.rows_are_small() else 1
    alone = len(members) % n_threads if n_threads > 1 else len(members)
    beside = wanted.copy()
    beside[members[len(members) - alone :]] = False
    if beside.any():
        with ThreadPoolExecutor(n_threads) as pool:
            _train_by_executor([(plan, training, beside, watch)], pool)
    for k in map(int, members[len(members) - alone :]):
        rows = plan.rows_of(k, training.interrupt)
        _train_some(plan, rows, k, k + 1, training, watch)


def _runs(wanted: np.ndarray) -> list[tuple[int, int]]:
    """Give the runs of True as (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _train_by_executor(
    jobs: list[tuple[Plan, Training, np.ndarray, Callable[[], None]]],
    executor: Executor,
) -> None:
    """Train each of the members wanted as a task of its own."""
    from concurrent.futures import as_completed

    tasks = {}
    try:
        for job in jobs:
            plan, training, wanted, _ = job
            for k in np.flatnonzero(wanted):
                task = executor.submit(_train_one, plan, k, training.interrupt)
                tasks[task] = job, k
        for task in as_completed(tasks):
            (plan, training, _, watch), k = tasks[task]
            mine, training.history[k], outcome = task.result()
            sizes = _boundary.describe(plan.layout, plan.parameters)
            first = sizes.offset[k]
            plan.parameters[first : first + sizes.n_parameters[k]] = mine
            training.outcome[k] = outcome
            watch()
    except BaseException:
        for _, training, _, _ in jobs:
            training.interrupt[0] = 1
        for task in tasks:
            task.cancel()
        raise


def _train_one(
    plan: Plan, k: int, interrupt: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train member k, in whatever process: its parameters, history and outcome."""
    training = Training.of(plan.n_members, plan.max_iter)
    training.interrupt = interrupt  # the caller's own in a thread, a copy elsewhere
    parameters = plan.parameters.copy()
    _boundary.train_members(
        plan.layout,
        parameters,
        plan.rows_of(int(k), interrupt, 1),
        int(k),
        int(k) + 1,
        plan.run,
        1,
        training,
        lambda: None,
    )
    sizes = _boundary.describe(plan.layout, parameters)
    mine = slice(sizes.offset[k], sizes.offset[k] + sizes.n_parameters[k])
    return parameters[mine], training.history[k], training.outcome[k]


def report_failures(training: Training, stacklevel: int) -> None:
    """Warn of members that could not be trained; an error if none could."""
    failed = np.flatnonzero(training.finished() & ~training.trained())
    if not failed.size:
        return
    reasons = training.outcome[failed, 0]
    why = "; ".join(_boundary.stop_text(int(one)) for one in np.unique(reasons))
    if not training.trained().any():
        lack = (reasons == _boundary.STOPPED_OUT_OF_MEMORY).all()
        error = MemoryError if lack else _boundary.FmdnError
        raise error(f"no member could be trained; {why}")
    message = f"members {failed.tolist()} are left out; {why}"
    warnings.warn(message, RuntimeWarning, stacklevel=stacklevel)


# --- History ------------------------------------------------------------------------

SUMMARY = ("stopped", "n_iterations", "best_iteration", "best_monitor_loss")


def member_history(training: Training, k: int) -> dict[str, Any]:
    """Say how member k was trained."""
    reason, n, best = (int(number) for number in training.outcome[k])
    lines = training.history[k, : n + 1]
    return {
        "stopped": _boundary.stop_text(reason),
        "n_iterations": n,
        "best_iteration": best,
        "best_monitor_loss": float(lines[best, 1]),
        **{name: lines[:, i].copy() for i, name in enumerate(_boundary.HISTORY)},
    }
