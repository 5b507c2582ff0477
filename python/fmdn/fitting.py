"""Training the members of a plan: in threads or by an executor, with checkpoints."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from . import _boundary, _boundary_file
from ._boundary import Rows, Training
from .plan import Plan
from .progress import progress_bar

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
    kinds = _kinds(fit)
    if len(kinds) > 1:
        for kind in kinds:
            _train_in_threads(kind, progress, plan.n_pilots)
        fit = _choose(kinds)
    _train_in_threads(fit, progress, plan.n_members)


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
    every = [_kinds(fit) for fit in fits]
    pilots = [kind for kinds in every if len(kinds) > 1 for kind in kinds]
    if pilots:
        _run_together(pilots, executor, progress, [one[0].n_pilots for one in pilots])
        fits = [_choose(kinds) for kinds in every]
    _run_together(fits, executor, progress, [fit[0].n_members for fit in fits])


def _run_together(
    fits: list[Fit], executor: Executor, progress: bool, n_members: list[int]
) -> None:
    with ExitStack() as watched:
        jobs = [
            (*fit[:2], *watched.enter_context(_watched(*fit, progress, n)))
            for fit, n in zip(fits, n_members, strict=True)
        ]
        _train_by_executor(jobs, executor)


# --- Kinds of network ---------------------------------------------------------------


def _kinds(fit: Fit) -> list[Fit]:
    """Give the kinds of network to try, each with a checkpoint of its own."""
    plan, training, checkpoint = fit
    fits = [fit]
    for number, kind in enumerate(plan.kinds()[1:], start=2):
        path = checkpoint
        if checkpoint is not None:
            path = Path(checkpoint)
            path = path.with_name(f"{path.stem}-{number}{path.suffix}")
        fits.append((kind, Training.of(kind.n_members, kind.max_iter), path))
    return fits


def _choose(kinds: list[Fit]) -> Fit:
    """Let the first kind's plan and training become those of the best kind."""
    plan, training, _ = kinds[0]
    best, trained, checkpoint = min(kinds, key=_pilot_loss)
    plan.become(best)
    vars(training).update(vars(trained))
    return plan, training, checkpoint


def _pilot_loss(kind: Fit) -> float:
    """Mean of the pilots' best monitor losses."""
    plan, training, _ = kind
    pilots = np.flatnonzero(training.trained()[: plan.n_pilots])
    losses = training.history[pilots, training.outcome[pilots, 2], 1]
    return float(losses.mean()) if pilots.size else np.inf


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
    done = _read_checkpoint(plan, training, mark, checkpoint) | training.finished()
    if checkpoint is not None:  # where it cannot be written, say so now
        _write_checkpoint(plan, training, mark, done, checkpoint)
    options = {
        "total": n_members,
        "initial": int(done.sum()),
        "desc": _label(plan.target_names),
        "unit": "member",
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
                    _write_checkpoint(plan, training, mark, finished, checkpoint)
            if bar is not None:
                _show(bar, training, int(fresh.sum()))

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


def _label(names: list[str]) -> str:
    label = ", ".join(names)
    return label if len(label) <= 24 else f"{label[:21]}..."


def _show(bar: Any, training: Training, n_fresh: int) -> None:
    iterations = training.outcome[:, 1]
    running = np.flatnonzero((training.outcome[:, 0] == 0) & (iterations > 0))
    if running.size:
        k = running[-1]
        loss = training.history[k, iterations[k], 1]
        bar.set_postfix(
            iteration=int(iterations[k]), monitor=f"{loss:.3f}", refresh=False
        )
    bar.update(n_fresh)
    bar.refresh()


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


# --- Checkpoints: a model file whose text says which members are finished -------------


def _write_checkpoint(
    plan: Plan,
    training: Training,
    mark: str,
    finished: np.ndarray,
    path: str | os.PathLike,
) -> None:
    members = {}
    for k in np.flatnonzero(finished):
        n = training.outcome[k, 1]
        members[int(k)] = {
            "outcome": training.outcome[k].tolist(),
            "history": training.history[k, : n + 1].tolist(),
        }
    text = json.dumps({"fingerprint": mark, "finished": members})
    _boundary_file.write_file(
        path, [("checkpoint", plan.layout, plan.parameters.copy(), text)]
    )


def _read_checkpoint(
    plan: Plan, training: Training, mark: str, path: str | os.PathLike | None
) -> np.ndarray:
    """Take over the members that are finished in the file, if there is one."""
    done = np.zeros(plan.n_members, dtype=bool)
    if path is None or not os.path.exists(path):
        return done
    name, _, parameters, text = _boundary_file.read_file(path)[0]
    if name != "checkpoint":
        raise ValueError(f"checkpoint: {os.fspath(path)} is a model, not a checkpoint")
    try:
        known = json.loads(text)
        members, same = known["finished"].items(), known["fingerprint"] == mark
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(
            f"checkpoint: the text of {os.fspath(path)} is damaged"
        ) from None
    if not same:
        raise ValueError(
            f"checkpoint: {os.fspath(path)} belongs to other rows or settings; "
            "give another path, or remove it"
        )
    sizes = _boundary.describe(plan.layout, plan.parameters)
    for key, member in members:
        k = int(key)
        mine = slice(sizes.offset[k], sizes.offset[k] + sizes.n_parameters[k])
        plan.parameters[mine] = parameters[mine]
        training.outcome[k] = member["outcome"]
        training.history[k, : len(member["history"])] = member["history"]
        done[k] = True
    return done
