"""Simulation: draw models from the prior and compute the data of each.

A model whose simulation fails is left out and its reason kept; it never ends the run.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np

from .checks import check_integer
from .forward import Fault, Forward, Outcome
from .priors import Prior
from .program import Program
from .progress import progress_bar
from .rows import FAILED, GOOD, TO_DO, Rows
from .running import Results, Runner
from .samples import Samples
from .store import StoredRows

SIGNIFICANT = 0.01  # chance of a false alarm about the failed models


def simulate(
    prior: Prior,
    forward: Callable | Program,
    n_samples: int,
    *,
    seed: int = 0,
    vectorised: bool = False,
    store: str | os.PathLike | None = None,
    version: str | int | None = None,
    verify: bool = False,
    executor: Executor | None = None,
    batch_size: int | None = None,
    timeout: float | None = None,
    retries: int = 0,
    progress: bool | None = None,
) -> Samples:
    """Draw models from the prior and simulate the data of each.

    What comes out depends on the prior, the seed and the forward model alone, not on
    where it was simulated, in which order, or how often it was interrupted.

    Parameters
    ----------
    prior : Prior
    forward : callable or Program
        The forward model without noise: ``forward(model)`` takes one model, shape
        (n_parameters,), and returns its data, (n_data,). With `vectorised` it takes
        many models, (m, n_parameters), and returns (m, n_data). If it has a parameter
        `rng`, it is given a `numpy.random.Generator` made from (seed, i) for sample
        i, or a list of them.
    n_samples : int
        How many models to draw.
    seed : int
        Of the draw; the first models of a longer run are the same.
    vectorised : bool
        Whether `forward` takes many models at once.
    store : path, optional
        A folder in the format of Zarr, to which every finished batch is written. The
        same call goes on where the last one stopped; one with more samples extends
        it. Needs zarr.
    version : str or int, optional
        Of the forward model, in words of your own: a store of another is refused.
    verify : bool
        Whether to simulate one model of the store again first, and refuse the store
        if that gives other data.
    executor : concurrent.futures.Executor, optional
        Where the simulations run. By default in this process, and in one process for
        each core as soon as that is seen to be faster.
    batch_size : int, optional
        How many models are handed over at a time. By default 1000 of a vectorised
        forward, and otherwise as many as take about a second.
    timeout : float, optional
        Seconds that a model may take. Every model then runs in a process that can be
        stopped, so that one which hangs, or brings its process down, costs no other.
    retries : int
        How often to try again when a model fails.
    progress : bool, optional
        Whether to show a progress bar (needs tqdm). By default where somebody looks
        on, once a run has taken a second.

    Returns
    -------
    Samples
        The models that have data, in the order drawn, and the failed ones with
        their reasons: an exception, NaN or infinite data, another number of data
        than the first model has, no end in time, or the end of its process. The data
        are float32 if the forward model returns that, otherwise float64; those of a
        store stay on the disk. Ctrl-C returns what is finished.

    Raises
    ------
    RuntimeError
        If no model has data.
    ValueError
        If the store holds another simulation; the message says in what it differs.
    BlockingIOError
        If another process works on the store.
    OSError
        If the store cannot be written. What it holds by then remains good.
    """
    if not isinstance(prior, Prior):
        raise TypeError(f"prior must be a fmdn.Prior, not {prior!r}")
    if not callable(forward):
        raise TypeError(f"forward must be callable, not {forward!r}")
    n_samples = check_integer("n_samples", n_samples, 1)
    seed = check_integer("seed", seed, 0, 2**63 - 1)
    name = _qualified_name(forward)
    if isinstance(forward, Program):
        forward = forward.for_names(prior.names)
    runner = Runner(
        Forward(forward, bool(vectorised), seed),
        _check_executor(executor),
        None if batch_size is None else check_integer("batch_size", batch_size, 1),
        _check_timeout(timeout),
        check_integer("retries", retries, 0),
    )
    models = prior.sample(n_samples, seed)
    if store is None:
        rows = Rows(models)
    else:
        record = {"prior": prior.describe(), "seed": seed, "forward": name}
        rows = StoredRows(store, {**record, "version": version}, models)
    with closing(rows):
        stopped = _run(runner, rows, verify, progress)
        if stopped is not None and rows.data is None:
            raise stopped
    return _report(rows, stopped, prior)


def _run(
    runner: Runner, rows: Rows, verify: bool, progress: bool | None
) -> BaseException | None:
    """Fill the rows; what stopped it, if anything did."""
    kept = np.flatnonzero(rows.state == GOOD)
    check = partial(_verify, runner, rows, kept) if kept.size else None
    if verify and check:
        check()
    todo = np.flatnonzero(rows.state == TO_DO)
    options = {"total": len(rows.state), "desc": "simulate", "unit": "model"}
    stopped = None
    results = _first_data_first(runner(rows.models, todo), todo, rows)
    with (
        progress_bar(progress, initial=len(rows.state) - len(todo), **options) as bar,
        closing(results),
    ):
        try:
            for indices, outcomes in results:
                if not outcomes:
                    rows.flush()
                    continue
                if check and not verify and _another_length(outcomes, rows.n_data):
                    check()  # is it this model, or another forward?
                    verify = True
                rows.put(indices, outcomes)
                if bar is not None:
                    bar.update(len(indices))
        except (KeyboardInterrupt, BrokenExecutor) as error:
            stopped = error
        finally:
            rows.flush()
    return stopped


def _first_data_first(results: Results, todo: np.ndarray, rows: Rows) -> Results:
    """Pass on results as they come, but in order until the number of data is known.

    That number is thus the same wherever and in whatever order the models are run.
    """
    held, place = {}, 0
    with closing(results):
        try:
            for indices, outcomes in results:
                if not outcomes:
                    yield indices, outcomes
                    continue
                held[int(indices[0])] = indices, outcomes
                while held and (rows.data is not None or int(todo[place]) in held):
                    first = int(todo[place]) if rows.data is None else min(held)
                    indices, outcomes = held.pop(first)
                    place += len(indices)
                    yield indices, outcomes
        except (KeyboardInterrupt, BrokenExecutor):
            for first in sorted(held):
                yield held.pop(first)
            raise


def _another_length(outcomes: list[Outcome], n_data: int | None) -> bool:
    lengths = (len(one) for one in outcomes if not isinstance(one, Fault))
    return any(length != n_data for length in lengths)


def _verify(runner: Runner, rows: Rows, kept: np.ndarray) -> None:
    """Refuse a store whose data the forward model does not give again."""
    first = kept[:1]
    with closing(runner(rows.models, first)) as results:
        for _, (outcome,) in results:
            old = rows.data[int(first[0])]
            where = f"the store's data of model {first[0]} are not what forward gives"
            if isinstance(outcome, Fault):
                raise ValueError(f"{where}: it failed with {outcome.reason}")
            if outcome.shape != old.shape:
                raise ValueError(f"{where}: {len(old)} data there, {len(outcome)} here")
            # Another machine may round otherwise.
            allowed = np.sqrt(np.finfo(old.dtype).eps) * np.abs(old).max()
            apart = np.abs(outcome - old)
            if not (apart <= allowed).all():
                at = int(np.argmax(apart))
                raise ValueError(
                    f"{where}: number {at} is {old[at]} there, {outcome[at]} here"
                )


def _report(rows: Rows, stopped: BaseException | None, prior: Prior) -> Samples:
    """Give the samples, and warn of what is missing."""
    total, done = len(rows.state), int(np.count_nonzero(rows.state))
    failed = rows.state == FAILED
    first = rows.faults[min(rows.faults)].reason if rows.faults else ""
    if not (rows.state == GOOD).any():
        raise RuntimeError(
            f"simulate: none of {total} models gave data; the first failed with {first}"
        )
    if stopped is not None:
        how = "interrupted"
        if isinstance(stopped, BrokenExecutor):
            how = f"the executor broke ({stopped})"
        _warn(f"simulate: {how}; {done} of {total} models are finished")
    if failed.any():
        share = 100 * failed.sum() / done
        differing = ", ".join(_bent(rows, failed, prior.names))
        _warn(
            f"simulate: {failed.sum()} of {done} models failed ({share:.2g} %) and are "
            f"left out, which bends the prior"
            + (f", visibly in {differing}" if differing else "")
            + f"; the first: {first}"
        )
    return rows.samples(prior.names, prior)


def _bent(rows: Rows, failed: np.ndarray, names: tuple[str, ...]) -> Iterator[str]:
    """Give the parameters that have another distribution where models failed.

    Two-sample Kolmogorov-Smirnov tests, the level divided by their number.
    """
    from scipy import stats

    good = rows.state == GOOD
    for j, name in enumerate(names):
        column = rows.models[:, j]
        test = stats.ks_2samp(column[failed], column[good])
        if test.pvalue < SIGNIFICANT / len(names):
            yield name


def _qualified_name(forward: Any) -> str:
    while isinstance(forward, partial):
        forward = forward.func
    if isinstance(forward, Program):
        return str(forward)
    return getattr(forward, "__qualname__", None) or type(forward).__qualname__


def _check_executor(executor: Any) -> Executor | None:
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(
            f"executor must be a concurrent.futures.Executor, not {executor!r}; that "
            "of a Dask client is client.get_executor()"
        )
    return executor


def _check_timeout(timeout: Any) -> float | None:
    if timeout is None:
        return None
    try:
        seconds = float(timeout)
    except (TypeError, ValueError):
        raise TypeError(
            f"timeout must be a number of seconds, not {timeout!r}"
        ) from None
    if not 0 < seconds < 1e7:  # threads cannot wait for much longer
        raise ValueError(f"timeout must be positive seconds, got {timeout}")
    return seconds


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)
