"""Simulation: draw models from the prior and compute the data of each.

A model whose simulation fails is left out and its reason kept; it never ends the run.
"""

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .priors import Prior, _whole
from .progress import progress_bar


@dataclass(frozen=True, eq=False)
class Failure:
    """A prior sample without data.

    Attributes
    ----------
    index : int
        Its number among the prior samples: ``prior.sample(1, seed, start=index)``.
    model : numpy.ndarray, shape (n_parameters,)
    reason : str
    """

    index: int
    model: np.ndarray
    reason: str


@dataclass(frozen=True, eq=False)
class Samples:
    """Prior samples: models and the noise-free data that each of them predicts.

    Attributes
    ----------
    models : numpy.ndarray, shape (n, n_parameters)
    data : numpy.ndarray, shape (n, n_data)
    failed : sequence of Failure
        The models without data; they are not among `models`.
    names : tuple of str
        Of the parameters; those of the prior, if there is one.
    prior : Prior or None
        What the models were drawn from.
    """

    models: np.ndarray
    data: np.ndarray
    failed: Any = ()
    names: Any = None
    prior: Prior | None = None

    def __post_init__(self):
        """Check the tables and name the columns."""
        for what in ("models", "data"):
            table = np.asarray(getattr(self, what))
            if table.dtype.kind not in "iuf":
                raise TypeError(f"{what} must be real numbers, not {table.dtype}")
            if table.ndim != 2:
                raise ValueError(f"{what} must be (n, columns), got {table.shape}")
            object.__setattr__(self, what, table)
        if len(self.models) != len(self.data):
            raise ValueError(
                f"models and data must have as many rows as each other, got "
                f"{len(self.models)} and {len(self.data)}"
            )
        names, width = self.names, self.models.shape[1]
        if names is None:
            fallback = (f"parameter_{j}" for j in range(width))
            names = fallback if self.prior is None else self.prior.names
        names = tuple(names)
        if len(set(names)) != width or len(names) != width:
            raise ValueError(
                f"names must be {width} different ones, one per column of models, "
                f"got {', '.join(map(str, names))}"
            )
        object.__setattr__(self, "names", names)

    def __len__(self):
        """Return the number of models that have data."""
        return len(self.models)

    def __getitem__(self, name):
        """Return one parameter of all models, shape (n,)."""
        if name not in self.names:
            known = ", ".join(self.names)
            raise KeyError(f"no parameter {name!r} in the samples; they have {known}")
        return self.models[:, self.names.index(name)]

    def __repr__(self):
        """Return the sizes."""
        return (
            f"Samples({len(self)} models of {', '.join(self.names)}; "
            f"{self.data.shape[1]} data each; {len(self.failed)} failed)"
        )


def simulate(
    prior,
    forward,
    n_samples,
    *,
    seed=0,
    vectorised=False,
    executor=None,
    batch_size=None,
    progress=False,
):
    """Draw models from the prior and simulate the data of each.

    Parameters
    ----------
    prior : Prior
    forward : callable
        The forward model without noise: ``forward(model)`` takes one model, shape
        (n_parameters,), and returns its data, (n_data,). With `vectorised` it takes
        many models, (m, n_parameters), and returns (m, n_data).
    n_samples : int
        How many models to draw.
    seed : int
        Of the draw; the first models of a longer run are the same.
    vectorised : bool
        Whether `forward` takes many models at once.
    executor : concurrent.futures.Executor, optional
        Where the simulations run; in this process if None. The result is the same.
    batch_size : int, optional
        How many models are handed over at a time. By default 1000 of a vectorised
        forward, and as many as keep an executor busy otherwise.
    progress : bool
        Whether to show a progress bar (needs tqdm).

    Returns
    -------
    Samples
        The models that have data, in the order drawn, and the failed ones with
        their reasons: an exception, NaN or infinite data, or another number of data
        than the first model has. Ctrl-C returns what is finished.

    Raises
    ------
    RuntimeError
        If no model has data.
    """
    if not isinstance(prior, Prior):
        raise TypeError(f"prior must be a fmdn.Prior, not {prior!r}")
    if not callable(forward):
        raise TypeError(f"forward must be callable, not {forward!r}")
    n_samples = _whole("n_samples", n_samples)
    if n_samples == 0:
        raise ValueError("n_samples must be at least 1")
    if batch_size is None:
        batch_size = 1000 if vectorised else min(1 + n_samples // 200, 1000)
        if executor is None and not vectorised:
            batch_size = 1
    elif _whole("batch_size", batch_size) == 0:
        raise ValueError("batch_size must be at least 1")

    models = prior.sample(n_samples, seed)
    good = np.zeros(n_samples, bool)
    data, failed, done = None, [], 0
    batches = [models[i : i + batch_size] for i in range(0, n_samples, batch_size)]
    work = partial(_simulate_batch, forward, bool(vectorised))
    run = map if executor is None else executor.map
    options = {"total": n_samples, "desc": "simulate", "unit": "model"}
    with progress_bar(progress, **options) as bar:
        try:
            for results in run(work, batches):
                for i, result in enumerate(results, start=done):
                    if data is None and not isinstance(result, str):
                        data = np.empty((n_samples, len(result)))
                    if not isinstance(result, str) and len(result) != data.shape[1]:
                        result = (
                            f"returned {len(result)} data where the first model "
                            f"has {data.shape[1]}"
                        )
                    if isinstance(result, str):
                        failed.append(Failure(i, models[i], result))
                    else:
                        data[i], good[i] = result, True
                done += len(results)
                if bar is not None:
                    bar.update(len(results))
        except KeyboardInterrupt:
            if data is None:
                raise
            _warn(f"simulate: interrupted; {done} of {n_samples} models are finished")

    if data is None:
        raise RuntimeError(
            f"simulate: none of {n_samples} models gave data; the first failed with "
            f"{failed[0].reason}"
        )
    if failed:
        _warn(
            f"simulate: {len(failed)} of {done} models failed and are left out, which "
            f"bends the prior; the first: {failed[0].reason}"
        )
    if not good.all():
        models, data = models[good], data[good]
    return Samples(models, data, failed, prior.names, prior)


def _simulate_batch(forward, vectorised, models):
    """Return for each model its data or, as a text, why it has none."""
    if not vectorised:
        return [_simulate_one(forward, model) for model in models]
    try:
        data = np.asarray(forward(models.copy()))
    except Exception as error:
        if len(models) == 1:
            return [f"{type(error).__name__}: {error}"]
        # one model at a time, so that only those at fault are lost
        single = (models[i : i + 1] for i in range(len(models)))
        return [_simulate_batch(forward, True, model)[0] for model in single]
    if data.ndim not in (1, 2) or len(data) != len(models):
        raise ValueError(
            f"forward with vectorised=True was given {len(models)} models and must "
            f"return one row of data for each, but returned shape {data.shape}"
        )
    data = data.reshape(len(models), -1)
    if data.dtype.kind in "biuf" and data.size and np.isfinite(data).all():
        return list(data.astype(float))  # the usual case, fast
    return [_data_or_reason(row) for row in data]


def _simulate_one(forward, model):
    try:
        data = np.asarray(forward(model.copy()))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if data.ndim > 1:
        return f"returned data of shape {data.shape}; one axis is wanted"
    return _data_or_reason(np.atleast_1d(data))


def _data_or_reason(data):
    if data.dtype.kind not in "biuf":
        return f"returned {data.dtype} data; real numbers are wanted"
    if data.size == 0:
        return "returned no data"
    data = data.astype(float)
    wrong = np.flatnonzero(~np.isfinite(data))
    if wrong.size:
        value = data[wrong[0]]
        return f"returned {value} in {wrong.size} data, first in number {wrong[0]}"
    return data


def _warn(text):
    warnings.warn(text, stacklevel=3)
