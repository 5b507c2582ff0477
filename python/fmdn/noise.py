"""Noise: what a measurement adds to the simulated data.

The noise that the networks are trained with IS the likelihood of the inversion: it
stands for errors of the instruments and of the forward model alike.
"""

import numpy as np


class GaussianNoise:
    """Independent Gaussian noise with zero mean.

    `Committee.fit(noise=...)` draws it inside the core, afresh for every member and
    before any scaling, so that each member learns from other noise.

    Parameters
    ----------
    sd : float or array_like, shape (n_inputs,)
        Standard deviation in the units of the data, one for all channels or one for
        each. Zero means that a channel is exact.

    Examples
    --------
    >>> GaussianNoise(sd=0.005).sd_for(3)
    array([0.005, 0.005, 0.005])
    """

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

    def sd_for(self, n_inputs):
        """Return the standard deviation of each of `n_inputs` channels.

        Returns
        -------
        numpy.ndarray, shape (n_inputs,)
        """
        if self.sd.ndim and len(self.sd) != n_inputs:
            raise ValueError(
                f"noise: sd has {len(self.sd)} entries but the data have "
                f"{n_inputs} channels"
            )
        return np.full(n_inputs, self.sd)

    def add(self, data, seed=0):
        """Return a noisy copy of `data`, for synthetic observations and test sets.

        Parameters
        ----------
        data : array_like, shape (n_inputs,) or (n, n_inputs)
        seed : int
        """
        data = np.asarray(data, float)
        sd = self.sd_for(data.shape[-1])
        return data + sd * np.random.default_rng(seed).standard_normal(data.shape)
