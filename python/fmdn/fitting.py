"""Training the members of a plan: in threads or by an executor, with checkpoints."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np

from . import _boundary, _boundary_file
from ._boundary import Training
from .plan import Plan
from .progress import progress_bar


def train(
    plan: Plan,
    training: Training,
    checkpoint: str | os.PathLike | None,
    executor: Executor | None,
    progress: bool,
) -> None:
    """Train the members that the checkpoint does not hold yet."""
    mark = "" if checkpoint is None else plan.fingerprint()
    done = _read_checkpoint(plan, training, mark, checkpoint)
    if checkpoint is not None:  # where it cannot be written, say so now
        _write_checkpoint(plan, training, mark, done, checkpoint)
    options = {
        "total": plan.n_members,
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

        if executor is not None:
            _train_by_executor(plan, training, done, executor, watch)
        else:
            for first, last in _runs(~done):
                _boundary.train_members(
                    plan.layout,
                    plan.parameters,
                    plan.rows,
                    first,
                    last,
                    plan.patience,
                    plan.n_threads,
                    training,
                    watch,
                )
        watch()


def _runs(wanted: np.ndarray) -> list[tuple[int, int]]:
    """Give the runs of True as (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _train_by_executor(
    plan: Plan,
    training: Training,
    done: np.ndarray,
    executor: Executor,
    watch: Callable[[], None],
) -> None:
    """Train each member as a task of its own."""
    from concurrent.futures import as_completed

    sizes = _boundary.describe(plan.layout, plan.parameters)
    tasks = {}
    try:
        for k in np.flatnonzero(~done):
            tasks[executor.submit(_train_one, plan, k, training.interrupt)] = k
        for task in as_completed(tasks):
            k = tasks[task]
            mine, training.history[k], outcome = task.result()
            first = sizes.offset[k]
            plan.parameters[first : first + sizes.n_parameters[k]] = mine
            training.outcome[k] = outcome
            watch()
    except BaseException:
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
        plan.rows,
        int(k),
        int(k) + 1,
        plan.patience,
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
