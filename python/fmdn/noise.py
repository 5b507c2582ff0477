"""Noise: what a measurement adds to the simulated data.

The noise that the networks are trained with IS the likelihood of the inversion: it
stands for errors of the instruments and of the forward model alike. Every member of a
committee learns from noise of its own, which goes in before anything else is done to
the data; the rows that monitor and weigh keep one draw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray


class Noise:
    """What is added to data; a subclass says how it is drawn.

    Attributes
    ----------
    n_levels : int
        Inputs that are appended to the data: 1 for `ScaledNoise`, else none.
    is_gaussian : bool
        Whether it is that of `projected` on any axes.
    """

    n_levels = 0
    is_gaussian = False

    def draw(self, rng: np.random.Generator, data: Array, models: Any) -> Array:
        """Give a noisy copy of data (n, n_data), drawn with `rng`.

        `models` (n, n_parameters) or None: whose data they are.
        """
        raise NotImplementedError

    def channel_sd(self, n_data: int) -> Array | None:
        """Give the standard deviation in each channel, None where it is not known.

        Raises
        ------
        ValueError
            If this noise is for another number of channels.
        """
        return None

    def projected(self, axes: Array) -> CorrelatedNoise:
        """Give the noise of ``axes @ data``, if it is Gaussian."""
        raise NotImplementedError

    def add(self, data: Any, seed: int = 0, models: Any = None) -> Array:
        """Return a noisy copy of `data`, for synthetic observations and test sets.

        Parameters
        ----------
        data : array_like, shape (n_data,) or (n, n_data)
        seed : int
        models : array_like, shape (n, n_parameters), optional
            For noise that depends on the models.

        Returns
        -------
        numpy.ndarray, shape (n_data,) or (n, n_data)
            `ScaledNoise` appends the level.
        """
        data = np.asarray(data, float)
        self.channel_sd(data.shape[-1])
        rng = np.random.default_rng(seed)
        noisy = self.draw(rng, np.atleast_2d(data), models)
        return noisy if data.ndim > 1 else noisy[0]


class GaussianNoise(Noise):
    """Independent Gaussian noise with zero mean.

    Parameters
    ----------
    sd : float or array_like, shape (n_data,)
        Standard deviation in the units of the data, one for all channels or one for
        each. Zero means that a channel is exact.

    Examples
    --------
    >>> GaussianNoise(sd=0.005).sd_for(3)
    array([0.005, 0.005, 0.005])
    """

    is_gaussian = True

    def __init__(self, sd):
        given = np.asarray(sd)
        if given.dtype.kind not in "iuf":
            raise TypeError(f"noise: sd must be a number or numbers, not {sd!r}")
        if given.ndim > 1 or given.size == 0:
            raise ValueError(
                "noise: sd must be one number or one per channel, "
                f"got shape {given.shape}"
            )
        wrong = np.flatnonzero(~np.isfinite(given) | (given < 0))
        if wrong.size:
            where = f" of channel {wrong[0]}" if given.ndim else ""
            raise ValueError(
                f"noise: sd{where} must be finite and not negative, "
                f"got {given.flat[wrong[0]]}"
            )
        self.sd = given.astype(float)

    def __repr__(self):
        """Return the noise as it would be written."""
        return f"GaussianNoise(sd={self.sd.tolist()!r})"

    def sd_for(self, n_data):
        """Return the standard deviation of each of `n_data` channels.

        Returns
        -------
        numpy.ndarray, shape (n_data,)
        """
        if self.sd.ndim and len(self.sd) != n_data:
            raise ValueError(
                f"noise: sd has {len(self.sd)} entries but the data have "
                f"{n_data} channels"
            )
        return np.full(n_data, self.sd)

    def draw(self, rng, data, models=None):
        """Give a noisy copy."""
        sd = self.sd_for(data.shape[1])
        return data + sd * rng.standard_normal(data.shape)

    def channel_sd(self, n_data):
        """Give the standard deviation in each channel."""
        return self.sd_for(n_data)

    def projected(self, axes):
        """Give the noise of the components."""
        return CorrelatedNoise((axes * self.sd_for(axes.shape[1]) ** 2) @ axes.T)


class CorrelatedNoise(Noise):
    """Gaussian noise with zero mean whose channels are correlated.

    Parameters
    ----------
    covariance : array_like, shape (n_data, n_data)
        In the units of the data squared; positive definite, or semi-definite.
    """

    is_gaussian = True

    def __init__(self, covariance):
        given = np.asarray(covariance)
        if given.dtype.kind not in "iuf":
            raise TypeError(f"noise: covariance must be numbers, not {given.dtype}")
        if given.ndim != 2 or given.shape[0] != given.shape[1] or given.size == 0:
            raise ValueError(
                f"noise: covariance must be square, got shape {given.shape}"
            )
        self.covariance = given = given.astype(float)
        if not np.isfinite(given).all():
            raise ValueError("noise: covariance must be finite")
        size = np.abs(given).max()
        if not np.allclose(given, given.T, rtol=0, atol=1e-12 * size):
            raise ValueError("noise: covariance must be symmetric")
        from scipy import linalg

        variances, axes = linalg.eigh(given)
        if variances[0] < -1e-12 * size * len(given):
            raise ValueError(
                "noise: covariance must not have negative eigenvalues, "
                f"got {variances[0]:.3g}"
            )
        self._factor = axes * np.sqrt(np.maximum(variances, 0))

    def __repr__(self):
        """Return the size."""
        return f"<CorrelatedNoise of {len(self.covariance)} channels>"

    def draw(self, rng, data, models=None):
        """Give a noisy copy."""
        self.channel_sd(data.shape[1])
        return data + rng.standard_normal(data.shape) @ self._factor.T

    def channel_sd(self, n_data):
        """Give the standard deviation in each channel."""
        if len(self.covariance) != n_data:
            raise ValueError(
                f"noise: covariance is of {len(self.covariance)} channels but the data "
                f"have {n_data} channels"
            )
        return np.sqrt(np.diag(self.covariance))

    def projected(self, axes):
        """Give the noise of the components."""
        return CorrelatedNoise(axes @ self.covariance @ axes.T)


class RecordedNoise(Noise):
    """Records of real noise, one of them drawn for each example.

    The networks can learn a record by heart if there are few of them: have thousands,
    or cut them out of long records at random.

    Parameters
    ----------
    records : array_like, shape (n_records, n_data)
        In the units of the data; may lie on disk (`numpy.memmap`).
    """

    def __init__(self, records):
        self.records = given = np.asanyarray(records)
        if given.dtype.kind not in "iuf":
            raise TypeError(f"noise: records must be numbers, not {given.dtype}")
        if given.ndim != 2 or given.size == 0:
            raise ValueError(
                f"noise: records must be (n_records, n_data), got shape {given.shape}"
            )
        for i, record in enumerate(given):
            if not np.isfinite(record).all():
                raise ValueError(f"noise: record {i} is not finite")

    def __repr__(self):
        """Return the size."""
        return "<RecordedNoise, {} records of {} channels>".format(*self.records.shape)

    def draw(self, rng, data, models=None):
        """Give a noisy copy."""
        self._check(data.shape[1])
        return data + self.records[rng.integers(len(self.records), size=len(data))]

    def channel_sd(self, n_data):
        """Give the standard deviation in each channel."""
        self._check(n_data)
        return np.asarray(self.records[:10_000], float).std(axis=0)

    def _check(self, n_data):
        if self.records.shape[1] != n_data:
            raise ValueError(
                f"noise: records have {self.records.shape[1]} channels but the data "
                f"have {n_data} channels"
            )


class FunctionNoise(Noise):
    """Noise that a function makes: what the data would be as measured.

    Parameters
    ----------
    function : callable
        ``function(rng, data, models)`` gives noisy data, shape (n, n_data), for data of
        that shape and the models, shape (n, n_parameters), that they are of. It must
        draw from `rng`, a `numpy.random.Generator`, alone: then a fit can be repeated.
    """

    def __init__(self, function: Callable[..., Array]):
        if not callable(function):
            raise TypeError(f"noise must be a function, not {function!r}")
        self.function = function

    def __repr__(self):
        """Return the function."""
        return f"FunctionNoise({self.function!r})"

    def draw(self, rng, data, models=None):
        """Give a noisy copy."""
        noisy = np.asarray(self.function(rng, data.copy(), models), float)
        if noisy.shape != data.shape:
            raise ValueError(
                f"noise: the function must give data of shape {data.shape}, "
                f"but gave {noisy.shape}"
            )
        if not np.array_equal(np.isfinite(noisy), np.isfinite(data)):
            raise ValueError("noise: the function gave data that are not finite")
        return noisy


class ScaledNoise(Noise):
    """Noise whose level differs between observations, and is known for each.

    The level of each example is drawn, its noise multiplied by it, and its logarithm
    appended to the data as an input more. An observation needs it too: `append`.

    Parameters
    ----------
    level : distribution
        Of the level, a positive number: `LogUniform`, frozen `scipy.stats`, ...
    noise : Noise, float or array_like
        Noise of level 1.

    Examples
    --------
    >>> noise = ScaledNoise(LogUniform(0.001, 0.1))
    >>> committee = Committee().fit(data, depth, noise=noise)
    >>> committee.posterior(noise.append(observed, 0.02))
    """

    n_levels = 1

    def __init__(self, level, noise=1.0):
        if not hasattr(level, "ppf"):
            raise TypeError(f"noise: level must be a distribution, not {level!r}")
        least = level.ppf(0.0)
        if not least >= 0:
            raise ValueError(f"noise: the level must be positive, but can be {least}")
        self.level, self.noise = level, as_noise(noise)
        if self.noise is None or self.noise.n_levels:
            raise TypeError(f"noise: a level of {noise!r} makes no sense")

    def __repr__(self):
        """Return the noise as it would be written."""
        return f"ScaledNoise({self.level!r}, {self.noise!r})"

    def draw(self, rng, data, models=None):
        """Give a noisy copy with the logarithm of the level appended."""
        level = np.asarray(self.level.ppf(rng.uniform(1e-12, 1 - 1e-12, len(data))))
        added = self.noise.draw(rng, data, models) - data
        return self.append(data + level[:, np.newaxis] * added, level)

    def channel_sd(self, n_data):
        """Give the standard deviation in each channel at level 1."""
        return self.noise.channel_sd(n_data)

    @staticmethod
    def append(data, level):
        """Append the level to data, as the networks know it.

        Parameters
        ----------
        data : array_like, shape (n_data,) or (n, n_data)
        level : float or array_like, shape (n,)

        Returns
        -------
        numpy.ndarray, shape (n_data + 1,) or (n, n_data + 1)
        """
        data, level = np.asarray(data, float), np.asarray(level, float)
        if not (level > 0).all():
            raise ValueError(f"noise: level must be positive, got {level.min()}")
        column = np.broadcast_to(np.log(level), data.shape[:-1])[..., np.newaxis]
        return np.concatenate([data, column], axis=-1)


def as_noise(given: Any) -> Noise | None:
    """Give the noise that an argument stands for: numbers are a standard deviation."""
    if given is None or isinstance(given, Noise):
        return given
    return FunctionNoise(given) if callable(given) else GaussianNoise(given)
