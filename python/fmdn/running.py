"""Where batches of models are simulated: here, on all cores, or by an executor."""

from __future__ import annotations

import os
import pickle
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from queue import Empty, SimpleQueue

import numpy as np

from .forward import Fault, Forward, Outcome
from .workers import CannotLoad, Cores, Job, follow_parent, pack, worker_for

VECTORISED_BATCH = 1000  # models
LONGEST_BATCH = 1000  # models
BATCH_SECONDS = 1.0  # that a batch should take: what is lost when all is killed
FIRST_LOOK = 0.1  # seconds in this process before the other cores are thought of
WORTHWHILE = 1.0  # seconds that are left, for workers to be started
OVERHEAD = 1e-4  # seconds that a model costs to be sent and fetched, at most
PROBES = 200  # models that an executor gets one by one, to learn what they take

Results = Iterator[tuple[np.ndarray, list[Outcome]]]


@dataclass(frozen=True)
class Runner:
    """How to run: ``runner(models, todo)`` gives indices and outcomes as they come.

    While nothing comes from elsewhere it gives none of either, once a second.
    """

    call: Forward
    executor: Executor | None = None
    batch_size: int | None = None
    timeout: float | None = None
    retries: int = 0

    def __call__(self, models: np.ndarray, todo: np.ndarray) -> Results:
        """Simulate the models whose numbers, in increasing order, are `todo`."""
        if not todo.size:
            return (result for result in ())
        if self.executor is not None:
            return self._parallel(self._to_executor(models), todo, None)
        if self.timeout is not None:  # what hangs can be stopped from outside only
            return self._on_cores(models, todo, None)
        return self._here(models, todo)

    def _here(self, models: np.ndarray, todo: np.ndarray) -> Results:
        """Simulate in this process, for as long as other cores would not pay."""
        several, elapsed, done = count_cores() > 1, 0.0, 0
        ones = (todo[i : i + 1] for i in range(len(todo)))  # each may take an hour
        for batch in self._batches(todo, 1) if self.call.vectorised else ones:
            outcomes, seconds = _simulate(self.call, self.retries, batch, models[batch])
            yield batch, outcomes
            done, elapsed = done + len(batch), elapsed + seconds
            each, left = elapsed / done, len(todo) - done
            slow = each > OVERHEAD and each * left > WORTHWHILE
            if several and slow and elapsed > FIRST_LOOK:
                try:
                    yield from self._on_cores(models, todo[done:], each)
                    return
                except CannotLoad as error:
                    warnings.warn(f"simulate: one core only: {error}", stacklevel=4)
                    several = False

    def _on_cores(
        self, models: np.ndarray, todo: np.ndarray, each: float | None
    ) -> Results:
        cores = Cores(self._job(), min(count_cores(), len(todo)))

        def submit(batch: np.ndarray, apart: bool) -> Future:
            return cores.submit(_simulate, self.retries, batch, models[batch])

        with closing(cores):
            yield from self._parallel(submit, todo, each)

    def _job(self) -> Job:
        apart = self.timeout is not None
        return Job(pack(self.call), self.call.vectorised, self.timeout, apart)

    def _to_executor(self, models: np.ndarray) -> Callable[[np.ndarray, bool], Future]:
        submit = self.executor.submit
        if self.timeout is None and isinstance(self.executor, ThreadPoolExecutor):
            return lambda batch, apart: submit(
                _simulate, self.call, self.retries, batch, models[batch]
            )
        job = self._job()
        return lambda batch, apart: submit(
            _simulate_job,
            replace(job, apart=job.apart or apart),
            self.retries,
            batch,
            models[batch],
        )

    def _parallel(
        self,
        submit: Callable[[np.ndarray, bool], Future],
        todo: np.ndarray,
        each: float | None,
    ) -> Results:
        """Simulate by futures; `each` is the time that a model takes, if known."""
        finished, pending = SimpleQueue(), {}

        def send(batches: Iterable[np.ndarray], apart: bool = False) -> None:
            for batch in batches:
                future = submit(batch, apart)
                pending[future] = batch, apart
                future.add_done_callback(finished.put)

        try:
            if each is None and self.batch_size is None and not self.call.vectorised:
                rest = todo[PROBES:]
                send(self._batches(todo[:PROBES], 1))
            else:
                rest = todo[:0]
                send(self._batches(todo, _batch_size(each, len(todo))))
            while pending:
                try:
                    future = finished.get(timeout=1)
                except Empty:
                    yield todo[:0], []  # time to see to what has come so far
                    continue
                batch, apart = pending.pop(future)
                try:
                    outcomes, seconds = future.result()
                except Exception as error:
                    if type(error).__name__ != "KilledWorker":
                        raise
                    if not apart:  # Dask gave up; it may have been another's fault
                        send([batch], apart=True)
                        continue
                    fault = Fault(f"KilledWorker: {str(error).partition('.')[0]}")
                    outcomes, seconds = [fault] * len(batch), 0.0
                del future  # Dask would compute again what is lost but still held
                if rest.size:
                    each = seconds / len(batch)
                    send(self._batches(rest, _batch_size(each, len(rest))))
                    rest = rest[:0]
                yield batch, outcomes
        finally:
            for future in pending:
                future.cancel()

    def _batches(self, todo: np.ndarray, size: int) -> Iterator[np.ndarray]:
        """Cut into batches of `size`, or of what was asked for.

        Those of a vectorised function are cut at multiples of their size, so that a
        model has the same neighbours, and its data the same rounding, whenever it is
        simulated.
        """
        if self.call.vectorised:
            number = todo // (self.batch_size or VECTORISED_BATCH)
            yield from np.split(todo, np.flatnonzero(np.diff(number)) + 1)
        else:
            size = self.batch_size or size
            yield from (todo[i : i + size] for i in range(0, len(todo), size))


def _batch_size(each: float | None, n_models: int) -> int:
    """Models that take a second together, but a good many batches if they can be."""
    longest = LONGEST_BATCH if not each else int(BATCH_SECONDS / each)
    return max(1, min(longest, LONGEST_BATCH, n_models // (8 * count_cores())))


def _simulate(
    call: Callable, retries: int, indices: np.ndarray, models: np.ndarray
) -> tuple[list[Outcome], float]:
    """Give the outcomes, those of the last try where one failed, and the seconds."""
    begun = time.perf_counter()
    outcomes = call(indices, models)
    for _ in range(retries):
        for i, outcome in enumerate(outcomes):
            if isinstance(outcome, Fault):
                one = slice(i, i + 1)
                outcomes[i] = call(indices[one], models[one])[0]
    return outcomes, time.perf_counter() - begun


def _simulate_job(
    job: Job, retries: int, indices: np.ndarray, models: np.ndarray
) -> tuple[list[Outcome], float]:
    """Do it where only pickles arrive."""
    follow_parent()
    call = worker_for(job) if job.apart else _unpack(job.packed)
    return _simulate(call, retries, indices, models)


@lru_cache(maxsize=1)
def _unpack(packed: bytes) -> Forward:
    return pickle.loads(packed)


def count_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
